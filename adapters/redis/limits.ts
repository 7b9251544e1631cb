import type { LimitStore } from '../../src/index.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { createRedisCommands, type RedisClient, readRedisClient } from './client.ts';
import { createCounts } from './counts.ts';
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
  const takeCounted = createCounts({ commands, nameOf, now });

  return Object.freeze({
    takeFromLimit: (request) => takeCounted(request),
  } satisfies LimitStore);
}
