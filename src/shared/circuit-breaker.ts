/** Stops asking an end that fails, and lets one call through now and then to see whether it is back. */
export interface CircuitBreaker {
  /** Milliseconds until the next call may go; 0 where one may go now, which takes the probe's place. */
  waitMs(): number;
  succeeded(): void;
  /** `askedMs`: how long the other end asked to be left alone; heeded up to the longest wait. */
  failed(askedMs?: number): void;
  state(): CircuitState;
}

export interface CircuitState {
  readonly state: 'closed' | 'open' | 'half-open';
  readonly failures: number;
  /** When the next call may go, in epoch milliseconds; undefined while closed. */
  readonly retryAt: number | undefined;
}

export interface CircuitBreakerOptions {
  readonly now: () => number;
  readonly random?: () => number;
  /** This many failures in a row open it. */
  readonly threshold?: number;
  /** The first wait; each further one is twice as long. */
  readonly firstWaitMs?: number;
  readonly longestWaitMs?: number;
  /** A probe that was never heard of again counts as lost after this time. */
  readonly probeMs?: number;
}

export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { now, random = Math.random, threshold = 5 } = options;
  const { firstWaitMs = 1000, longestWaitMs = 30_000, probeMs = 30_000 } = options;
  let failures = 0;
  let openings = 0;
  let retryAt: number | undefined;
  let probedAt: number | undefined;

  return {
    waitMs() {
      if (retryAt === undefined) return 0;
      const time = now();
      if (time < retryAt) return retryAt - time;
      if (probedAt !== undefined && time < probedAt + probeMs) return firstWaitMs;
      probedAt = time;
      return 0;
    },
    succeeded() {
      failures = 0;
      openings = 0;
      retryAt = undefined;
      probedAt = undefined;
    },
    failed(askedMs = 0) {
      failures++;
      // What was on its way when it opened fails too, and says nothing new.
      if (retryAt !== undefined && now() < retryAt) return;
      probedAt = undefined;
      if (failures < threshold) return;
      const wait = Math.min(firstWaitMs * 2 ** openings, longestWaitMs);
      openings++;
      // Instances that saw the same outage must not come back together.
      retryAt = now() + Math.max(wait * (0.5 + 0.5 * random()), Math.min(askedMs, longestWaitMs));
    },
    state: () => ({
      state: retryAt === undefined ? 'closed' : now() < retryAt ? 'open' : 'half-open',
      failures,
      retryAt,
    }),
  };
}
