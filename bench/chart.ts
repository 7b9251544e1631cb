/** Draws results as one SVG: a group of bars for each table. */
import type { Measured } from './harness.ts';

const WIDTH = 860;
const LABEL = 330;
const BAR = 18;
const GAP = 6;
const TITLE = 34;

export function drawChart(results: Readonly<Record<string, readonly Measured[]>>): string {
  let top = 10;
  const groups = Object.entries(results).map(([name, measured]) => {
    const drawn = drawGroup(name, measured, top);
    top += TITLE + measured.length * (BAR + GAP) + 14;
    return drawn;
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${top}" font-family="system-ui, sans-serif" font-size="13">
<rect width="100%" height="100%" fill="#fff"/>
${groups.join('\n')}
</svg>
`;
}

function drawGroup(name: string, measured: readonly Measured[], top: number): string {
  const longest = Math.max(...measured.map(({ microseconds }) => microseconds));
  const scale = (WIDTH - LABEL - 150) / longest;
  const bars = measured.map(({ name: who, microseconds, ratio }, at) => {
    const y = top + TITLE + at * (BAR + GAP);
    const width = Math.max(microseconds * scale, 1).toFixed(1);
    const colour = who.startsWith('floor')
      ? '#9aa4b2'
      : who.startsWith('service-auth')
        ? '#1f7a4d'
        : '#c9d1db';
    const value = `${microseconds.toFixed(2)} us · ${ratio.toFixed(2)}×`;
    return [
      `<text x="${LABEL - 10}" y="${y + 13}" text-anchor="end">${escapeText(who)}</text>`,
      `<rect x="${LABEL}" y="${y}" width="${width}" height="${BAR}" rx="2" fill="${colour}"/>`,
      `<text x="${LABEL + Number(width) + 8}" y="${y + 13}" fill="#444">${value}</text>`,
    ].join('');
  });
  const title = `<text x="10" y="${top + 20}" font-weight="600">${escapeText(name)}</text>`;
  return [title, ...bars].join('\n');
}

function escapeText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
