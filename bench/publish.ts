/** Writes what was measured to where it is read: Markdown, charts, README and docs/performance.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { drawChart } from './chart.ts';
import { renderGoals } from './goals.ts';
import { renderTable, replaceBlock } from './markdown.ts';
import { profilesFile, renderProfiles } from './profile.ts';
import { summarise } from './readme.ts';
import { folder, type Result } from './results.ts';
import { barOf, tables } from './tables.ts';

export function publish(results: readonly Result[]): void {
  const machines = [
    ...new Set(results.map(({ node, cores, processor }) => `Node ${node}, ${cores} × ${processor}`)),
  ];
  const heading = `${machines.join('; ')}\n`;
  const measured = results.map(renderTable).join('\n');
  writeFileSync(`${folder}/results.md`, `${heading}\n${renderGoals(results)}\n\n${measured}`);
  drawCharts(results);
  change('README.md', (text) => replaceBlock(text, 'bench', summarise(results)));
  change('docs/performance.md', (text) => {
    const withGoals = replaceBlock(text, 'goals', `${heading}\n${renderGoals(results)}`);
    const withTables = replaceBlock(withGoals, 'tables', measured);
    return existsSync(profilesFile) ? replaceBlock(withTables, 'profiles', renderProfiles()) : withTables;
  });
}

function drawCharts(results: readonly Result[]): void {
  const charts = new Set(tables.map(({ chart }) => chart));
  for (const chart of charts) {
    const groups = tables
      .filter((table) => table.chart === chart)
      .flatMap((table) => {
        const rows = results.find((result) => result.table === table.name)?.rows;
        return rows === undefined ? [] : [{ title: table.name, bar: barOf(table), rows }];
      });
    if (groups.length > 0) writeFileSync(`${folder}/${chart}.svg`, drawChart(groups));
  }
}

function change(file: string, edit: (text: string) => string): void {
  writeFileSync(file, edit(readFileSync(file, 'utf8')));
}
