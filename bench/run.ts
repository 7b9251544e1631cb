/**
 * `npm run bench [-- --quick] [--baseline | --check | --profile] [name ...]`: measures the tables, or those whose names
 * begin so. Results, charts and what the documents say of them are written, but not by quick runs and by checks.
 */
import { parseArgs } from 'node:util';
import { compareWithBaseline, writeBaseline } from './baseline.ts';
import { renderGoals } from './goals.ts';
import { renderTable } from './markdown.ts';
import { profileHotPaths } from './profile.ts';
import { publish } from './publish.ts';
import { loadResults, type Result, resultOf, saveResult } from './results.ts';
import { rowsOf, tables } from './tables.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    baseline: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    /** Measures nothing. */
    publish: { type: 'boolean', default: false },
  },
});
const { quick } = values;
const isKept = !quick && !values.check;
const names = tables.map(({ name }) => name);
if (values.profile) await profileHotPaths();
else if (!values.publish) await measureTables();
if (isKept) publish(loadResults(names));

async function measureTables(): Promise<void> {
  const chosen = tables.filter(
    ({ name, long = false }) =>
      positionals.some((word) => name.startsWith(word)) || (positionals.length === 0 && !(quick && long)),
  );
  if (chosen.length === 0) {
    console.error(`no benchmark is named so; there are: ${names.join(', ')}`);
    process.exit(2);
  }
  const results: Result[] = [];
  for (const table of chosen) {
    const rows = await rowsOf(table, quick);
    if (rows === undefined) {
      console.log(`**${table.name}**: not on this machine, where no process can be bound to a core\n`);
      continue;
    }
    const result = resultOf(table.name, rows, quick);
    if (isKept) saveResult(result);
    results.push(result);
    console.log(renderTable(result));
  }
  if (isKept) console.log(renderGoals(loadResults(names)));
  if (values.baseline) writeBaseline(results);
  if (values.check) check(results);
}

function check(results: readonly Result[]): void {
  const moved = compareWithBaseline(results);
  if (moved.length === 0) {
    console.log('nothing is slower than the baseline allows');
    return;
  }
  console.error(`beyond what the baseline allows:\n${moved.join('\n')}`);
  process.exitCode = 1;
}
