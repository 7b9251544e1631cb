import type { ReplayStore, TextStore, TokenStore } from '../../src/index.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import {
  createRedisCommands,
  type RedisClient,
  type RedisCommands,
  RedisFailure,
  type RedisFailureCode,
  readRedisClient,
  tell,
} from './client.ts';
import { createCounts } from './counts.ts';
import { keyNames, readNamespace } from './keys.ts';
import { createProofQuota } from './proof-quota.ts';
import { createRedisReplayStore, type RedisReplayOptions, withLocalFallback } from './replay.ts';
import { sealTexts } from './sealed-texts.ts';
import { readSecret } from './secret.ts';
import { createRedisTextStore, createRedisTokenStore } from './texts.ts';

export interface RedisStoresOptions {
  /** A client of ioredis, iovalkey or node-redis: for one server, a cluster or sentinels. */
  readonly client: RedisClient;
  /** What all keys begin with. Instances that share it share everything. @default 'service-auth' */
  readonly namespace?: string | undefined;
  /** How long Redis may take to answer a command, in milliseconds. @default 200 */
  readonly timeoutMs?: number | undefined;
  readonly replay?: RedisReplayOptions | undefined;
  /**
   * At least 32 bytes (of UTF-8, if a string) that all instances share. With it answers of introspection are encrypted,
   * and none is believed that was not written with it: what others write into Redis makes no token good.
   * @default none: they stand there in the clear
   */
  readonly secret?: string | Uint8Array | undefined;
  /** Told of each command that failed, for logs and metrics; what it throws is ignored. */
  readonly onFailure?: ((failure: RedisStoreFailure) => void) | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: (() => number) | undefined;
}

/** A command that failed: in which store, and how. Holds no keys and no values. */
export interface RedisStoreFailure {
  readonly store: keyof RedisStores;
  readonly code: RedisFailureCode;
  readonly message: string;
}

/** What instances share. The client stays yours to close. */
export interface RedisStores {
  /** For `dpop.replayStore` of a verifier: each proof once among all instances. */
  readonly replay: ReplayStore;
  /** For `introspection.store` of a verifier: one call at the issuer serves all instances. */
  readonly introspection: TextStore;
  /** For `store` of a token client: a fleet asks for a token once. What lies in it is encrypted by the client. */
  readonly tokens: TokenStore;
}

/**
 * Makes the stores of a service of many instances on Redis or Valkey.
 *
 * No command is waited for longer than `timeoutMs`, whatever the client itself would do; what the client does to
 * connect again is left to it. While Redis is away, caches are passed over and proofs are refused with 503, or
 * remembered by each instance alone. Not checked: that Redis keeps what it was told; set `maxmemory-policy noeviction`
 * where proofs are recorded, and see docs/redis.md. RFC 9449 section 11.1.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { createVerifier } from 'service-auth';
 * import { createRedisStores } from 'service-auth/redis';
 *
 * const stores = createRedisStores({ client: new Redis('redis://redis.internal') });
 *
 * export const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   dpop: { replayStore: stores.replay },
 * });
 * ```
 */
export function createRedisStores(options: RedisStoresOptions): RedisStores {
  const { client, namespace, timeoutMs, whenUnavailable, secret, now, onFailure, ...rules } =
    readOptions(options);
  const sent = createRedisCommands({ client, timeoutMs });
  const commandsOf = (store: keyof RedisStores): RedisCommands => reporting(sent, store, onFailure);
  const quota = createProofQuota({
    takeCounted: createCounts({ commands: commandsOf('replay'), nameOf: keyNames(namespace, 'quota'), now }),
    perMinute: rules.proofsPerKeyAndMinute,
    now,
  });
  const shared = createRedisReplayStore({
    commands: commandsOf('replay'),
    nameOf: keyNames(namespace, 'replay'),
    clockDifferenceMs: rules.clockDifferenceMs,
    quota,
    now,
  });
  const answers = createRedisTextStore({
    commands: commandsOf('introspection'),
    nameOf: keyNames(namespace, 'cache'),
    now,
  });
  return Object.freeze({
    replay: whenUnavailable === 'local' ? withLocalFallback(shared, now) : shared,
    introspection: secret === undefined ? answers : sealTexts(answers, secret),
    tokens: createRedisTokenStore({
      commands: commandsOf('tokens'),
      nameOf: keyNames(namespace, 'shared'),
      nameOfLease: keyNames(namespace, 'lease'),
      now,
    }),
  });
}

/** Tells of each failure before it goes its way. */
function reporting(
  { send }: RedisCommands,
  store: keyof RedisStores,
  onFailure: ((failure: RedisStoreFailure) => void) | undefined,
): RedisCommands {
  if (onFailure === undefined) return { send };
  return {
    send: (key, args, onLate) =>
      send(key, args, onLate).catch((error: unknown) => {
        if (error instanceof RedisFailure)
          tell(onFailure, { store, code: error.code, message: error.message });
        throw error;
      }),
  };
}

const known = ['client', 'namespace', 'timeoutMs', 'replay', 'secret', 'onFailure', 'now'];
const knownOfReplay = ['whenUnavailable', 'clockDifferenceSeconds', 'proofsPerKeyAndMinute'];

function readOptions(options: RedisStoresOptions) {
  const check = new OptionChecker('createRedisStores');
  const given = check.object('options', options, known);
  const replay = check.object('replay', given.replay ?? {}, knownOfReplay);
  const { whenUnavailable = 'refuse', clockDifferenceSeconds = 10, proofsPerKeyAndMinute = 250_000 } = replay;
  const seconds = check.number('replay.clockDifferenceSeconds', clockDifferenceSeconds, 0, 3600, 'seconds');
  return {
    client: readRedisClient(check, given.client),
    namespace: readNamespace(check, given.namespace),
    timeoutMs: check.number('timeoutMs', given.timeoutMs ?? 200, 1, 60_000, 'milliseconds'),
    whenUnavailable: check.oneOf('replay.whenUnavailable', whenUnavailable, ['refuse', 'local']),
    clockDifferenceMs: Math.ceil(seconds * 1000),
    proofsPerKeyAndMinute: check.number(
      'replay.proofsPerKeyAndMinute',
      proofsPerKeyAndMinute,
      1,
      100_000_000,
      'proofs',
    ),
    secret: readSecret(check, given.secret),
    onFailure: check.function('onFailure', given.onFailure),
    now: check.function('now', given.now) ?? (() => Date.now()),
  };
}
