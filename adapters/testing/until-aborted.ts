/** Waits as fetch does: whoever has given up hears so at once, whatever still goes on. */
export async function untilAborted<T>(signal: AbortSignal | null | undefined, done: Promise<T>): Promise<T> {
  if (signal === null || signal === undefined) return done;
  let give: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    give = () => reject(signal.reason);
  });
  if (signal.aborted) give();
  else signal.addEventListener('abort', give);
  try {
    return await Promise.race([aborted, done]);
  } finally {
    signal.removeEventListener('abort', give);
  }
}
