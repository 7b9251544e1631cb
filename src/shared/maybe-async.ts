/** A value that is there now, or will be. Work stays synchronous as long as nothing has to be waited for. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value: at once where it is there, later where it is not. One corridor serves both. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/**
 * Does work that may throw now or reject later, and hands either to one place.
 *
 * Whatever a program's own function gives back comes through here, and goes on as a promise of this realm or none.
 */
export function attempt<T, U>(
  work: () => MaybePromise<T>,
  recover: (error: unknown) => MaybePromise<U>,
): MaybePromise<T | U> {
  try {
    const value = work();
    return isThenable(value) ? Promise.resolve(value).catch(recover) : value;
  } catch (error) {
    return recover(error);
  }
}

/** Whether to wait for it: promises of libraries and of other realms are no instances of `Promise`. */
export function isThenable<T>(value: MaybePromise<T>): value is Promise<T> {
  const { then } = (value ?? {}) as { then?: unknown };
  return typeof then === 'function';
}
