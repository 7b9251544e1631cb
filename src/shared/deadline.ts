/**
 * Waits for work no longer than so many milliseconds; then `late` says what happens, by a value or by what it throws.
 * The work itself goes on.
 */
export async function within<T>(limitMs: number, work: PromiseLike<T>, late: () => T): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<T>((resolve, reject) => {
    timer = setTimeout(() => {
      try {
        resolve(late());
      } catch (error) {
        reject(error);
      }
    }, limitMs);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
