import { LRUCache } from 'lru-cache';
import { OptionChecker } from './options.ts';
import type { TokenStore } from './stores.ts';

export interface MemoryTokenStoreOptions {
  /** Beyond them the entry used longest ago is forgotten; leases are counted apart. @default 10_000 */
  readonly maxEntries?: number | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: () => number;
}

interface Entry {
  readonly text: string;
  readonly expiresAt: number;
}

interface Lease {
  readonly begunAt: number;
  readonly endsAt: number;
}

/**
 * Shares access tokens between the clients of one process: for tests, and as a model for stores of one's own.
 *
 * Not shared: anything with another process.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createMemoryTokenStore, type TokenStore } from 'service-auth';
 *
 * export const store: TokenStore = createMemoryTokenStore({ maxEntries: 1000 });
 * ```
 */
export function createMemoryTokenStore(options: MemoryTokenStoreOptions = {}): TokenStore {
  const check = new OptionChecker('createMemoryTokenStore');
  const given = check.object('options', options, ['maxEntries', 'now']);
  const max = check.wholeNumber('maxEntries', given.maxEntries ?? 10_000, 1, 1_000_000, 'entries');
  const now = check.function('now', given.now) ?? (() => Date.now());
  const entries = new LRUCache<string, Entry>({ max });
  const leases = new LRUCache<string, Lease>({ max });

  return {
    get(key) {
      const entry = entries.get(key);
      if (entry === undefined || now() < entry.expiresAt) return entry?.text;
      entries.delete(key);
      return undefined;
    },
    set(key, text, expiresAt) {
      entries.set(key, { text, expiresAt });
    },
    delete(key) {
      entries.delete(key);
    },
    lease(key, lastsMs) {
      const begunAt = now();
      const held = leases.peek(key);
      // A clock that was set back since must not make a lease last longer.
      if (held !== undefined && begunAt >= held.begunAt && begunAt < held.endsAt) return undefined;
      const lease: Lease = { begunAt, endsAt: begunAt + lastsMs };
      leases.set(key, lease);
      return () => {
        if (leases.peek(key) === lease) leases.delete(key);
      };
    },
  };
}
