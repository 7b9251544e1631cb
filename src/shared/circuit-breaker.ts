/** Stops asking an end that fails, and lets one call through now and then to see whether it is back. */
export interface CircuitBreaker {
  /**
   * Milliseconds until the next call may go; 0 where one may go now, which takes the probe's place.
   *
   * A suspect, a call that failed before and may itself be to blame, comes after the others: it waits twice as long.
   */
  waitMs(isSuspect?: boolean): number;
  succeeded(): void;
  /** The other end answered, and yet not so that it shows how it is: ends a probe and counts nothing. */
  passed(): void;
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

/** How it stands while it is not closed. A clock that shows less than `openedAt` was set back: then a call may go. */
interface Opening {
  readonly openedAt: number;
  readonly retryAt: number;
}

export function createCircuitBreaker(options: CircuitBreakerOptions): CircuitBreaker {
  const { now, random = Math.random, threshold = 5 } = options;
  const { firstWaitMs = 1000, longestWaitMs = 30_000, probeMs = 30_000 } = options;
  let failures = 0;
  let openings = 0;
  let opening: Opening | undefined;
  let probedAt: number | undefined;

  function isOpen(): boolean {
    return opening !== undefined && isBetween(opening.openedAt, now(), opening.retryAt);
  }

  return {
    waitMs(isSuspect = false) {
      if (opening === undefined) return 0;
      const { openedAt, retryAt } = opening;
      const dueAt = isSuspect ? retryAt + (retryAt - openedAt) : retryAt;
      const time = now();
      if (isBetween(openedAt, time, dueAt)) return dueAt - time;
      if (probedAt !== undefined && isBetween(probedAt, time, probedAt + probeMs)) return firstWaitMs;
      probedAt = time;
      return 0;
    },
    succeeded() {
      failures = 0;
      openings = 0;
      opening = undefined;
      probedAt = undefined;
    },
    passed() {
      probedAt = undefined;
    },
    failed(askedMs = 0) {
      failures++;
      // What was on its way when it opened fails too, and says nothing new.
      if (isOpen()) return;
      probedAt = undefined;
      if (failures < threshold) return;
      const wait = Math.min(firstWaitMs * 2 ** openings, longestWaitMs);
      openings++;
      const openedAt = now();
      // Instances that saw the same outage must not come back together.
      const spread = wait * (0.5 + 0.5 * random());
      opening = { openedAt, retryAt: openedAt + Math.max(spread, Math.min(askedMs, longestWaitMs)) };
    },
    state: () => ({
      state: opening === undefined ? 'closed' : isOpen() ? 'open' : 'half-open',
      failures,
      retryAt: opening?.retryAt,
    }),
  };
}

function isBetween(from: number, time: number, until: number): boolean {
  return time >= from && time < until;
}
