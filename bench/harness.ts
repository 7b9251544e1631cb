/** Interleaved measurement: machines drift, so contenders take turns, and only ratios inside one run count. */

export interface Contender {
  readonly name: string;
  /** Makes the input of one round where none may be used twice; not timed. */
  readonly prepare?: (count: number) => void;
  /** Does the work `count` times, starting with item `from` of the prepared input. */
  readonly run: (from: number, count: number) => unknown;
  /** What each of the things that it keeps takes of the heap. */
  readonly bytesEach?: number;
}

export interface Measured {
  readonly name: string;
  /** Median microseconds of one operation. */
  readonly microseconds: number;
  /** Median of the ratios to the floor of the same round. */
  readonly ratio: number;
  readonly spread: readonly [number, number];
  readonly bytesEach?: number;
}

export interface Plan {
  readonly rounds: number;
  readonly operations: number;
  /** The first contender is the floor. */
  readonly contenders: readonly Contender[];
}

/** Runs every contender in every round, in turning order, after one round that does not count. */
export async function measure({ rounds, operations, contenders }: Plan): Promise<readonly Measured[]> {
  const times = new Map<string, number[]>(contenders.map(({ name }) => [name, []]));
  for (let round = -1; round < rounds; round++) {
    const shift = Math.max(round, 0) % contenders.length;
    const order = [...contenders.slice(shift), ...contenders.slice(0, shift)];
    for (const { name, prepare, run } of order) {
      prepare?.(operations);
      const start = process.hrtime.bigint();
      await run(0, operations);
      const elapsed = Number(process.hrtime.bigint() - start) / 1000 / operations;
      if (round >= 0) times.get(name)?.push(elapsed);
    }
  }
  const floor = times.get(contenders[0]?.name ?? '') ?? [];
  return contenders.map(({ name, bytesEach }) => {
    const own = times.get(name) ?? [];
    const ratios = own.map((time, round) => time / (floor[round] ?? Number.NaN)).sort((a, b) => a - b);
    return {
      name,
      microseconds: median(own),
      ratio: median(ratios),
      spread: [ratios[0] ?? Number.NaN, ratios.at(-1) ?? Number.NaN],
      ...(bytesEach !== undefined && { bytesEach }),
    };
  });
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
