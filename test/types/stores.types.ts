/** Compiled, never run: stores as a program writes its own, and those in memory. */
import {
  type CircuitState,
  createMemoryReplayStore,
  createMemoryTokenStore,
  createTokenClient,
  createVerifier,
  type DocumentState,
  type LimitRequest,
  type LimitStore,
  type MemoryReplayStoreOptions,
  type MemoryTokenStoreOptions,
  type ReplayStore,
  type TextStore,
  type TokenStore,
} from 'service-auth';
import type { Equal } from './equal.ts';

/** Each member with the parameters that it is called with, and what it may give. */
export class Texts implements TextStore {
  readonly #texts = new Map<string, readonly [string, number]>();
  get(key: string): string | undefined {
    return this.#texts.get(key)?.[0];
  }
  async set(key: string, text: string, expiresAt: number): Promise<void> {
    this.#texts.set(key, [text, expiresAt]);
  }
  delete(key: string): void {
    this.#texts.delete(key);
  }
}

export class Tokens extends Texts implements TokenStore {
  lease(key: string, lastsMs: number): (() => void) | undefined {
    return lastsMs > 0 ? () => this.delete(key) : undefined;
  }
}

export class Proofs implements ReplayStore {
  record({ jkt, jti, expiresAt }: { jkt: string; jti: string; expiresAt: number }): 'recorded' | 'full' {
    return `${jkt} ${jti}`.length > expiresAt ? 'full' : 'recorded';
  }
}

export class Limits implements LimitStore {
  async takeFromLimit({ key, amount, limit, windowEndsAtMs }: LimitRequest): Promise<number> {
    return key === '' ? windowEndsAtMs : Math.min(amount, limit);
  }
}
export const request: LimitRequest = { key: 'client', amount: 1, limit: 10, windowEndsAtMs: 0 };
// @ts-expect-error: how much is asked for must be said
export const nothing: LimitRequest = { key: 'client', limit: 10, windowEndsAtMs: 0 };

type Outcome = Awaited<ReturnType<ReplayStore['record']>>;
export const outcomes: Equal<Outcome, 'recorded' | 'replayed' | 'full'> = true;
// @ts-expect-error: true does not say whether it is new
export const truth: ReplayStore = { record: () => true };
// @ts-expect-error: what it gives may be nothing, but not null
export const nullish: TextStore = { get: () => null, set: () => {}, delete: () => {} };
// @ts-expect-error: texts are deleted, too
export const keeping: TextStore = { get: () => undefined, set: () => {} };
// @ts-expect-error: tokens are renewed by one at a time
export const leaseless: TokenStore = new Texts();
// @ts-expect-error: a limit is taken from elsewhere, which takes time
export const limits: LimitStore = { takeFromLimit: ({ amount }) => amount };

// Where they go
createVerifier({ dpop: { replayStore: new Proofs() } });
createVerifier({ issuer: { issuer: 'https://idp.example', introspection: { store: new Texts() } } });
createTokenClient({ store: new Tokens(), storeKey: new Uint8Array(32) });
// @ts-expect-error: a store of texts gives no lease
createTokenClient({ store: new Texts(), storeKey: new Uint8Array(32) });
// @ts-expect-error: proofs are not texts
createVerifier({ dpop: { replayStore: new Texts() } });

// In memory: a literal needs every option, and may have no other.
const ofProofs: Required<MemoryReplayStoreOptions> = {
  maxProofs: 100_000,
  maxProofsPerKey: 1000,
  now: Date.now,
  monotonicNow: () => performance.now(),
};
const ofTokens: Required<MemoryTokenStoreOptions> = { maxEntries: 100, now: Date.now };
export const proofs: ReplayStore = createMemoryReplayStore(ofProofs);
export const tokens: TokenStore = createMemoryTokenStore(ofTokens);
// @ts-expect-error: an unknown option
createMemoryReplayStore({ maxEntries: 1 });
// @ts-expect-error: an unknown option
createMemoryTokenStore({ maxTokens: 1 });
// @ts-expect-error: a clock that may be missing
createMemoryTokenStore({ now: undefined });

export async function use(): Promise<void> {
  const text = await tokens.get('key');
  // @ts-expect-error: there may be none
  text.length;
  const release = await tokens.lease('key', 1000);
  // @ts-expect-error: another one may have it
  await release();
  await release?.();
}

// What is told of remote documents and of circuit breakers
export function describeKeys(state: DocumentState): string {
  const { loaded, stale, failures, ageMs = 0, retryAt = 0, lastError = '' } = state;
  // @ts-expect-error: what was never loaded has no age
  state.ageMs.toFixed();
  const numbers: readonly number[] = [failures, ageMs, retryAt];
  return `${loaded && !stale} ${numbers} ${lastError.trim()}`;
}
export const unloaded: DocumentState = {
  loaded: false,
  stale: false,
  failures: 1,
  ageMs: undefined,
  retryAt: 1000,
  lastError: 'timeout',
};

/** Every state of a circuit. */
export function describeCircuit({ state, failures, retryAt }: CircuitState): number {
  switch (state) {
    case 'closed':
      return failures;
    case 'half-open':
      return 0;
    case 'open':
      // @ts-expect-error: when it is tried again is told by no type
      return retryAt.valueOf();
    default:
      return state satisfies never;
  }
}
export const circuit: CircuitState = { state: 'open', failures: 5, retryAt: undefined };
