/** `npm run bench [-- --quick] [name ...]`: prints the tables; a whole run writes bench/results/ and the README. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { cached } from './cached.ts';
import { drawChart } from './chart.ts';
import { dpop } from './dpop.ts';
import { type Contender, type Measured, measure } from './harness.ts';
import { introspection, introspectionShared } from './introspection.ts';
import { issuer, issuerServices } from './issuer.ts';
import { outboundFetch, outboundFirst, outboundUndici } from './outbound.ts';
import { writeIntoReadme } from './readme.ts';
import { replay } from './replay.ts';
import { algorithms, uncached } from './uncached.ts';

interface Table {
  readonly name: string;
  readonly contenders: (operations: number) => Promise<readonly Contender[]> | readonly Contender[];
  readonly operations: number;
}

const tables: readonly Table[] = [
  ...algorithms.map((algorithm) => ({
    name: `uncached ${algorithm}`,
    operations: 1000,
    contenders: (operations: number) => uncached(algorithm, operations),
  })),
  ...[1, 1000, 10_000, 100_000].map((distinct) => ({
    name: `cached ${distinct}`,
    operations: Math.max(distinct, 50_000),
    contenders: () => cached(distinct),
  })),
  { name: 'dpop', operations: 1000, contenders: dpop },
  { name: 'replay 1000000', operations: 50_000, contenders: () => replay(1_000_000) },
  { name: 'introspection', operations: 2000, contenders: introspection },
  { name: 'introspection, one token', operations: 1000, contenders: introspectionShared },
  { name: 'outbound, fetch', operations: 4000, contenders: outboundFetch },
  { name: 'outbound, undici', operations: 5000, contenders: outboundUndici },
  { name: 'outbound, first calls', operations: 1000, contenders: outboundFirst },
  { name: 'issuer, tokens', operations: 4000, contenders: issuer },
  {
    name: 'issuer, registered services',
    operations: 4000,
    contenders: () => issuerServices(values.quick ? 1000 : 1_000_000),
  },
];

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: 'boolean', default: false } },
});
const chosen = tables.filter(
  ({ name }) => positionals.length === 0 || positionals.some((word) => name.startsWith(word)),
);
if (chosen.length === 0) {
  console.error(`no benchmark is named so; there are: ${tables.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

const rounds = values.quick ? 3 : 21;
const results: Record<string, readonly Measured[]> = {};
let markdown = `Node ${process.versions.node}, ${cpus().length} × ${cpus()[0]?.model ?? 'unknown processor'}, ${rounds} rounds\n`;
for (const { name, contenders, operations } of chosen) {
  if (values.quick && operations > 50_000) continue;
  const count = values.quick ? Math.ceil(operations / 5) : operations;
  const measured = await measure({ rounds, operations: count, contenders: await contenders(count) });
  results[name] = measured;
  const table = renderTable(name, measured);
  markdown += table;
  console.log(table);
}
const isWhole = chosen.length === tables.length && !values.quick;
if (isWhole) {
  mkdirSync('bench/results', { recursive: true });
  writeFileSync('bench/results/results.json', `${JSON.stringify(results, null, 2)}\n`);
  writeFileSync('bench/results/results.md', markdown);
  writeFileSync('bench/results/results.svg', drawChart(results));
  writeIntoReadme(results);
}

function renderTable(name: string, measured: readonly Measured[]): string {
  const floor = measured[0]?.microseconds ?? Number.NaN;
  const keeps = measured.some(({ bytesEach }) => bytesEach !== undefined);
  const rows = measured.map(({ name: who, microseconds, ratio, spread: [least, most], bytesEach }) =>
    [
      who,
      microseconds.toFixed(2),
      `${ratio.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`,
      (microseconds - floor).toFixed(2),
      ...(keeps ? [bytesEach ?? '–'] : []),
    ].join(' | '),
  );
  const columns = ['us, median', 'times the floor, median (range)', 'us over the floor'];
  if (keeps) columns.push('bytes each');
  const head = `| ${columns.join(' | ')} |\n|${' --- |'.repeat(columns.length + 1)}`;
  return `\n**${name}**\n\n| ${head}\n| ${rows.join(' |\n| ')} |\n`;
}
