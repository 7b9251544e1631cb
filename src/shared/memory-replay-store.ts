import { OptionChecker } from './options.ts';
import type { ReplayStore } from './stores.ts';

export interface MemoryReplayStoreOptions {
  /** Live proofs of all keys together. @default 1_000_000 */
  readonly maxProofs?: number | undefined;
  /** Live proofs of one key, so that no client can fill the store for others. @default 250_000 */
  readonly maxProofsPerKey?: number | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: () => number;
}

/** The used `jti`s by key, of one span of time. */
interface Generation {
  readonly byKey: Map<string, Set<string>>;
  size: number;
  /** When the last of its entries is dead. */
  deadAt: number;
}

const newGeneration = (): Generation => ({ byKey: new Map(), size: 0, deadAt: 0 });

/**
 * Remembers used proofs in this process: for a service of one instance.
 *
 * Entries go a generation at a time, once all in it are dead; a live one never goes. With no room left it refuses.
 * Not checked: proofs that another instance has seen. RFC 9449 section 11.1.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createMemoryReplayStore, createVerifier } from 'service-auth';
 *
 * export const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   dpop: { replayStore: createMemoryReplayStore({ maxProofs: 100_000 }) },
 * });
 * ```
 */
export function createMemoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  const check = new OptionChecker('createMemoryReplayStore');
  const given = check.object('options', options, ['maxProofs', 'maxProofsPerKey', 'now']);
  const { maxProofs = 1_000_000, maxProofsPerKey = 250_000 } = given;
  check.number('maxProofs', maxProofs, 1, 10_000_000, 'proofs');
  check.number('maxProofsPerKey', maxProofsPerKey, 1, 10_000_000, 'proofs');
  const now = check.function('now', given.now) ?? (() => Date.now());
  let young = newGeneration();
  let old = newGeneration();

  /** What was young grows old as soon as all that was old before is dead. */
  function age(time: number): void {
    if (time < old.deadAt) return;
    if (young.size === 0) return;
    old = time < young.deadAt ? young : newGeneration();
    young = newGeneration();
  }

  return {
    record({ jkt, jti, expiresAt }) {
      age(now());
      const known = old.byKey.get(jkt);
      if (known?.has(jti)) return 'replayed';
      let used = young.byKey.get(jkt);
      if (used?.has(jti)) return 'replayed';
      if (young.size + old.size >= maxProofs) return 'full';
      if ((used?.size ?? 0) + (known?.size ?? 0) >= maxProofsPerKey) return 'full';
      if (used === undefined) {
        used = new Set();
        young.byKey.set(jkt, used);
      }
      used.add(jti);
      young.size++;
      young.deadAt = Math.max(young.deadAt, expiresAt);
      return 'recorded';
    },
  };
}
