/** Counts that end with their window, one key each: any node of a cluster serves, and no two take the same part. */
import { createHash } from 'node:crypto';
import type { LimitRequest } from '../../src/index.ts';
import type { RedisCommands } from './client.ts';
import type { KeyNames } from './keys.ts';

/** Gives how many were left to take; `onLate` is told where nobody waits for it any more. */
export type TakeCounted = (request: LimitRequest, onLate?: (granted: number) => void) => Promise<number>;

export interface CountRules {
  readonly commands: RedisCommands;
  readonly nameOf: KeyNames;
  readonly now: () => number;
}

/** Clocks may differ by so much: a count must not end before its window does for the last of the instances. */
const AFTERLIFE_MS = 60_000;
const LONGEST_MS = 2 * 24 * 60 * 60 * 1000;

const TAKE = `
local limit, amount = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local granted = math.max(0, math.min(amount, limit - used))
if granted > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', used + granted), 'PX', ARGV[3])
end
return granted`;

export function createCounts({ commands, nameOf, now }: CountRules): TakeCounted {
  /** Hashed, since whoever is counted may have a name of any length. */
  function keyOf({ key, windowEndsAtMs }: LimitRequest): string {
    const hash = createHash('sha256').update(key, 'utf16le').digest('base64url');
    return nameOf(hash, String(windowEndsAtMs));
  }

  return async (request, onLate) => {
    const { windowEndsAtMs, limit, amount } = request;
    const key = keyOf(request);
    const lastsMs = windowEndsAtMs - now() + AFTERLIFE_MS;
    const boundedMs = Math.ceil(Math.min(Math.max(lastsMs, AFTERLIFE_MS), LONGEST_MS));
    const isGood = (granted: number): boolean => granted >= 0 && granted <= amount;
    const late = (reply: unknown): void => {
      if (isGood(Number(reply))) onLate?.(Number(reply));
    };
    const numbers = [limit, amount, boundedMs].map(String);
    const granted = Number(await commands.send(key, ['EVAL', TAKE, '1', key, ...numbers], late));
    if (isGood(granted)) return granted;
    throw new Error('Redis gave no count');
  };
}
