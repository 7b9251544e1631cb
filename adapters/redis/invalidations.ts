import type { EventListener, Invalidation, Verifier } from '../../src/index.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { createRedisCommands, type RedisClient, readRedisClient, tell } from './client.ts';
import type { RedisInvalidationEvent } from './invalidation-events.ts';
import { createInvalidationLog } from './invalidation-log.ts';
import { createInvalidationTexts } from './invalidation-text.ts';
import { keyNames, readNamespace } from './keys.ts';
import { createKnownInvalidations } from './known-invalidations.ts';
import { createOutbox } from './outbox.ts';
import { readSecret } from './secret.ts';
import { createSubscription, type RedisSubscriber } from './subscription.ts';

/** Who is told, over which connections, and for how long. */
export interface RedisInvalidationsOptions {
  readonly client: RedisClient;
  /** A second connection, for nothing else. */
  readonly subscriber: RedisSubscriber;
  /** Those of this process that are to learn; none where it only tells, as an issuer does. @default none */
  readonly verifiers?: readonly Pick<Verifier, 'invalidate'>[] | undefined;
  /** What the key and the channel begin with: verifiers of one namespace learn of each other. @default 'service-auth' */
  readonly namespace?: string | undefined;
  /**
   * At least 32 bytes (of UTF-8, if a string) that all instances share. With it nobody else who can write to this Redis
   * can have tokens refused.
   * @default none: whoever can write there may
   */
  readonly secret?: string | Uint8Array | undefined;
  /** How long an invalidation is kept, in seconds: no less than the longest life of a token. @default 86400 */
  readonly keepSeconds?: number | undefined;
  /** How many are kept at most; the same for all instances, as `keepSeconds`. @default 50000 */
  readonly maxEntries?: number | undefined;
  /** How often what pub/sub may have lost is looked for, in seconds. @default 5 */
  readonly syncSeconds?: number | undefined;
  /** How long Redis may take to answer a command, in milliseconds. @default 500 */
  readonly timeoutMs?: number | undefined;
  /** Told of what happens, for logs and metrics; what it throws is ignored. */
  readonly onEvent?: ((event: RedisInvalidationEvent) => void) | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: (() => number) | undefined;
}

export interface RedisInvalidationsHealth {
  /** Whether all was known when Redis was last asked. */
  readonly isSynced: boolean;
  /** When that was, in epoch milliseconds. */
  readonly syncedAt: number | undefined;
  /** How many invalidations are alive. */
  readonly alive: number;
  /** How many of this instance are not kept by Redis yet. */
  readonly pending: number;
}

/** What instances tell each other to refuse. Made by {@link createRedisInvalidations}. */
export interface RedisInvalidations {
  /**
   * Has a token refused everywhere; see `invalidate` of a verifier. Refused here at once, whatever becomes of Redis.
   *
   * @returns `'shared'` once Redis has told the others and keeps it; `'pending'` where it could not (or not in time):
   * then it is said again until it could.
   * @throws (rejects with) TypeError for wrong input; ServiceAuthError `deny_list_full` where that of a verifier is,
   * having told the others, or where `maxEntries` wait for Redis already, having told nobody else.
   */
  invalidate(what: Invalidation): Promise<'shared' | 'pending'>;
  /** For `onEvent` of an issuer: tokens and services that it revokes are refused by all verifiers. */
  readonly onIssuerEvent: EventListener;
  /** Resolves once this instance hears the others and knows all that is alive. Rejects where Redis cannot be asked now. */
  ready(): Promise<void>;
  health(): RedisInvalidationsHealth;
  /** Stops to listen and to tell. The connections stay yours to close. */
  close(): Promise<void>;
}

const known = [
  'client',
  'subscriber',
  'verifiers',
  'namespace',
  'secret',
  'keepSeconds',
  'maxEntries',
  'syncSeconds',
  'timeoutMs',
  'onEvent',
  'now',
];

/**
 * Lets every verifier learn what one is told to refuse: at once by pub/sub, and from a short list in Redis whatever
 * pub/sub lost, at the start, after each new connection and every `syncSeconds`.
 *
 * In Redis are digests of tokens, `jti`s and client ids, never a token. While Redis is away verifiers refuse what they
 * know, and learn nothing new. Clocks of issuers and of Redis should agree within the `clockToleranceSeconds` of
 * verifiers: a client's tokens are refused up to the time by Redis' clock.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { Redis } from 'ioredis';
 * import { createVerifier } from 'service-auth';
 * import { createRedisInvalidations } from 'service-auth/redis';
 *
 * const verifier = createVerifier();
 * const invalidations = createRedisInvalidations({
 *   client: new Redis(),
 *   subscriber: new Redis(),
 *   verifiers: [verifier],
 * });
 * await invalidations.ready();
 *
 * export const revoke = (jti: string) => invalidations.invalidate({ jti });
 * ```
 */
export function createRedisInvalidations(options: RedisInvalidationsOptions): RedisInvalidations {
  const { client, subscriber, verifiers, channel, key, secret, now, emit, ...rules } = resolve(options);
  const commands = createRedisCommands({ client, timeoutMs: rules.timeoutMs });
  const texts = createInvalidationTexts(channel, secret);
  const log = createInvalidationLog({ commands, key, channel, ...rules });
  const living = createKnownInvalidations({ texts, verifiers, now, emit, ...rules });
  const outbox = createOutbox({ log, living, emit, ...rules });
  const subscription = createSubscription({
    subscriber,
    channel,
    timeoutMs: rules.timeoutMs,
    onMessage: living.hear,
    onReady: () => void synchronize(true).catch(ignore),
  });

  let isClosed = false;
  let isSynced = false;
  let hasFailed = false;
  let syncedAt: number | undefined;
  /** Something may have been missed anywhere in the list. */
  let needsAll = true;
  let running: Promise<void> | undefined;

  function synchronize(all: boolean): Promise<void> {
    needsAll ||= all;
    running ??= run().finally(() => {
      running = undefined;
    });
    return running;
  }

  async function run(): Promise<void> {
    if (isClosed) return;
    const before = living.learned;
    try {
      for (let round = 0; needsAll ? round < MOST_ROUNDS : round === 0; round++) {
        const all = needsAll;
        needsAll = false;
        await subscription.ensure();
        await outbox.send();
        if (!(await living.catchUp(log, all))) needsAll = true;
      }
    } catch (error) {
      fail(error);
      throw error;
    }
    if (!isSynced) {
      emit({ type: 'invalidations.synced', alive: living.size, learned: living.learned - before });
    }
    isSynced = true;
    hasFailed = false;
    syncedAt = now();
  }

  function fail(error: unknown): void {
    needsAll = true;
    isSynced = false;
    if (hasFailed || isClosed) return;
    hasFailed = true;
    emit({
      type: 'invalidations.sync_failed',
      message: error instanceof Error ? error.message : 'unexpected failure',
    });
  }

  const timer = setInterval(() => void synchronize(false).catch(ignore), rules.syncSeconds * 1000);
  timer.unref?.();
  synchronize(true).catch(ignore);

  async function invalidate(what: Invalidation): Promise<'shared' | 'pending'> {
    const text = texts.encode(what);
    const isDated = typeof what !== 'string' && what.issuedUntil !== undefined;
    const ageMs = isDated ? now() - what.issuedUntil : 0;
    const [problem] = living.apply(what);
    const state = await outbox.add(text, ageMs);
    if (problem !== undefined) throw problem;
    return state;
  }

  return Object.freeze({
    invalidate,
    onIssuerEvent(event) {
      const { type } = event;
      if (type === 'issuer.token_revoked') return invalidate({ jti: event.tokenId });
      if (type !== 'issuer.service_revoked') return undefined;
      return invalidate({ clientId: event.clientId, issuedUntil: event.at });
    },
    async ready() {
      // One that began before Redis was there may be about to fail.
      await running?.catch(ignore);
      if (!isSynced) await synchronize(true);
    },
    health: () => ({ isSynced, syncedAt, alive: living.size, pending: outbox.size }),
    async close() {
      isClosed = true;
      clearInterval(timer);
      await subscription.close();
    },
  } satisfies RedisInvalidations);
}

/** A list that changes while it is read is read again, but not for ever: the next turn comes soon. */
const MOST_ROUNDS = 3;

function resolve(options: RedisInvalidationsOptions) {
  const check = new OptionChecker('createRedisInvalidations');
  const given = check.object('options', options, known);
  const namespace = readNamespace(check, given.namespace);
  const { subscriber, verifiers = [] } = given;
  const client = readRedisClient(check, given.client);
  readRedisClient(check, subscriber, 'subscriber');
  if (Object.is(client, subscriber)) check.fail('subscriber', 'a connection of its own', subscriber);
  if (typeof subscriber.subscribe !== 'function' || typeof subscriber.on !== 'function') {
    check.fail('subscriber', 'a client that can subscribe', subscriber);
  }
  if (!Array.isArray(verifiers) || !verifiers.every((one) => typeof one?.invalidate === 'function')) {
    check.fail('verifiers', 'a list of verifiers', verifiers);
  }
  const listener = check.function('onEvent', given.onEvent);
  return {
    client,
    subscriber,
    verifiers: [...verifiers],
    key: keyNames(namespace, 'invalidations')('all'),
    channel: keyNames(namespace, 'invalidations')('told'),
    secret: readSecret(check, given.secret),
    keepSeconds: check.wholeNumber('keepSeconds', given.keepSeconds ?? 86_400, 1, 366 * 86_400, 'seconds'),
    maxEntries: check.wholeNumber('maxEntries', given.maxEntries ?? 50_000, 1, 90_000, 'entries'),
    syncSeconds: check.number('syncSeconds', given.syncSeconds ?? 5, 0.05, 3600, 'seconds'),
    timeoutMs: check.number('timeoutMs', given.timeoutMs ?? 500, 1, 60_000, 'milliseconds'),
    now: check.function('now', given.now) ?? Date.now,
    emit: (event: RedisInvalidationEvent): void => tell(listener, event),
  };
}

function ignore(): void {}
