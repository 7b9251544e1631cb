import { createHash } from 'node:crypto';
import type { LimitRequest, LimitStore } from '../../src/index.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { createRedisCommands, type RedisClient, readRedisClient } from './client.ts';
import { keyNames, readNamespace } from './keys.ts';

/** Where the counts are, and how long an issuer waits for them. */
export interface RedisLimitsOptions {
  readonly client: RedisClient;
  /** Begins all keys; issuers of one namespace count together. @default 'service-auth' */
  readonly namespace?: string | undefined;
  /** How long a reply may take, in milliseconds; then the issuer counts alone for a second. @default 200 */
  readonly timeoutMs?: number | undefined;
  /** The clock of the issuer, in epoch milliseconds. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** Clocks may differ by so much: a count must not end before its window does for the last of the issuers. */
const AFTERLIFE_MS = 60_000;
const LONGEST_MS = 2 * 24 * 60 * 60 * 1000;

/** One key a call, so any node of a cluster serves; as one script, so no two take the same part. */
const TAKE = `
local limit, amount = tonumber(ARGV[1]), tonumber(ARGV[2])
local used = tonumber(redis.call('GET', KEYS[1]) or '0')
local granted = math.max(0, math.min(amount, limit - used))
if granted > 0 then
  redis.call('SET', KEYS[1], string.format('%.0f', used + granted), 'PX', ARGV[3])
end
return granted`;

/**
 * Makes the place where issuers count their limits together, in the stead of their storage.
 *
 * Where Redis is slow, away or full an issuer counts alone, up to the whole limit, and tells so by the event
 * `issuer.limits_not_shared`; never does a request go uncounted. A Redis that lost its data begins the window anew.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { createIssuer } from 'service-auth/issuer';
 * import { createRedisLimits } from 'service-auth/redis';
 *
 * export const issuer = createIssuer({
 *   issuer: 'https://idp.example',
 *   limits: { store: createRedisLimits({ client: new Redis() }) },
 * });
 * ```
 */
export function createRedisLimits(options: RedisLimitsOptions): LimitStore {
  const check = new OptionChecker('createRedisLimits');
  const given = check.object('options', options, ['client', 'namespace', 'timeoutMs', 'now']);
  const client = readRedisClient(check, given.client);
  const nameOf = keyNames(readNamespace(check, given.namespace), 'limit');
  const timeoutMs = check.number('timeoutMs', given.timeoutMs ?? 200, 1, 1000, 'milliseconds');
  const now = check.function('now', given.now) ?? Date.now;
  const commands = createRedisCommands({ client, timeoutMs });

  /** Hashed, since whoever is counted may have a name of any length. */
  function keyOf({ key, windowEndsAtMs }: LimitRequest): string {
    const hash = createHash('sha256').update(key, 'utf16le').digest('base64url');
    return nameOf(hash, String(windowEndsAtMs));
  }

  return Object.freeze({
    async takeFromLimit(request) {
      const key = keyOf(request);
      const lastsMs = request.windowEndsAtMs - now() + AFTERLIFE_MS;
      const boundedMs = Math.ceil(Math.min(Math.max(lastsMs, AFTERLIFE_MS), LONGEST_MS));
      const numbers = [request.limit, request.amount, boundedMs].map(String);
      const granted = Number(await commands.send(key, ['EVAL', TAKE, '1', key, ...numbers]));
      if (granted >= 0 && granted <= request.amount) return granted;
      throw new Error('Redis gave no count');
    },
  } satisfies LimitStore);
}
