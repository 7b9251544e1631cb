/** Chance that can be repeated. */
export type Random = () => number;

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function createRandom(seed: number): Random {
  // Seeds that are close must not begin alike.
  let state = Math.imul(seed + 1, 0x9e3779b1) >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How long until the next of calls that come independently of each other. */
export function exponential(random: Random, mean: number): number {
  return -Math.log(1 - random()) * mean;
}
