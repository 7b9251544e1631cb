import { within } from '../../shared/deadline.ts';

/** What the storage answers within so many milliseconds; rejects after them. What was asked of it goes on. */
export function inTime<T>(limitMs: number, answer: PromiseLike<T>): Promise<T> {
  return within(limitMs, answer, () => {
    throw new Error('the storage did not answer in time');
  });
}
