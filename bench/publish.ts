/** Writes what was measured to where it is read: Markdown, charts, README and docs/performance.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawChart, type Group } from './chart.ts';
import { renderGoals } from './goals.ts';
import { frameworks } from './http/routes.ts';
import { machineOf, renderTable, replaceBlock } from './markdown.ts';
import { profilesFile, renderProfiles } from './profile.ts';
import { summarise } from './readme.ts';
import { folder, type Result, roleOf, root } from './results.ts';
import { barOf, type ChartName, tables } from './tables.ts';

const titles: Readonly<Record<ChartName, string>> = {
  verification: 'Verification, compared with other packages',
  http: 'Protected routes, compared with open ones and with other packages',
  burst: 'Many new tokens at once',
  outbound: 'Calls of services and introspection, compared with other packages',
  growth: 'The same work with more issuers, keys, policies and tokens',
  issuer: 'Tokens of the issuer',
  size: 'Memory, imports and bundles',
};

export function publish(results: readonly Result[]): void {
  const heading = `${machinesOf(results)}\n`;
  const measured = results.map(renderTable).join('\n');
  writeFileSync(join(folder, 'results.md'), `${heading}\n${renderGoals(results)}\n\n${measured}`);
  drawCharts(results);
  change('README.md', (text) => replaceBlock(text, 'bench', summarise(results)));
  change('docs/performance.md', (text) => {
    const withGoals = replaceBlock(text, 'goals', `${heading}\n${renderGoals(results)}`);
    return existsSync(profilesFile) ? replaceBlock(withGoals, 'profiles', renderProfiles()) : withGoals;
  });
}

function machinesOf(results: readonly Result[]): string {
  return [...new Set(results.map(machineOf))].join('; ');
}

function drawCharts(results: readonly Result[]): void {
  const write = (chart: string, title: string, groups: readonly Group[]): void => {
    const foot = `npm run bench, ${machinesOf(results)}`;
    if (groups.length > 0) writeFileSync(join(folder, `${chart}.svg`), drawChart({ title, foot, groups }));
  };
  for (const [chart, title] of Object.entries(titles)) {
    const names = tables.filter((table) => table.chart === chart).map(({ name }) => name);
    write(
      chart,
      title,
      names.flatMap((name) => groupOf(results, name)),
    );
  }
  write('readme', 'service-auth, compared with other packages', [
    ...['uncached ES256', 'cached 1000'].flatMap((name) => groupOf(results, name)),
    ...addedCpu(results),
  ]);
}

/** Nothing where the table was not measured, or not the figure that its bars show. */
function groupOf(results: readonly Result[], name: string): readonly Group[] {
  const table = tables.find((one) => one.name === name);
  const rows = results.find((one) => one.table === name)?.rows ?? [];
  if (table === undefined) return [];
  const bar = barOf(table);
  return rows.some(({ figures }) => figures[bar.column] !== undefined)
    ? [{ title: table.title, bar, rows }]
    : [];
}

/** Our own row of each framework and those of its peers, for tokens that come again. */
function addedCpu(results: readonly Result[]): readonly Group[] {
  const column = 'CPU us over the open route';
  const rows = frameworks.flatMap((framework) => {
    const all = results.find(({ table }) => table === `http ${framework}`)?.rows ?? [];
    return all
      .filter(({ name }) => name.endsWith(', 1,000 tokens') && ['own', 'peer'].includes(roleOf(name)))
      .map(({ name, figures }) => {
        const who = name.replace(', 1,000 tokens', '');
        const shown = roleOf(name) === 'own' ? `${who}, ${framework}` : who;
        return { name: shown, figures: { [column]: figures[column] ?? Number.NaN } };
      });
  });
  const title = 'Processor time that protection adds to a request, 1,000 tokens that come again';
  return rows.length === 0 ? [] : [{ title, bar: { column, unit: 'microseconds' }, rows }];
}

function change(file: string, edit: (text: string) => string): void {
  const path = join(root, file);
  writeFileSync(path, edit(readFileSync(path, 'utf8')));
}
