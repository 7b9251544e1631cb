/** A value that is there now, or will be. Work stays synchronous as long as nothing has to be waited for. */
export type MaybePromise<T> = T | Promise<T>;

/** Goes on with a value: at once where it is there, later where it is not. One corridor serves both. */
export function andThen<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

/** Does work that may throw now or reject later, and hands either to one place. */
export function attempt<T, U>(
  work: () => MaybePromise<T>,
  recover: (error: unknown) => MaybePromise<U>,
): MaybePromise<T | U> {
  try {
    const value = work();
    return value instanceof Promise ? value.catch(recover) : value;
  } catch (error) {
    return recover(error);
  }
}
