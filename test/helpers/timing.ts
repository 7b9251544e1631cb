/** Whether something takes longer in one case than in another, told from many interleaved samples. */

export type TimedCases = Readonly<Record<string, () => Promise<unknown>>>;

export interface TimingOptions {
  /** Of each case, in each measurement. */
  readonly samples: number;
  /** Medians that lie closer together than this count as equal. */
  readonly boundMicroseconds: number;
  /** A machine that is busy makes differences where there are none, but hides none that is there each time. */
  readonly attempts: number;
}

export interface TimingVerdict {
  readonly isUniform: boolean;
  /** Between the fastest and the slowest case, in each attempt. */
  readonly spreadsMicroseconds: readonly number[];
  /** Of the last attempt. */
  readonly medians: Readonly<Record<string, number>>;
}

/** Measures until the cases take the same time once, or the attempts are over. */
export async function compareTimes(
  cases: TimedCases,
  { samples, boundMicroseconds, attempts }: TimingOptions,
): Promise<TimingVerdict> {
  const spreads: number[] = [];
  // The first runs are those of an interpreter, of empty caches, of keys that are not made yet.
  await measure(cases, Math.ceil(samples / 4));
  for (;;) {
    const medians = await measure(cases, samples);
    const values = Object.values(medians);
    const spread = Math.max(...values) - Math.min(...values);
    spreads.push(spread);
    const isUniform = spread < boundMicroseconds;
    if (isUniform || spreads.length === attempts) return { isUniform, spreadsMicroseconds: spreads, medians };
  }
}

async function measure(cases: TimedCases, samples: number): Promise<Record<string, number>> {
  const series = Object.entries(cases).map(([name, run]) => ({ name, run, times: [] as number[] }));
  for (let round = 0; round < samples; round++) {
    // Each case comes first as often as any other.
    for (let turn = 0; turn < series.length; turn++) {
      const one = series[(round + turn) % series.length];
      if (one === undefined) continue;
      await new Promise((resolve) => setImmediate(resolve));
      const start = process.hrtime.bigint();
      await one.run();
      one.times.push(Number(process.hrtime.bigint() - start) / 1000);
    }
  }
  return Object.fromEntries(series.map(({ name, times }) => [name, median(times)]));
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
