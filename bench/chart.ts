/** Draws results as one SVG: a group of bars for each table. */
import type { Row } from './harness.ts';
import { show } from './markdown.ts';

const WIDTH = 860;
const LABEL = 330;
const BAR = 18;
const GAP = 6;
const TITLE = 34;

export interface Group {
  readonly title: string;
  /** The figure that the bars show. */
  readonly bar: string;
  readonly rows: readonly Row[];
}

export function drawChart(groups: readonly Group[]): string {
  let top = 10;
  const drawn = groups.map((group) => {
    const bars = drawGroup(group, top);
    top += TITLE + group.rows.length * (BAR + GAP) + 14;
    return bars;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${drawn.join('\n')}
</svg>
`;
}

function drawGroup({ title, bar, rows }: Group, top: number): string {
  const values = rows.map(({ figures }) => figures[bar] ?? 0);
  const scale = (WIDTH - LABEL - 190) / Math.max(...values);
  const bars = rows.map(({ name, figures }, at) => {
    const y = top + TITLE + at * (BAR + GAP);
    const width = Math.max((values[at] ?? 0) * scale, 1).toFixed(1);
    const ratio = figures['times the floor'] ?? figures['of the open route'];
    const value = `${show(figures[bar])} ${bar}${ratio === undefined ? '' : ` · ${ratio.toFixed(2)}×`}`;
    return [
      `<text x="${LABEL - 10}" y="${y + 13}" text-anchor="end">${escapeText(name)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${colourOf(name)}"/>`,
      `<text x="${LABEL + Number(width) + 8}" y="${y + 13}" fill="#444">${escapeText(value)}</text>`,
    ].join('');
  });
  const heading = `<text x="10" y="${top + 20}" font-weight="600">${escapeText(title)}</text>`;
  return [heading, ...bars].join('\n');
}

function colourOf(name: string): string {
  if (/^(floor|limit)/.test(name)) return '#9aa4b2';
  return name.startsWith('service-auth') ? '#1f7a4d' : '#c9d1db';
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
