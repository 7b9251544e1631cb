/** What may be shared between instances: small interfaces, so that any database can serve. */
import type { MaybePromise } from './maybe-async.ts';

/**
 * Remembers the proofs that were used (RFC 9449 section 11.1).
 *
 * A store must never forget a live entry: one that has no room left refuses. What it throws leaves the request
 * undecided (503).
 */
export interface ReplayStore {
  /**
   * Records a proof once, atomically. `jkt` is the thumbprint of its key, of which quotas may be kept.
   *
   * @returns `'recorded'` the first time, `'replayed'` every other time until `expiresAt` (epoch milliseconds),
   * `'full'` where nothing more can be recorded.
   */
  record(proof: {
    readonly jkt: string;
    readonly jti: string;
    readonly expiresAt: number;
  }): MaybePromise<'recorded' | 'replayed' | 'full'>;
}

/** Keeps text until it expires. Losing entries is harmless; what it throws counts as a miss. */
export interface TextStore {
  get(key: string): MaybePromise<string | undefined>;
  /** `expiresAt` in epoch milliseconds. */
  set(key: string, text: string, expiresAt: number): MaybePromise<void>;
  delete(key: string): MaybePromise<void>;
}

/**
 * Access tokens that instances share, under names and in a cipher that tell the store nothing of them.
 *
 * What it throws, and what takes it longer than 200 ms, counts as a miss; a call never fails for it.
 */
export interface TokenStore extends TextStore {
  /**
   * Lets one instance at a time ask for a token, atomically.
   *
   * @returns the function that ends the lease, and none but this one; `undefined` where another instance holds it.
   * It ends by itself after `lastsMs`.
   */
  lease(key: string, lastsMs: number): MaybePromise<(() => MaybePromise<void>) | undefined>;
}

export interface LimitRequest {
  /** Whom and what is counted; any text. */
  readonly key: string;
  readonly windowEndsAtMs: number;
  /** How many the window allows in all. */
  readonly limit: number;
  /** How many are asked for at once. */
  readonly amount: number;
}

/** Counts what instances let through together. While it throws, or takes longer than a second, each counts alone. */
export interface LimitStore {
  /** Takes from a limit that all instances share, and gives how many were left to take: 0 up to `amount`. Atomic. */
  takeFromLimit(request: LimitRequest): Promise<number>;
}
