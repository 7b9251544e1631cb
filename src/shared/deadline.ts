/** A timer that is later than this was kept waiting. */
const STOOD_STILL_MS = 5;

/**
 * Waits for work no longer than so many milliseconds; then `late` says what happens, by a value or by what it throws.
 * The work itself goes on.
 */
export async function within<T>(limitMs: number, work: PromiseLike<T>, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<T>((resolve, reject) => {
    const end = (): void => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    };
    const begunAt = performance.now();
    timer = setTimeout(() => {
      // A process that stood still sees its timers first, and only then what has come meanwhile.
      if (performance.now() - begunAt > limitMs + STOOD_STILL_MS) timer = setTimeout(end);
      else end();
    }, limitMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
