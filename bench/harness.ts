/** Interleaved measurement: machines drift, so contenders take turns, and only ratios inside one run count. */
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface Contender {
  readonly name: string;
  /** Makes the input of one round where none may be used twice; not timed. */
  readonly prepare?: (count: number) => void;
  /** Does the work `count` times, starting with item `from` of the prepared input. */
  readonly run: (from: number, count: number) => unknown;
  /** What else there is to say, by the name of its column: asked for once all rounds are over. */
  readonly figures?: () => Figures;
}

/** Numbers by the name of their column. */
export type Figures = Readonly<Record<string, number>>;

/** One line of a table. */
export interface Row {
  readonly name: string;
  readonly figures: Figures;
}

export interface Plan {
  readonly rounds: number;
  readonly operations: number;
  /** So many operations in one turn of the event loop; the way to the next turn is not timed. @default all */
  readonly slice?: number | undefined;
  /** The first contender is the floor. */
  readonly contenders: readonly Contender[];
}

/** Runs every contender in every round, in turning order, after one round that does not count. */
export async function measure({ rounds, operations, slice, contenders }: Plan): Promise<readonly Row[]> {
  const samples = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  await inTurns(contenders, rounds, async ({ name, prepare, run }, isWarm) => {
    prepare?.(operations);
    const us = await timeSlices(run, operations, slice ?? operations);
    if (isWarm) samples.get(name)?.push(us);
  });
  const floor = samples.get(contenders[0]?.name ?? '') ?? [];
  return contenders.map(({ name, figures }) => {
    const own = samples.get(name) ?? [];
    const against = (compare: (us: number, floorUs: number) => number): number[] =>
      own.map((us, round) => compare(us, floor[round] ?? Number.NaN));
    const ratios = against((us, least) => us / least).sort((a, b) => a - b);
    return {
      name,
      figures: {
        us: median(own),
        'times the floor': median(ratios),
        least: ratios[0] ?? Number.NaN,
        most: ratios.at(-1) ?? Number.NaN,
        'us over the floor': median(against((us, least) => us - least)),
        ...figures?.(),
      },
    };
  });
}

/** One round that does not count, then so many that do; everybody begins one of them. */
export async function inTurns<T>(
  contenders: readonly T[],
  rounds: number,
  run: (contender: T, isWarm: boolean) => Promise<void>,
): Promise<void> {
  for (let round = -1; round < rounds; round++) {
    const shift = Math.max(round, 0) % contenders.length;
    const order = [...contenders.slice(shift), ...contenders.slice(0, shift)];
    for (const contender of order) await run(contender, round >= 0);
  }
}

/** Of many short slices so many of the slowest do not count: there another program had the core. */
const DISTURBED = 0.05;

/** Microseconds of one operation. */
async function timeSlices(run: Contender['run'], operations: number, slice: number): Promise<number> {
  const times: number[] = [];
  for (let from = 0; from < operations; from += slice) {
    if (from > 0) await nextTurn();
    const count = Math.min(slice, operations - from);
    const start = process.hrtime.bigint();
    const late = run(from, count);
    if (late instanceof Promise) await late;
    times.push(Number(process.hrtime.bigint() - start) / 1000 / count);
  }
  const counted = times.sort((a, b) => a - b).slice(0, Math.ceil(times.length * (1 - DISTURBED)));
  return counted.reduce((sum, time) => sum + time, 0) / counted.length;
}

/** The input of one round, made anew for each. */
export interface Batch<T> {
  readonly items: readonly T[];
  prepare(count: number): void;
}

export function batchOf<T>(make: () => T): Batch<T> {
  let items: readonly T[] = [];
  return {
    get items() {
      return items;
    },
    prepare(count) {
      items = Array.from({ length: count }, make);
    },
  };
}

/** The same text as strings of requests are: flat, and with no hash remembered. */
export function fresh(text: string): string {
  return Buffer.from(text, 'latin1').toString('latin1');
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

export function percentile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
