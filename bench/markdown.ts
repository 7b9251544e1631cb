/** Tables in Markdown. */
import type { Row } from './harness.ts';
import type { Result } from './results.ts';

export function renderTable(result: Result): string {
  const { table, rows } = result;
  const columns = [...new Set(rows.flatMap(({ figures }) => Object.keys(figures)))];
  const lines = [
    line(['', ...columns]),
    line(['---', ...columns.map(() => '---:')]),
    ...rows.map(({ name, figures }: Row) => line([name, ...columns.map((column) => show(figures[column]))])),
  ];
  return `**${table}**\n\n${lines.join('\n')}\n\n${originOf(result)}\n`;
}

/** When, of what and with what a table was measured. */
function originOf({ measuredAt, commit, node, versions = {} }: Result): string {
  const parts = [
    measuredAt?.slice(0, 10) ?? '',
    commit === undefined ? '' : `commit ${commit}`,
    `Node ${node}`,
    ...Object.entries(versions).map(([name, version]) => `${name} ${version}`),
  ];
  return `<sub>${parts.filter((part) => part !== '').join(', ')}</sub>`;
}

export function machineOf({ node, cores, processor }: Result): string {
  return `Node ${node}, ${cores} × ${processor}`;
}

export function line(cells: readonly string[]): string {
  return `| ${cells.join(' | ')} |`;
}

export function show(value: number | null | undefined): string {
  if (typeof value !== 'number' || Number.isNaN(value)) return '–';
  if (Number.isInteger(value) || Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return value.toFixed(2);
}

/** Replaces what stands between two comments of a text. */
export function replaceBlock(text: string, name: string, block: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`];
  const from = text.indexOf(begin);
  const to = text.indexOf(end);
  if (from < 0 || to < from) throw new Error(`no place is marked by ${begin} and ${end}`);
  return `${text.slice(0, from + begin.length)}\n${block.trim()}\n${text.slice(to)}`;
}
