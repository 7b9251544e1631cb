/** Compiled, never run: stores on Redis with every client that fits, and with those that do not. */
import { Redis, Cluster as RedisCluster } from 'ioredis';
import { Redis as Valkey, Cluster as ValkeyCluster } from 'iovalkey';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import {
  createTokenClient,
  createVerifier,
  type EventListener,
  type LimitStore,
  type ReplayStore,
  type TextStore,
  type TokenStore,
} from 'service-auth';
import { createIssuer } from 'service-auth/issuer';
import {
  type CallingRedisClient,
  type CallingRedisSubscriber,
  createRedisInvalidations,
  createRedisLimits,
  createRedisStores,
  type RedisClient,
  RedisFailure,
  type RedisFailureCode,
  type RedisInvalidationEvent,
  type RedisInvalidations,
  type RedisInvalidationsHealth,
  type RedisInvalidationsOptions,
  type RedisLimitsOptions,
  type RedisReplayOptions,
  type RedisStoreFailure,
  type RedisStores,
  type RedisStoresOptions,
  type RedisSubscriber,
  type SendingRedisClient,
  type SendingRedisCluster,
  type SendingRedisSentinel,
  type SendingRedisSubscriber,
} from 'service-auth/redis';
import type { Equal } from './equal.ts';

// Clients: as a user passes them, and each by the part of it that is used
const client = new Redis();
const nodes = [{ host: '127.0.0.1', port: 7000 }];
const calling = [client, new RedisCluster(nodes), new Valkey(), new ValkeyCluster(nodes)] as const;
const single = createClient();
const cluster = createCluster({ rootNodes: [] });
const sentinel = createSentinel({ name: 'main', sentinelRootNodes: nodes });
export const callingClients: readonly CallingRedisClient[] = calling;
export const callingSubscribers: readonly CallingRedisSubscriber[] = calling;
export const sendingClients: readonly SendingRedisClient[] = [single, createClientPool()];
export const sendingCluster: SendingRedisCluster = cluster;
export const sendingSentinel: SendingRedisSentinel = sentinel;
export const sendingSubscribers: readonly SendingRedisSubscriber[] = [single, cluster];
const clients: readonly RedisClient[] = [...calling, single, createClientPool(), cluster, sentinel];
const subscribers: readonly RedisSubscriber[] = [...calling, single, cluster];
for (const each of clients) createRedisStores({ client: each });
for (const subscriber of subscribers) createRedisInvalidations({ client, subscriber });
createRedisStores({ client: createClient({ RESP: 2 }) });
createRedisStores({ client: { call: async (command, args) => [command, ...args] } });
// @ts-expect-error: where it is, not what asks it
createRedisStores({ client: 'redis://127.0.0.1' });
// @ts-expect-error: what makes clients is none
createRedisStores({ client: Redis });
// @ts-expect-error: a client is needed
createRedisStores({ namespace: 'orders' });
// @ts-expect-error: a pipeline gives its replies later
createRedisStores({ client: client.pipeline() });
// @ts-expect-error: connections of a pool are anybody's, and cannot subscribe
createRedisInvalidations({ client, subscriber: createClientPool() });

// Stores: a literal needs every option, and may have no other.
const replay: Required<RedisReplayOptions> = {
  whenUnavailable: 'local',
  clockDifferenceSeconds: 1,
  proofsPerKeyAndMinute: 60,
};
const storesOptions: Required<RedisStoresOptions> = {
  client,
  namespace: 'orders',
  secret: 'a secret of many characters',
  replay,
  timeoutMs: 250,
  now: Date.now,
  onFailure: ({ store, code, message }: RedisStoreFailure) => void [store, code, message],
};
const stores: RedisStores = createRedisStores(storesOptions);
const { replay: replayStore, introspection, tokens } = stores;
export const eachStore: readonly [ReplayStore, TextStore, TokenStore] = [replayStore, introspection, tokens];
createVerifier({ dpop: { replayStore } });
createVerifier({ issuer: { issuer: 'https://idp.example', introspection: { store: introspection } } });
createTokenClient({ store: tokens, storeKey: 'key' });
// @ts-expect-error: refused, or judged alone
createRedisStores({ client, replay: { whenUnavailable: 'allow' } });
// @ts-expect-error: what is told of a failure has no reply in it
createRedisStores({ client, onFailure: ({ reply }) => reply });
// @ts-expect-error: stores are made once
stores.tokens = tokens;
export const storeNames: Equal<RedisStoreFailure['store'], 'replay' | 'introspection' | 'tokens'> = true;

/** Every code of a failure. */
export function isWorthWaiting(code: RedisFailureCode): boolean {
  switch (code) {
    case 'timeout':
    case 'busy':
    case 'unavailable':
      return true;
    case 'full':
      return false;
    default:
      return code satisfies never;
  }
}
export const codeOf = (error: unknown): RedisFailureCode | undefined =>
  error instanceof RedisFailure ? error.code : undefined;
// @ts-expect-error: no code of ours
new RedisFailure('ECONNREFUSED', 'Redis is away');
// @ts-expect-error: a cause could quote keys and values
new RedisFailure('full', 'no memory left', { cause: new Error('OOM') });

// Limits
const limitsOptions: Required<RedisLimitsOptions> = {
  client,
  namespace: 'idp',
  timeoutMs: 50,
  now: Date.now,
};
const store: LimitStore = createRedisLimits(limitsOptions);
createIssuer({ issuer: 'https://idp.example', limits: { store } });
// @ts-expect-error: how many requests is the issuer's to say
createRedisLimits({ client, requests: 10 });

// Invalidations
const invalidationsOptions: Required<RedisInvalidationsOptions> = {
  client,
  subscriber: client.duplicate(),
  verifiers: [createVerifier(), { invalidate: () => {} }],
  secret: new Uint8Array(32),
  namespace: 'orders',
  keepSeconds: 900,
  maxEntries: 1000,
  syncSeconds: 60,
  timeoutMs: 250,
  now: Date.now,
  onEvent: (event) => void describe(event),
};
const invalidations: RedisInvalidations = createRedisInvalidations(invalidationsOptions);
createIssuer({ issuer: 'https://idp.example', onEvent: invalidations.onIssuerEvent });
export const listener: EventListener = invalidations.onIssuerEvent;
export async function deny(): Promise<boolean> {
  await invalidations.ready();
  const outcome = await invalidations.invalidate({ jti: 'id' });
  // @ts-expect-error: an outcome that there is not
  if (outcome === 'lost') return false;
  return outcome === 'shared' || outcome === 'pending';
}
// @ts-expect-error: until when only goes with a client
invalidations.invalidate({ jti: 'id', issuedUntil: 0 });
// @ts-expect-error: a connection that has subscribed takes no commands, so there are two
createRedisInvalidations({ client });
// @ts-expect-error: verifiers are a list
createRedisInvalidations({ ...invalidationsOptions, verifiers: createVerifier() });

/** Every event, with each of its members. */
export function describe(event: RedisInvalidationEvent): string {
  // @ts-expect-error: which members there are depends on the type
  event.entries;
  switch (event.type) {
    case 'invalidations.synced':
      return `${event.alive.toFixed()} ${event.learned.toFixed()}`;
    case 'invalidations.given_back':
      return event.entries.toFixed();
    case 'invalidations.pending':
      return `${event.entries.toFixed()} ${event.message.trim()}`;
    case 'invalidations.sync_failed':
    case 'invalidations.not_applied':
      return event.message.trim();
    case 'invalidations.ignored':
      // @ts-expect-error: whoever sent it decides nothing here
      return event.message;
    default:
      return event satisfies never;
  }
}
export const health: RedisInvalidationsHealth = {
  isSynced: false,
  syncedAt: undefined,
  alive: 0,
  pending: 0,
};
export function ageMs({ isSynced, syncedAt, alive, pending }: RedisInvalidationsHealth): number {
  // @ts-expect-error: it may never have been
  syncedAt.toFixed();
  return isSynced && alive >= pending ? Date.now() - (syncedAt ?? 0) : 0;
}
