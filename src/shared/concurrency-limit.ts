/** Runs work a bounded number at a time; the rest waits in its order, and beyond that is refused at once. */
export interface ConcurrencyLimit {
  /** `undefined` where nothing more may wait. */
  run<T>(work: () => Promise<T>): Promise<T> | undefined;
}

export function createConcurrencyLimit(atOnce: number, mostWaiting: number): ConcurrencyLimit {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function start<T>(work: () => Promise<T>): Promise<T> {
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  }

  return {
    run<T>(work: () => Promise<T>) {
      if (running < atOnce) return start(work);
      if (waiting.length >= mostWaiting) return undefined;
      return new Promise<T>((resolve, reject) => {
        waiting.push(() => void start(work).then(resolve, reject));
      });
    },
  };
}
