/** The matrix of runtimes, as the README and docs/runtimes.md show it. */
import { line } from '../../bench/markdown.ts';
import type { Results } from './results.ts';

type Runtime = Results['runtimes'][number];
type Group = Results['groups'][number];

/** One row for each group of checks, and what is excepted below. */
export function renderMatrix(results: Results): string {
  const { runtimes, groups } = results;
  const reasons = reasonsOf(results);
  const total = groups.reduce((sum, { checks }) => sum + checks.length, 0);
  return [
    line(['checks', '', ...runtimes.map(titleOf)]),
    line(['---', '---:', ...runtimes.map(() => ':---:')]),
    ...groups.map((group) =>
      line([group.title, String(group.checks.length), ...runtimes.map((one) => cellOf(group, one, reasons))]),
    ),
    line(['**all**', String(total), ...runtimes.map(({ excepted }) => String(total - excepted.length))]),
    '',
    ...reasons.map((reason, at) => `${at === 0 ? '' : '<br>'}${markOf(at)} ${reason}`),
  ].join('\n');
}

/** Every check by its name. */
export function renderChecks(results: Results): string {
  const { runtimes, groups } = results;
  const reasons = reasonsOf(results);
  const tables = groups.map((group) =>
    [
      `### ${group.title}`,
      '',
      line(['check', ...runtimes.map(titleOf)]),
      line(['---', ...runtimes.map(() => ':---:')]),
      ...group.checks.map((check) =>
        line([check, ...runtimes.map((one) => cellOf({ ...group, checks: [check] }, one, reasons))]),
      ),
    ].join('\n'),
  );
  const notes = reasons.map((reason, at) => `${markOf(at)} ${reason}`).join('<br>\n');
  return [...tables, notes].join('\n\n');
}

function titleOf({ name, version }: Runtime): string {
  const [runtime, ...rest] = name.split(', ');
  return [`${runtime} ${version}`, ...rest].join(', ');
}

/** A tick where every check holds; otherwise how many do, and why not all. */
function cellOf({ title, checks }: Group, { excepted }: Runtime, reasons: readonly string[]): string {
  const missing = excepted.filter(({ group, name }) => group === title && checks.includes(name));
  if (missing.length === 0) return '✓';
  const marks = [...new Set(missing.map(({ reason }) => markOf(reasons.indexOf(reason))))].sort();
  const passed = checks.length - missing.length;
  return `${passed === 0 ? '–' : passed} ${marks.join(' ')}`;
}

function reasonsOf({ runtimes }: Results): readonly string[] {
  return [...new Set(runtimes.flatMap(({ excepted }) => excepted.map(({ reason }) => reason)))];
}

function markOf(at: number): string {
  return `<sup>${at + 1}</sup>`;
}
