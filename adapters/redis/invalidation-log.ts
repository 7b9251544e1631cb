/** The invalidations that are alive, in one sorted set by the time (in microseconds, of Redis) at which they were made. */
import type { RedisCommands } from './client.ts';
import { textOf } from './keys.ts';

/** What was said, and when by the clock of Redis, in microseconds. */
export type LogEntry = readonly [text: string, time: number];

export interface LogPage {
  /** The time of Redis in microseconds. */
  readonly now: number;
  /** How many entries are alive in all. */
  readonly count: number;
  /** The oldest first. */
  readonly entries: readonly LogEntry[];
  readonly isLast: boolean;
}

export interface InvalidationLog {
  /** Keeps and tells all, each said so long ago; gives its time, or `undefined` where there was no room to keep it. */
  share(said: readonly { readonly text: string; readonly ageMs: number }[]): Promise<(number | undefined)[]>;
  /** Keeps what Redis has lost, at its old time, and tells nobody. Gives how many are kept then. */
  giveBack(entries: readonly LogEntry[]): Promise<number>;
  /** What was made after a time. */
  read(after: number): Promise<LogPage>;
}

export interface InvalidationLogOptions {
  readonly commands: RedisCommands;
  readonly key: string;
  readonly channel: string;
  readonly keepSeconds: number;
  readonly maxEntries: number;
}

/** More in one reply would keep Redis and its clients from all else. */
export const PAGE = 200;
/** What was said so short a time ago is said now, and stands at the end of the list. */
const FRESH_MS = 1000;

/** A clock that was further ahead, in microseconds, was set wrong: what it dated is dated anew. */
const AHEAD = 3_600_000_000;

/**
 * A time of 0 or less is an age. Times of new entries only grow, also where the clock is set back, so that who reads on
 * from the last one misses none. Where there is no memory left, those who listen are told all the same.
 */
const ADD = `
local key, channel, keep, most = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local text = function(number) return string.format('%.0f', number) end
redis.call('ZREMRANGEBYSCORE', key, '-inf', text(now - keep))
local ahead = redis.call('ZRANGEBYSCORE', key, '(' .. text(now + ${AHEAD}), '+inf')
for _, member in ipairs(ahead) do redis.pcall('ZADD', key, text(now), member) end
local newest = tonumber(redis.call('ZREVRANGE', key, 0, 0, 'WITHSCORES')[2] or '0')
local count = redis.call('ZCARD', key)
local reply = {}
for at = 4, #ARGV, 2 do
  local time, member = tonumber(ARGV[at]), ARGV[at + 1]
  local isNew = time <= 0
  if time == 0 then time = math.max(now, newest + 1) elseif isNew then time = now + time else time = math.min(time, now) end
  local known = tonumber(redis.call('ZSCORE', key, member) or '-1')
  local kept = known >= time
  if kept then
    time = known
  elseif known >= 0 or count < most then
    local added = redis.pcall('ZADD', key, text(time), member)
    kept = type(added) == 'number'
    if kept then
      count = count + added
      newest = math.max(newest, time)
    end
  end
  if isNew then redis.call('PUBLISH', channel, text(time) .. ':' .. member) end
  reply[#reply + 1] = kept and text(time) or ''
end
redis.pcall('PEXPIRE', key, text(keep / 1000))
return { tostring(count), reply }`;

/** What was said at the same time as the last of a page is part of it: the next one begins after that time. */
const READ = `
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local text = function(number) return string.format('%.0f', number) end
local alive = now - tonumber(ARGV[1])
local after = math.max(alive, tonumber(ARGV[2]))
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. text(after), '+inf', 'WITHSCORES', 'LIMIT', 0, ARGV[3])
if #entries == 2 * ARGV[3] then
  local last = entries[#entries]
  for _, item in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], last, last, 'WITHSCORES')) do entries[#entries + 1] = item end
end
return { text(now), tostring(redis.call('ZCOUNT', KEYS[1], '(' .. text(alive), text(now))), entries }`;

export function createInvalidationLog(options: InvalidationLogOptions): InvalidationLog {
  const { commands, key, channel, maxEntries } = options;
  const keep = `${options.keepSeconds * 1_000_000}`;

  async function add(
    entries: readonly LogEntry[],
  ): Promise<{ count: number; times: (number | undefined)[] }> {
    const pairs = entries.flatMap(([text, time]) => [time.toFixed(0), text]);
    const reply = await run(ADD, [channel, keep, `${maxEntries}`, ...pairs]);
    const [count, times] = reply;
    const kept = textsOf(times).map((time) => (time === '' ? undefined : Number(time)));
    return { count: numberOf(count), times: kept };
  }

  async function run(script: string, args: readonly string[]): Promise<readonly unknown[]> {
    return listOf(await commands.send(key, ['EVAL', script, '1', key, ...args]));
  }

  return {
    async share(said) {
      const { times } = await add(
        said.map(({ text, ageMs }) => [text, ageMs < FRESH_MS ? 0 : -ageMs * 1000]),
      );
      return times;
    },
    giveBack: async (entries) => (await add(entries)).count,
    async read(after) {
      const [now, count, flat] = await run(READ, [keep, after.toFixed(0), `${PAGE}`]);
      const texts = textsOf(flat);
      const entries: LogEntry[] = [];
      for (let at = 0; at + 1 < texts.length; at += 2) entries.push([texts[at] ?? '', Number(texts[at + 1])]);
      return { now: numberOf(now), count: numberOf(count), entries, isLast: entries.length < PAGE };
    },
  };
}

function listOf(reply: unknown): readonly unknown[] {
  if (Array.isArray(reply)) return reply;
  throw new Error('Redis gave no list');
}

function textsOf(reply: unknown): readonly string[] {
  return listOf(reply).map((item) => textOf(item) ?? '');
}

function numberOf(reply: unknown): number {
  return Number(textOf(reply) ?? reply);
}
