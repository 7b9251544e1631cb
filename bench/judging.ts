/** Contenders that judge one item after another, and the same with many under way at once. */
import { type Contender, type Input, must } from './harness.ts';

const AT_ONCE = 64;
/** Ends the names of rows that use as many cores as the machine has, and follow those that do one thing at a time. */
export const manyAtOnce = `, ${AT_ONCE} at once`;

interface Outcome {
  readonly ok: boolean;
}

/** For what answers at once where it can. Says how many answers came from the thread pool. */
export function judging<T>(
  name: string,
  input: Input<T>,
  judge: (item: T) => Outcome | Promise<Outcome>,
): readonly [oneAtATime: Contender, many: Contender] {
  const pooled = countingPool(judge);
  const pooledOfMany = countingPool(judge);
  const { prepare } = input;
  return [
    {
      name,
      prepare,
      run: async (from, count) => {
        for (const item of input.items.slice(from, from + count)) {
          const outcome = pooled.judge(item);
          must(outcome instanceof Promise ? (await outcome).ok : outcome.ok);
        }
      },
      figures: pooled.figures,
    },
    {
      name: name + manyAtOnce,
      slice: AT_ONCE,
      prepare,
      run: async (from, count) => {
        const outcomes = input.items.slice(from, from + count).map(pooledOfMany.judge);
        for (const { ok } of await Promise.all(outcomes)) must(ok);
      },
      figures: pooledOfMany.figures,
    },
  ];
}

/** For what always answers later; rejects where an item is refused. */
export function awaiting<T>(
  name: string,
  input: Input<T>,
  check: (item: T) => Promise<unknown>,
): readonly [oneAtATime: Contender, many: Contender] {
  const { prepare } = input;
  return [
    {
      name,
      prepare,
      run: async (from, count) => {
        for (const item of input.items.slice(from, from + count)) await check(item);
      },
    },
    {
      name: name + manyAtOnce,
      slice: AT_ONCE,
      prepare,
      run: (from, count) => Promise.all(input.items.slice(from, from + count).map(check)),
    },
  ];
}

/** What comes later comes from the pool: nothing else has to be waited for here. */
function countingPool<T>(judge: (item: T) => Outcome | Promise<Outcome>) {
  let judged = 0;
  let late = 0;
  return {
    judge: (item: T): Outcome | Promise<Outcome> => {
      const outcome = judge(item);
      judged++;
      if (outcome instanceof Promise) late++;
      return outcome;
    },
    figures: () => ({ 'in the pool, %': (100 * late) / judged }),
  };
}
