/** Results, a file for each table: any table can be measured again by itself. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { Row } from './harness.ts';

export interface Result {
  readonly table: string;
  readonly node: string;
  readonly processor: string;
  readonly cores: number;
  readonly quick: boolean;
  readonly rows: readonly Row[];
}

export const folder = 'bench/results';

export function resultOf(table: string, rows: readonly Row[], quick: boolean): Result {
  const [first] = cpus();
  return {
    table,
    node: process.versions.node,
    processor: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    quick,
    rows,
  };
}

export function saveResult(result: Result): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(`${folder}/${fileName(result.table)}.json`, `${JSON.stringify(result, null, 2)}\n`);
}

/** What was measured so far, in the order of these tables. */
export function loadResults(tables: readonly string[]): readonly Result[] {
  const there = new Set(readdirSync(folder));
  return tables
    .filter((table) => there.has(`${fileName(table)}.json`))
    .map((table) => JSON.parse(readFileSync(`${folder}/${fileName(table)}.json`, 'utf8')) as Result);
}

function fileName(table: string): string {
  return table.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
}

/** One figure of the first row whose name begins so. */
export function figure(
  results: readonly Result[],
  table: string,
  row: string,
  column: string,
): number | undefined {
  const rows = results.find((result) => result.table === table)?.rows;
  const value = rows?.find(({ name }) => name.startsWith(row))?.figures[column];
  // JSON has no NaN.
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
