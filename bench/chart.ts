/** Draws results as one SVG: a group of bars for each table. */
import type { Row } from './harness.ts';
import { show } from './markdown.ts';
import { type Role, roleOf } from './results.ts';
import type { Bar } from './tables.ts';

const BARS = 360;
const BAR = 18;
const GAP = 6;
const HEADING = 34;
const MARGIN = 12;
/** Of a letter of the font on average, generously: no browser is there to measure it. */
const LETTER = 7.2;
const BOLD = 1.12;

const colours: Readonly<Record<Role, string>> = {
  floor: '#9aa4b2',
  limit: '#9aa4b2',
  own: '#1f7a4d',
  peer: '#c9d1db',
};

export interface Group {
  readonly title: string;
  readonly bar: Bar;
  readonly rows: readonly Row[];
}

interface Chart {
  readonly title: string;
  /** Where it was measured. */
  readonly foot: string;
  readonly groups: readonly Group[];
}

/** Where the bars begin, and what lies below all of them. */
interface Frame {
  readonly left: number;
  readonly top: number;
}

export function drawChart({ title, foot, groups }: Chart): string {
  const rows = groups.flatMap((group) => group.rows);
  const left = MARGIN * 2 + widest(rows.map(({ name }) => name));
  const right = widest(rows.flatMap((row) => groups.map(({ bar }) => textOf(row, bar))));
  const width = Math.ceil(
    Math.max(left + BARS + right + MARGIN * 2, widest([...groups.map(headingOf), foot]) * BOLD + MARGIN * 2),
  );
  let top = MARGIN;
  const drawn = groups.map((group) => {
    const bars = drawGroup(group, { left, top });
    top += HEADING + group.rows.length * (BAR + GAP) + MARGIN;
    return bars;
  });
  const height = top + HEADING;
  return `<svg xmlns="http://www.w3.org/2000/svg" role="img" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="13">
<title>${escapeText(title)}</title>
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
<text x="${MARGIN}" y="${top + 16}" font-size="12" fill="#667">${escapeText(foot)}</text>
</svg>
`;
}

function drawGroup(group: Group, { left, top }: Frame): string {
  const { bar, rows } = group;
  const values = rows.map(({ figures }) => Math.max(figures[bar.column] ?? 0, 0));
  const scale = BARS / Math.max(...values, Number.MIN_VALUE);
  const bars = rows.map((row, at) => {
    const y = top + HEADING + at * (BAR + GAP);
    const width = Math.max((values[at] ?? 0) * scale, 1).toFixed(1);
    const fill = colours[roleOf(row.name)];
    return [
      `<text x="${left - MARGIN}" y="${y + 13}" text-anchor="end" fill="#111">${escapeText(row.name)}</text>`,
      `<rect x="${left}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${fill}"/>`,
      `<text x="${left + Number(width) + 8}" y="${y + 13}" fill="#444">${escapeText(textOf(row, bar))}</text>`,
    ].join('');
  });
  const heading = `<text x="${MARGIN}" y="${top + 20}" font-weight="600" fill="#111">${escapeText(headingOf(group))}</text>`;
  return [heading, ...bars].join('\n');
}

function headingOf({ title, bar }: Group): string {
  return `${title} (${bar.unit}; shorter is better)`;
}

function textOf({ name, figures }: Row, { column }: Bar): string {
  const value = show(figures[column]);
  if (roleOf(name) === 'floor') return value;
  const ratio = figures['times the floor'];
  if (ratio !== undefined) return `${value} · ${show(ratio)} times the floor`;
  const share = figures['of the open route'];
  return share === undefined
    ? value
    : `${value} · ${(share * 100).toFixed(0)} % of the open route's requests a second`;
}

function widest(texts: readonly string[]): number {
  return Math.max(...texts.map((text) => text.length)) * LETTER;
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
