/** Interleaved measurement: machines drift, so contenders take turns, and only ratios inside one run count. */
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How much is measured; quick runs serve to see that everything runs, and to find what became much slower. */
export type Effort = 'whole' | 'quick';

export interface Contender {
  readonly name: string;
  /** Makes the input of one round where none may be used twice; not timed. */
  readonly prepare?: ((count: number) => void) | undefined;
  /** So many operations in one turn of the event loop, instead of what the plan says. */
  readonly slice?: number;
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
  await inTurns(contenders, rounds, async ({ name, prepare, run, slice: own }, isWarm) => {
    prepare?.(operations);
    const us = await timeSlices(run, operations, own ?? slice ?? operations);
    if (isWarm) samples.get(name)?.push(us);
  });
  const floor = samples.get(contenders[0]?.name ?? '') ?? [];
  return contenders.map(({ name, figures }) => {
    const own = samples.get(name) ?? [];
    const against = (compare: (us: number, floorUs: number) => number): number[] =>
      own.map((us, round) => compare(us, floor[round] ?? Number.NaN));
    const ratios = against((us, least) => us / least);
    return {
      name,
      figures: {
        us: median(own),
        'times the floor': median(ratios),
        ...spreadOf(ratios),
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

/** Microseconds of one operation. What does not fill a slice is left out. */
async function timeSlices(run: Contender['run'], operations: number, slice: number): Promise<number> {
  const times: number[] = [];
  const count = Math.min(slice, operations);
  for (let from = 0; from + count <= operations; from += count) {
    if (from > 0) await nextTurn();
    const start = process.hrtime.bigint();
    const late = run(from, count);
    if (late instanceof Promise) await late;
    times.push(Number(process.hrtime.bigint() - start) / 1000 / count);
  }
  const counted = times.sort((a, b) => a - b).slice(0, Math.ceil(times.length * (1 - DISTURBED)));
  return counted.reduce((sum, time) => sum + time, 0) / counted.length;
}

const REQUESTS_A_TURN = 3;
/** What comes beyond a quarter of a millisecond in one turn goes to the thread pool; this keeps well away from it. */
const MOST_IN_A_TURN_MS = 0.15;
const TRIED = 100;

/** How many requests one turn of the loop has: a few, or one where a few of the floor take too long already. */
export async function requestsInOneTurn({ prepare, run }: Contender): Promise<number> {
  const times: number[] = [];
  prepare?.(TRIED);
  for (let at = 0; at < TRIED; at++) {
    await nextTurn();
    const start = performance.now();
    const late = run(at, 1);
    if (late instanceof Promise) await late;
    times.push(performance.now() - start);
  }
  return median(times) * REQUESTS_A_TURN > MOST_IN_A_TURN_MS ? 1 : REQUESTS_A_TURN;
}

/** What operations take one by one. */
export interface Input<T> {
  readonly items: readonly T[];
  readonly prepare?: (count: number) => void;
}

/** The input of one round, made anew for each. */
export interface Batch<T> extends Input<T> {
  readonly prepare: (count: number) => void;
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

/** Does the work `count` times, so many at a time. */
export async function atOnce(
  limit: number,
  count: number,
  work: (at: number) => Promise<unknown> | unknown,
): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < count; at = next++) await work(at);
  };
  await Promise.all(Array.from({ length: Math.min(limit, count) }, worker));
}

export function must(holds: boolean, what = 'a token of the benchmark'): void {
  if (!holds) throw new Error(`${what} was refused`);
}

/** What the heap holds once garbage is collected, buffers included. */
export function heapBytes(): number {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
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

/** Columns that follow the one they belong to. */
export function spreadOf(values: readonly number[]): { readonly least: number; readonly most: number } {
  return { least: Math.min(...values), most: Math.max(...values) };
}

export function percentile(values: Iterable<number>, share: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
}
