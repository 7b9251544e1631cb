/** A committed set of ratios, which later runs on any machine are compared with: a guard against getting slower. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Effort } from './harness.ts';
import { manyAtOnce } from './judging.ts';
import { type Result, roleOf } from './results.ts';
import type { Guard, Table } from './tables.ts';

const file = fileURLToPath(new URL('baseline.json', import.meta.url));

/** How far a time may grow, given as a multiple of its floor. */
const bounds: Readonly<Record<Guard, (before: number) => number>> = {
  // Three times the overhead is caught, twice is noise; below a twentieth of the floor all is.
  overhead: (before) => Math.max(1 + (before - 1) * 2.5, before + 0.05),
  ratio: (before) => before * 1.5 + 0.3,
  unsteady: (before) => before * 3,
};

/** What hardly depends on the machine besides, and what it may become. */
const sizes: Readonly<Record<string, (before: number) => number>> = {
  'CPU of the open route': bounds.ratio,
  'bytes each': (before) => before * 1.3 + 100,
  'kB gzipped': (before) => before * 1.15 + 0.5,
  'token requests': (before) => before,
  calls: (before) => before,
};

interface Entry {
  readonly effort: Effort;
  /** By row and column. */
  readonly figures: Readonly<Record<string, number>>;
}

/** By table. */
type Baseline = Readonly<Record<string, Entry>>;

/** Something that is slower, or larger, than it may be. */
export interface Moved {
  readonly what: string;
  readonly text: string;
}

/** Replaces these tables and leaves the others as they were. */
export function writeBaseline(results: readonly Result[], effort: Effort): void {
  const measured = results.map((result) => [result.table, { effort, figures: guardedFigures(result) }]);
  const merged = { ...readBaseline(), ...Object.fromEntries(measured) };
  writeFileSync(file, `${JSON.stringify(merged, null, 2)}\n`);
}

/** What moved further than it may, or why that cannot be told. */
export function compareWithBaseline(table: Table, result: Result, effort: Effort): readonly Moved[] | string {
  const entry = readBaseline()[table.name];
  if (entry === undefined) return 'not in the baseline';
  if (table.isSized === true && entry.effort !== effort) {
    return `not compared: its figures depend on how much is measured, and the baseline comes from a ${entry.effort} run`;
  }
  const measured = guardedFigures(result);
  return Object.entries(entry.figures).flatMap(([what, before]) => {
    const [, column = ''] = what.split(' | ');
    const most = (sizes[column] ?? bounds[table.guard ?? 'ratio'])(before);
    const now = measured[what];
    if (now === undefined) return [{ what, text: `${table.name} | ${what}: no longer measured` }];
    const text = `${table.name} | ${what}: ${now}, was ${before}, may be ${most.toFixed(2)}`;
    return now <= most ? [] : [{ what, text }];
  });
}

function readBaseline(): Baseline {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
}

/** Of our own rows alone, what peers cost is theirs; and of those that do not depend on the number of cores. */
function guardedFigures({ rows }: Result): Readonly<Record<string, number>> {
  const entries = rows
    .filter(({ name }) => roleOf(name) === 'own' && !name.endsWith(manyAtOnce))
    .flatMap(({ name, figures }) =>
      Object.entries(figures)
        .filter(([column]) => column === 'times the floor' || Object.hasOwn(sizes, column))
        .filter(([, value]) => Number.isFinite(value))
        .map(([column, value]) => [`${name} | ${column}`, Number(value.toFixed(3))]),
    );
  return Object.fromEntries(entries);
}
