/**
 * Counts requests against a limit that all instances share. An instance takes a part of it at a time from the storage,
 * so that together they never let more through, and few requests wait for a write.
 */
import { LRUCache } from 'lru-cache';
import type { LimitStore } from '../../shared/stores.ts';
import type { LimitOptions } from '../issuer-options.ts';
import { inTime } from '../storage/in-time.ts';

export type LimitName = 'client' | 'address';

/** How a request fared. */
export interface LimitState {
  readonly name: LimitName;
  readonly policy: LimitOptions;
  readonly allowed: boolean;
  /** How many more may follow; fewer where other instances count, too. */
  readonly remaining: number;
  readonly resetSeconds: number;
}

export interface Limiter {
  /** Counts one request; never rejects. */
  take(key: string): Promise<LimitState>;
}

export interface LimiterOptions {
  readonly name: LimitName;
  readonly policy: LimitOptions;
  readonly storage: LimitStore;
  readonly now: () => number;
  /**
   * How many an instance lets through in each window before it asks the storage: a flood of made-up keys then costs no
   * writes, and each further instance may let as many through beyond the limit.
   * @default 0
   */
  readonly uncounted?: number;
  /** Told, at most once in a second, that the storage could not be asked. */
  readonly onFailure: (error: unknown) => void;
}

interface Window {
  readonly endsAtMs: number;
  /** Taken from the limit, and not used yet. */
  left: number;
  /** Taken from the limit by this instance. */
  taken: number;
  /** Nothing is left to take. */
  exhausted: boolean;
  taking: Promise<void> | undefined;
}

const PARTS = 32;
/** Those that are forgotten for others begin with a new part; what they used is still counted. */
const MAX_WINDOWS = 50_000;
const PATIENCE_MS = 1000;
const PAUSE_MS = 1000;

/** Each instance may hold back so many of a limit from the others. */
export function partOf({ requests }: LimitOptions): number {
  return Math.ceil(requests / PARTS);
}

/**
 * Makes a limiter with one window after the other, the same for all instances.
 *
 * While the storage is away the instance counts alone: then each lets as many through as all together should, which
 * is better than an issuer that is down for the sake of its limits.
 */
export function createLimiter(options: LimiterOptions): Limiter {
  const { name, policy, storage, now, onFailure, uncounted = 0 } = options;
  const { requests: limit, windowSeconds } = policy;
  const windowMs = windowSeconds * 1000;
  const part = partOf(policy);
  const windows = new LRUCache<string, Window>({ max: MAX_WINDOWS });
  let failedAtMs = Number.NEGATIVE_INFINITY;

  function windowOf(key: string, nowMs: number): Window {
    const endsAtMs = (Math.floor(nowMs / windowMs) + 1) * windowMs;
    const known = windows.get(key);
    if (known?.endsAtMs === endsAtMs) return known;
    const window = { endsAtMs, left: uncounted, taken: uncounted, exhausted: false, taking: undefined };
    windows.set(key, window);
    return window;
  }

  async function takePart(key: string, window: Window): Promise<void> {
    const granted = (await askStorage(key, window.endsAtMs)) ?? Math.min(part, limit - window.taken);
    window.left += granted;
    window.taken += granted;
    window.exhausted = granted === 0;
    window.taking = undefined;
  }

  /** `undefined` where the storage is away. */
  async function askStorage(key: string, windowEndsAtMs: number): Promise<number | undefined> {
    if (Math.abs(now() - failedAtMs) < PAUSE_MS) return undefined;
    try {
      const counted = limit - uncounted;
      const request = { key: `${name} ${key}`, windowEndsAtMs, limit: counted, amount: part };
      return await inTime(PATIENCE_MS, storage.takeFromLimit(request));
    } catch (error) {
      // Many keys may have waited for the same failure.
      if (Math.abs(now() - failedAtMs) >= PAUSE_MS) onFailure(error);
      failedAtMs = now();
      return undefined;
    }
  }

  return {
    async take(key) {
      const nowMs = now();
      const window = windowOf(key, nowMs);
      while (window.left === 0 && !window.exhausted) {
        window.taking ??= takePart(key, window);
        await window.taking;
      }
      const allowed = window.left > 0;
      if (allowed) window.left--;
      const remaining = window.exhausted ? window.left : limit - window.taken + window.left;
      return {
        name,
        policy,
        allowed,
        remaining,
        resetSeconds: Math.max(1, Math.ceil((window.endsAtMs - nowMs) / 1000)),
      };
    },
  };
}
