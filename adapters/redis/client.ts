/** The part of a Redis client that is used here, and commands that keep no request waiting. */
import { within } from '../../src/shared/deadline.ts';
import type { OptionChecker } from '../../src/shared/options.ts';

/** `Redis` and `Cluster` of ioredis and of iovalkey. */
export interface CallingRedisClient {
  call(command: string, args: string[]): Promise<unknown>;
}

/** A client or a pool of node-redis. */
export interface SendingRedisClient {
  sendCommand(args: string[]): Promise<unknown>;
}

/** A cluster of node-redis, which is told the key that says where to send a command. */
export interface SendingRedisCluster {
  sendCommand(
    firstKey: string | undefined,
    isReadonly: boolean | undefined,
    args: string[],
  ): Promise<unknown>;
  readonly masters: readonly unknown[];
}

/** Sentinels of node-redis, which are told whether a command only reads. */
export interface SendingRedisSentinel {
  sendCommand(isReadonly: boolean | undefined, args: string[]): Promise<unknown>;
  getMasterNode(): unknown;
}

/**
 * A client of Redis or Valkey: of ioredis, iovalkey or node-redis, for one server, a cluster or sentinels.
 *
 * Another one fits with a method `call(command, args)` that resolves with the reply and rejects with the error reply.
 */
export type RedisClient =
  | CallingRedisClient
  | SendingRedisClient
  | SendingRedisCluster
  | SendingRedisSentinel;

/**
 * What became of a command: `timeout` (not answered in time; it may still be carried out), `full` (Redis has no memory
 * left), `busy` (too many wait already; it was not sent), `unavailable` (everything else).
 */
export type RedisFailureCode = 'timeout' | 'full' | 'busy' | 'unavailable';

/** A command that Redis did not carry out, or not in time. Its message holds neither keys nor values. */
export class RedisFailure extends Error {
  override readonly name = 'RedisFailure';
  readonly code: RedisFailureCode;

  constructor(code: RedisFailureCode, message: string) {
    super(message);
    this.code = code;
  }
}

export interface RedisCommands {
  /**
   * Sends a command, its name first. In a cluster `key` says where to; it is part of `args`, too, where the command
   * wants it.
   *
   * A reply that comes after the deadline is given to `onLate`; the caller has been refused by then.
   *
   * @throws (rejects with) {@link RedisFailure}, never anything else.
   */
  send(key: string | undefined, args: string[], onLate?: (reply: unknown) => void): Promise<unknown>;
}

export interface RedisCommandsOptions {
  readonly client: RedisClient;
  /** How long a reply may take, in milliseconds. */
  readonly timeoutMs: number;
}

/**
 * Beyond them a command is not even given to the client: what a client keeps for a server that is away must have an
 * end, and so must the wait of those who could have been told at once.
 */
const MOST_PENDING = 10_000;

/** Sends commands with a client that may queue them for ever, each under a deadline. */
export function createRedisCommands({ client, timeoutMs }: RedisCommandsOptions): RedisCommands {
  const carry = transportOf(client);
  let pending = 0;

  async function answer(key: string | undefined, args: string[]): Promise<unknown> {
    pending++;
    try {
      return await carry(key, args);
    } catch (error) {
      throw failureOf(error);
    } finally {
      pending--;
    }
  }

  return {
    async send(key, args, onLate) {
      if (pending >= MOST_PENDING) {
        throw new RedisFailure('busy', `${pending} commands wait for Redis already`);
      }
      let late = false;
      const work = answer(key, args).then((reply) => {
        if (late) onLate?.(reply);
        return reply;
      });
      return within(timeoutMs, work, () => {
        late = true;
        throw new RedisFailure('timeout', `Redis did not answer within ${timeoutMs} ms`);
      });
    },
  };
}

/** Requires a client; its options may hold a password, and are not shown. */
export function readRedisClient(check: OptionChecker, client: unknown, option = 'client'): RedisClient {
  // Every function has a method `call`, a class too.
  const isObject = typeof client === 'object' && client !== null;
  const { call, sendCommand }: { call?: unknown; sendCommand?: unknown } = isObject ? client : {};
  if (typeof call === 'function' || typeof sendCommand === 'function') return client as RedisClient;
  return check.failKind(option, 'a client of ioredis, iovalkey or node-redis', client);
}

type Transport = (key: string | undefined, args: string[]) => Promise<unknown>;

/** Those of ioredis have a `sendCommand` too, of another kind. Replicas are never asked: they may be behind. */
function transportOf(client: RedisClient): Transport {
  if ('call' in client) return (_key, [name = '', ...args]) => client.call(name, args);
  keepFromCrashing(client);
  if ('masters' in client) return (key, args) => client.sendCommand(key, false, args);
  if ('getMasterNode' in client) return (_key, args) => client.sendCommand(false, args);
  return (_key, args) => client.sendCommand(args);
}

/** Where nobody listens, node-redis ends the whole program when a connection breaks. */
function keepFromCrashing(client: object): void {
  const { on, listenerCount }: { on?: unknown; listenerCount?: unknown } = Object(client);
  if (typeof on !== 'function' || typeof listenerCount !== 'function') return;
  if (listenerCount.call(client, 'error') === 0) on.call(client, 'error', () => {});
}

/** Calls a listener, which has no say in the outcome: neither by what it throws nor by a promise that rejects. */
export function tell<T>(listener: ((told: T) => unknown) | undefined, told: T): void {
  try {
    Promise.resolve(listener?.(told)).catch(() => {});
  } catch {
    // As if it had listened.
  }
}

/** Messages of clients may quote the command; of an error reply the first word is its kind. */
function failureOf(error: unknown): RedisFailure {
  const said = error instanceof Error ? error.message : '';
  const [word = ''] = said.split(' ', 1);
  // Redis 6 says of a script what its command said.
  if (word === 'OOM' || (word === 'ERR' && said.includes('-OOM ')))
    return new RedisFailure('full', 'Redis has no memory left');
  const isKind = word.length > 2 && word.length <= 20 && /^[A-Z]+$/.test(word);
  return new RedisFailure('unavailable', `Redis failed (${isKind ? word : 'no answer'})`);
}
