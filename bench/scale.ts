/**
 * `npm run bench:scale`: what fleets of 10 to 100,000 instances ask of an issuer and of Redis, by the model of
 * docs/scale.md and simulated with the real token slots. Writes the figures, a chart and the tables of docs/scale.md.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { drawChart } from './chart.ts';
import type { Row } from './harness.ts';
import { line, machineOf, replaceBlock, show } from './markdown.ts';
import { folder, type Result, resultOf, root, saveResult } from './results.ts';
import { documentLoad, introspectionLoad, redisLoad, sharedTokenLoad, tokenLoad } from './scale/model.ts';
import { defaultPlan, type Plan, planFor } from './scale/plan.ts';
import { type Simulated, simulate, simulateHerd } from './scale/simulate.ts';

const SEED = 9;
const sizes = [10, 100, 1000, 10_000, 100_000];
const HERD_SECONDS = 600;

/** Model and simulation side by side, a row for each size. */
export async function scale(isQuick = false): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (const instances of isQuick ? sizes.slice(0, 3) : sizes) {
    const plan = planFor(instances);
    rows.push({
      name: `${instances.toLocaleString('en')} instances`,
      figures: figuresOf(plan, await quietly(plan)),
    });
  }
  return rows;
}

/** Of failures that are counted alone nobody reads the stack, which is most of what they cost. */
async function quietly(plan: Plan): Promise<Simulated> {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 0;
  try {
    return await simulate(plan, SEED);
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

function figuresOf(plan: Plan, found: Simulated): Row['figures'] {
  const tokens = tokenLoad(plan);
  const shared = sharedTokenLoad(plan);
  const redis = redisLoad(plan);
  const documents = documentLoad(plan);
  const introspections = introspectionLoad(plan);
  return {
    'token requests/s, model': tokens.steady,
    simulated: found.tokens.steady,
    'deploy, model': tokens.deployPeak,
    'deploy, simulated': found.tokens.deployPeak,
    'deploy, longest wait s': found.deployWait,
    'after an outage, model': tokens.outagePeak,
    'after an outage, simulated': found.tokens.outagePeak,
    'after an outage, longest wait s': found.recoverySeconds,
    'shared store, model': shared.steady,
    'shared store, simulated': found.shared.steady,
    'shared store, deploy model': shared.deployPeak,
    'shared store, deploy': found.shared.deployPeak,
    'Redis ops/s, model': redis.tokens,
    'Redis ops/s, simulated': found.shared.commands,
    'Redis at a deploy, model': redis.tokensAtDeploy,
    'Redis at a deploy, simulated': found.shared.commandsAtDeploy,
    'Redis, proofs/s': redis.proofs,
    'Redis, live proofs': redis.liveProofs,
    'Redis, invalidations/s': redis.invalidations,
    'status list/s, model': documents.statusList,
    'status list/s, simulated': found.documents.statusList,
    'JWKS/s, model': documents.keys,
    'JWKS/s, simulated': found.documents.keys,
    'introspection/s, model': introspections.alone,
    'introspection/s, simulated': found.introspections.alone,
    'shared tokens, model': introspections.sharedTokens,
    'shared tokens, simulated': found.introspections.sharedTokens,
    'shared answers, model': introspections.sharedAnswers,
    'shared answers, simulated': found.introspections.sharedAnswers,
  };
}

type Column = readonly [title: string, ...figures: string[]];

const loadTable: readonly Column[] = [
  ['Token requests/s, steady', 'token requests/s, model', 'simulated'],
  ['Peak second of a deploy', 'deploy, model', 'deploy, simulated'],
  ['Peak second after an outage', 'after an outage, model', 'after an outage, simulated'],
  ['With the shared store', 'shared store, model', 'shared store, simulated'],
  ['Redis ops/s for it', 'Redis ops/s, model', 'Redis ops/s, simulated'],
  ['Status-list fetches/s', 'status list/s, model', 'status list/s, simulated'],
  ['JWKS fetches/s', 'JWKS/s, model', 'JWKS/s, simulated'],
];

const waitTable: readonly Column[] = [
  ['Longest wait at a deploy, s', 'deploy, longest wait s'],
  ['Longest wait once the issuer is back, s', 'after an outage, longest wait s'],
  ['Shared store: peak second of a deploy', 'shared store, deploy model', 'shared store, deploy'],
  ['Redis ops in that deploy’s peak second', 'Redis at a deploy, model', 'Redis at a deploy, simulated'],
];

const redisTable: readonly Column[] = [
  ['Proofs/s', 'Redis, proofs/s'],
  ['Proofs alive', 'Redis, live proofs'],
  ['Invalidations: EVAL/s', 'Redis, invalidations/s'],
];

const introspectionTable: readonly Column[] = [
  ['Introspection calls/s', 'introspection/s, model', 'introspection/s, simulated'],
  ['Callers share tokens', 'shared tokens, model', 'shared tokens, simulated'],
  ['Verifiers share answers, too', 'shared answers, model', 'shared answers, simulated'],
];

const startTable: readonly Column[] = [
  ['Tokens wanted', 'tokens wanted'],
  ['Requests made', 'requests made'],
  ['Answered too late', 'answered too late'],
  ['All have tokens after, s', 'all have tokens after s'],
];

function renderColumns(rows: readonly Row[], columns: readonly Column[]): string {
  const head = line(['', ...columns.map(([title]) => title)]);
  const body = rows.map(({ name, figures }) =>
    line([name, ...columns.map(([, ...names]) => names.map((figure) => show(figures[figure])).join(' / '))]),
  );
  return [head, line(['---', ...columns.map(() => '---:')]), ...body].join('\n');
}

/** Starts that nothing spreads, against what the issuer can do before clients wait no longer. */
async function herds(): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const unlimited = { clientRequestsPerMinute: Number.POSITIVE_INFINITY };
  for (const instances of [1000, 10_000, 20_000, 30_000, 40_000, 100_000]) {
    const plan = planFor(instances, { ...unlimited, deploySeconds: 1 });
    rows.push({ name: `${instances.toLocaleString('en')} within a second`, figures: await herd(plan) });
  }
  for (const instances of [1000, 2000, 5000, 10_000]) {
    const plan = planFor(instances, { instancesPerService: instances });
    rows.push({
      name: `${instances.toLocaleString('en')} of one service within a minute`,
      figures: await herd(plan, instances),
    });
  }
  return rows;
}

async function herd(plan: Plan, most?: number): Promise<Row['figures']> {
  const { requests, wasted, allServedSeconds } = await simulateHerd(plan, SEED, HERD_SECONDS, most);
  return {
    'tokens wanted': plan.instances * plan.tokens,
    'requests made': requests,
    'answered too late': wasted,
    'all have tokens after s': allServedSeconds ?? Number.NaN,
  };
}

/** For the chart: each load that grows, by its size. */
function chartOf(result: Result): string {
  const columns = [
    ['Token requests a second, steady', 'simulated'],
    ['Peak second of a deploy of a minute', 'deploy, simulated'],
    ['Peak second after an outage of five minutes', 'after an outage, simulated'],
    ['With the shared store, steady', 'shared store, simulated'],
  ] as const;
  const groups = columns.map(([title, figure]) => ({
    title,
    bar: { column: figure, unit: 'a second' },
    rows: result.rows.map(({ name, figures }) => ({ name: `service-auth, ${name}`, figures })),
  }));
  const title = 'What fleets of many instances ask of an issuer, simulated';
  return drawChart({ title, foot: `bench/scale.ts, ${machineOf(result)}`, groups });
}

async function main(): Promise<void> {
  const startedAt = performance.now();
  const rows = await scale();
  const result = resultOf('scale', rows);
  saveResult(result);
  writeFileSync(`${folder}/scale.svg`, chartOf(result));
  Error.stackTraceLimit = 0;
  const herdRows = await herds();
  const tables = {
    load: renderColumns(rows, loadTable),
    waits: renderColumns(rows, waitTable),
    redis: renderColumns(rows, redisTable),
    introspection: renderColumns(rows, introspectionTable),
    starts: renderColumns(herdRows, startTable),
  };
  const file = `${root}/docs/scale.md`;
  let text = readFileSync(file, 'utf8');
  for (const [name, table] of Object.entries(tables)) {
    text = replaceBlock(text, name, table);
    console.log(`${table}\n`);
  }
  writeFileSync(file, text);
  const { issuerTokensPerSecond } = defaultPlan;
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  console.log(
    `(model / simulated; an issuer of ${issuerTokensPerSecond} tokens a second; took ${seconds} s)`,
  );
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
