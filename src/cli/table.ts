import { harmlessLine, type Style } from './output.ts';

/** Rows below a head; the columns are as wide as what is in them, which may be the text of others. */
export function table(head: readonly string[], given: readonly (readonly string[])[], style: Style): string {
  const rows = given.map((row) => row.map(harmlessLine));
  const widths = head.map((title, at) =>
    Math.max(title.length, ...rows.map((row) => (row[at] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd();
  return [style.bold(line(head)), ...rows.map(line)].join('\n');
}
