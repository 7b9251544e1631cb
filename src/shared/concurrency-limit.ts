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

export function createConcurrencyLimit(options: ConcurrencyLimitOptions): ConcurrencyLimit {
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
