/** A committed set of ratios, which later runs on any machine are compared with: a guard against getting slower. */
import { readFileSync, writeFileSync } from 'node:fs';
import type { Result } from './results.ts';

const file = 'bench/baseline.json';

/** What hardly depends on the machine, how many times its baseline it may become, and by what it may move besides. */
const guarded: Readonly<Record<string, { readonly factor: number; readonly slack: number }>> = {
  'times the floor': { factor: 1.5, slack: 0.3 },
  'CPU of the open route': { factor: 1.5, slack: 0.3 },
  'bytes each': { factor: 1.3, slack: 100 },
  'kB gzipped': { factor: 1.15, slack: 0.5 },
  'token requests': { factor: 1, slack: 0 },
  calls: { factor: 1, slack: 0 },
};

/** Where the floor takes less than a microsecond, and whatever else the machine does weighs most. */
const unsteady = /^(cached|introspection, hit|growth, policies|growth, tokens)/;
const UNSTEADY_FACTOR = 3;

/** By table, row and figure. */
type Baseline = Readonly<Record<string, number>>;

export function writeBaseline(results: readonly Result[]): void {
  writeFileSync(file, `${JSON.stringify(guardedFigures(results), null, 2)}\n`);
}

/** What moved further than it may, in words; nothing where all is well. */
export function compareWithBaseline(results: readonly Result[]): readonly string[] {
  const baseline: Baseline = JSON.parse(readFileSync(file, 'utf8'));
  const measured = guardedFigures(results);
  const tables = new Set(results.map(({ table }) => table));
  return Object.entries(baseline).flatMap(([key, before]) => {
    const [table = '', , column = ''] = key.split(' | ');
    if (!tables.has(table)) return [];
    const now = measured[key];
    if (now === undefined) return [`${key}: no longer measured, was ${before}`];
    const { factor, slack } = guarded[column] ?? { factor: 1, slack: 0 };
    const most = before * (unsteady.test(table) ? UNSTEADY_FACTOR : factor) + slack;
    return now <= most ? [] : [`${key}: ${now}, was ${before}, may be ${most.toFixed(2)}`];
  });
}

/** Of our own rows alone: what peers cost is theirs. */
function guardedFigures(results: readonly Result[]): Baseline {
  const entries = results.flatMap(({ table, rows }) =>
    rows
      .filter(({ name }) => name.startsWith('service-auth'))
      .flatMap(({ name, figures }) =>
        Object.entries(figures)
          .filter(([column, value]) => Object.hasOwn(guarded, column) && Number.isFinite(value))
          .map(([column, value]) => [`${table} | ${name} | ${column}`, Number(value.toFixed(3))]),
      ),
  );
  return Object.fromEntries(entries);
}
