/** The tokens that a service's instances share: the real code over a store in memory that counts what Redis would do. */
import { createMemoryTokenStore } from '../../src/index.ts';
import type { AccessTokenFields } from '../../src/outbound/access-token.ts';
import { type HeldToken, holdToken } from '../../src/outbound/held-token.ts';
import { createSharedTokens } from '../../src/outbound/shared-tokens.ts';
import type { TokenStore } from '../../src/shared/stores.ts';
import type { Plan } from './plan.ts';
import type { Random } from './random.ts';
import { createTally, type Tally } from './tally.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface SharedStore {
  obtain(
    key: string,
    old: HeldToken | undefined,
    request: () => Promise<AccessTokenFields>,
  ): Promise<HeldToken>;
  /** Commands to Redis. */
  readonly commands: Tally;
}

/** As token clients judge what another instance got. */
const LEAST_LIFETIME_MS = 2000;

export function createSharedStore(time: VirtualTime, random: Random, plan: Plan): SharedStore {
  const commands = createTally();
  const shared = createSharedTokens({
    store: counting(time, commands),
    storeKey: 'a key of thirty-two bytes or more',
    now: time.now,
    random,
    timeoutMs: plan.timeoutMs,
    sleep: (ms) => outside(() => new Promise((resolve) => time.at(time.now() + ms, () => resolve()))),
  });

  /** While something else than the processor is waited for, time may go on. */
  async function outside<T>(wait: () => Promise<T>): Promise<T> {
    time.end();
    try {
      return await wait();
    } finally {
      time.begin();
    }
  }

  return {
    commands,
    async obtain(key, old, request) {
      const isGood = (token: AccessTokenFields): boolean =>
        token.accessToken !== old?.token.accessToken &&
        token.expiresAt >= Math.max(old?.token.expiresAt ?? 0, time.now() + LEAST_LIFETIME_MS);
      time.begin();
      try {
        return holdToken(await shared.obtain(key, isGood, () => outside(request)), undefined);
      } finally {
        time.end();
      }
    },
  };
}

/** As `createRedisStores` does it: a lease that is refused is looked at, and ended by a script. */
function counting(time: VirtualTime, commands: Tally): TokenStore {
  const store = createMemoryTokenStore({ maxEntries: 1_000_000, now: time.now });
  const count = (): void => commands.add(time.now());
  return {
    get(key) {
      count();
      return store.get(key);
    },
    set(key, text, expiresAt) {
      count();
      return store.set(key, text, expiresAt);
    },
    delete(key) {
      count();
      return store.delete(key);
    },
    lease(key, lastsMs) {
      count();
      const end = store.lease(key, lastsMs);
      if (end instanceof Promise) throw new TypeError('the store in memory answers at once');
      if (end === undefined) {
        count();
        return undefined;
      }
      return () => {
        count();
        return end();
      };
    },
  };
}
