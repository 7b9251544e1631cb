import { sharesPromises } from './runtime.ts';

/** Runs work a bounded number at a time; the rest waits in its order, neither in any number nor for any time. */
export interface ConcurrencyLimit {
  /** Throws (or rejects with) `refusal` where nothing more may wait, or where its turn did not come in time. */
  run<T>(work: () => Promise<T>): Promise<T>;
}

export interface ConcurrencyLimitOptions {
  readonly atOnce: number;
  readonly mostWaiting: number;
  readonly longestWaitMs: number;
  readonly refusal: () => Error;
}

/**
 * Makes a limit. Where requests must not wait for one another (Cloudflare Workers), each looks by itself whether its turn
 * has come, and how many wait is not bounded.
 */
export function createConcurrencyLimit(
  options: ConcurrencyLimitOptions,
  shares = sharesPromises,
): ConcurrencyLimit {
  return shares ? queued(options) : separate(options);
}

function queued(options: ConcurrencyLimitOptions): ConcurrencyLimit {
  const { atOnce, mostWaiting, longestWaitMs, refusal } = options;
  // In the order of their coming, and quick to leave from anywhere.
  const waiting = new Set<() => void>();
  let running = 0;

  async function start<T>(work: () => Promise<T>): Promise<T> {
    running++;
    try {
      return await work();
    } finally {
      running--;
      const [next] = waiting;
      next?.();
    }
  }

  return {
    run<T>(work: () => Promise<T>) {
      if (running < atOnce) return start(work);
      if (waiting.size >= mostWaiting) throw refusal();
      return new Promise<T>((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(begin);
          reject(refusal());
        }, longestWaitMs);
        const begin = (): void => {
          clearTimeout(timer);
          waiting.delete(begin);
          start(work).then(resolve, reject);
        };
        waiting.add(begin);
      });
    },
  };
}

const LOOK_MS = 10;

function separate({ atOnce, longestWaitMs, refusal }: ConcurrencyLimitOptions): ConcurrencyLimit {
  const running = new Set<{ readonly startedAt: number }>();

  /** Work that lasts longer was most likely ended together with the request that began it. */
  function isFull(): boolean {
    for (const run of running) {
      if (Date.now() - run.startedAt > 2 * longestWaitMs) running.delete(run);
    }
    return running.size >= atOnce;
  }

  return {
    async run(work) {
      const begunAt = Date.now();
      while (isFull()) {
        if (Date.now() - begunAt >= longestWaitMs) throw refusal();
        await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      }
      const run = { startedAt: Date.now() };
      running.add(run);
      try {
        return await work();
      } finally {
        running.delete(run);
      }
    },
  };
}
