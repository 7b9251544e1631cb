/** Counts what happens, second by second. */
export interface Tally {
  add(timeMs: number): void;
  /** How many from one time to before another, in milliseconds. */
  between(fromMs: number, toMs: number): number;
  /** The most in one second of that time. */
  peak(fromMs: number, toMs: number): number;
}

export function createTally(): Tally {
  const seconds: number[] = [];

  function slice(fromMs: number, toMs: number): readonly number[] {
    return Array.from(
      { length: Math.round((toMs - fromMs) / 1000) },
      (_, at) => seconds[Math.round(fromMs / 1000) + at] ?? 0,
    );
  }

  return {
    add(timeMs) {
      const second = Math.floor(timeMs / 1000);
      seconds[second] = (seconds[second] ?? 0) + 1;
    },
    between: (fromMs, toMs) => slice(fromMs, toMs).reduce((sum, count) => sum + count, 0),
    peak: (fromMs, toMs) => slice(fromMs, toMs).reduce((most, count) => Math.max(most, count), 0),
  };
}
