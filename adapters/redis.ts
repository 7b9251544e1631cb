export {
  type CallingRedisClient,
  type RedisClient,
  RedisFailure,
  type RedisFailureCode,
  type SendingRedisClient,
  type SendingRedisCluster,
  type SendingRedisSentinel,
} from './redis/client.ts';
export type { RedisInvalidationEvent } from './redis/invalidation-events.ts';
export {
  createRedisInvalidations,
  type RedisInvalidations,
  type RedisInvalidationsHealth,
  type RedisInvalidationsOptions,
} from './redis/invalidations.ts';
export { createRedisLimits, type RedisLimitsOptions } from './redis/limits.ts';
export type { RedisReplayOptions } from './redis/replay.ts';
export {
  createRedisStores,
  type RedisStoreFailure,
  type RedisStores,
  type RedisStoresOptions,
} from './redis/stores.ts';
export type {
  CallingRedisSubscriber,
  RedisSubscriber,
  SendingRedisSubscriber,
} from './redis/subscription.ts';
