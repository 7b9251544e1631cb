/** `npm run bench`: what it can be asked is in command.ts. */
import { compareWithBaseline, type Moved, writeBaseline } from './baseline.ts';
import { type Command, readCommand, UsageError, usage } from './command.ts';
import { renderGoals } from './goals.ts';
import type { Effort } from './harness.ts';
import { renderTable } from './markdown.ts';
import { profileHotPaths } from './profile.ts';
import { publish } from './publish.ts';
import { loadResults, type Result, resultOf, saveResult } from './results.ts';
import { rowsOf, type Table, tables } from './tables.ts';

/** What is slow this often in a row is slow. */
const MOST_TRIES = 3;
const names = tables.map(({ name }) => name);

try {
  const command = readCommand(process.argv.slice(2));
  if (command === undefined) console.log(usage);
  else await obey(command);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${usage}`);
  process.exitCode = 2;
}

async function obey(command: Command): Promise<void> {
  const { mode, effort, isWhole } = command;
  if (mode === 'publish') return publish(loadResults(names));
  if (mode === 'profile') await profileHotPaths();
  else if (mode === 'check') return check(command);
  else await measureTables(command);
  if (effort === 'quick') return;
  if (isWhole && mode !== 'profile' && process.exitCode === undefined) publish(loadResults(names));
  else
    console.log(
      'Saved. The documents and charts are as they were: `npm run bench -- --publish` writes them.',
    );
}

async function measureTables({ mode, effort, tables: chosen }: Command): Promise<void> {
  await forEach(chosen, async (table) => {
    const result = await measureTable(table, effort);
    if (result === undefined || effort === 'quick') return;
    saveResult(result);
    if (mode === 'baseline') writeBaseline([result], effort);
  });
  if (effort === 'whole') console.log(renderGoals(loadResults(names)));
}

async function check({ effort, tables: chosen }: Command): Promise<void> {
  const moved: Moved[] = [];
  await forEach(chosen, async (table) => {
    let left: readonly Moved[] | undefined;
    for (let tries = 0; tries < MOST_TRIES && left?.length !== 0; tries++) {
      const result = await measureTable(table, effort);
      if (result === undefined) return;
      const found = compareWithBaseline(table, result, effort);
      if (typeof found === 'string') return console.log(`**${table.name}**: ${found}\n`);
      left = found.filter(({ what }) => left?.some((before) => before.what === what) ?? true);
    }
    moved.push(...(left ?? []));
  });
  if (moved.length === 0) return console.log('nothing that was compared is slower than the baseline allows');
  console.error(`beyond what the baseline allows:\n${moved.map(({ text }) => text).join('\n')}`);
  process.exitCode = 1;
}

/** What fails does not keep the others from being measured, but ends the run with status 1. */
async function forEach(chosen: readonly Table[], work: (table: Table) => Promise<void>): Promise<void> {
  const failed: string[] = [];
  for (const table of chosen) {
    try {
      await work(table);
    } catch (error) {
      console.error(`**${table.name}** failed:`, error);
      failed.push(table.name);
    }
  }
  if (failed.length === 0) return;
  console.error(`failed: ${failed.join('; ')}`);
  process.exitCode = 1;
}

/** Undefined where this machine cannot. */
async function measureTable(table: Table, effort: Effort): Promise<Result | undefined> {
  const rows = await rowsOf(table, effort);
  if (rows === undefined) {
    console.log(`**${table.name}**: not on this machine, where no process can be bound to a core\n`);
    return undefined;
  }
  const result = resultOf(table.name, rows);
  console.log(renderTable(result));
  return result;
}
