/**
 * Runs the suite on every runtime, two at a time, and compares what came of it with the results that are committed.
 * With `--publish` it writes them instead, and what the documents show of them.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { publish, readResults } from './publish.ts';
import { agree, type RuntimeRun, summarise } from './results.ts';

const AT_ONCE = 2;
/** A runtime that must be fetched first takes its time. */
const LONGEST_MS = 240_000;

const main = fileURLToPath(new URL('main.mjs', import.meta.url));
const workerd = fileURLToPath(new URL('workerd.mjs', import.meta.url));

const ownMajor = Number.parseInt(process.versions.node, 10);
const node = (major: number): readonly string[] =>
  major === ownMajor ? [process.execPath, main] : ['npx', '-y', '-p', `node@${major}`, 'node', main];
const worker = (kind: string): readonly string[] => [
  'npx',
  '-y',
  '-p',
  'miniflare@4.20260426.0',
  'node',
  workerd,
  kind,
];

/** In the order of the matrix. */
const commands: readonly (readonly string[])[] = [
  node(20),
  node(22),
  node(24),
  node(26),
  ['npx', '-y', 'bun@1.4.5', main],
  ['npx', '-y', 'deno@2.9.6', 'run', '-A', main],
  worker('plain'),
  worker('nodejs_compat'),
];

/** Runs one command; what it printed is shown at its end, without what simply passed. */
async function run([program = '', ...given]: readonly string[], file: string): Promise<RuntimeRun> {
  const child = spawn(program, [...given, file], { stdio: ['ignore', 'pipe', 'pipe'], timeout: LONGEST_MS });
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (printed += String(data)));
  const code = await new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
  const lines = printed.split('\n').filter((text) => text !== '' && !/^(✓|npm warn)/.test(text));
  console.log(lines.join('\n'));
  if (code !== 0) throw new Error(`${[program, ...given].join(' ')} failed`);
  return JSON.parse(await readFile(file, 'utf8'));
}

/** The slowest come first, so that they do not come alone at the end. */
async function runAll(folder: string): Promise<readonly PromiseSettledResult<RuntimeRun>[]> {
  const outcomes: PromiseSettledResult<RuntimeRun>[] = [];
  const left = [...commands.keys()];
  const work = async (): Promise<void> => {
    for (let at = left.pop(); at !== undefined; at = left.pop()) {
      const [outcome] = await Promise.allSettled([run(commands[at] ?? [], join(folder, `${at}.json`))]);
      outcomes[at] = outcome;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return outcomes;
}

const startedAt = performance.now();
const folder = await mkdtemp(join(tmpdir(), 'service-auth-runtimes-'));
const outcomes = await runAll(folder);
await rm(folder, { recursive: true });
const failures = outcomes.filter((outcome) => outcome.status === 'rejected');
for (const { reason } of failures) console.error(String(reason));
console.log(`${commands.length} runtimes in ${((performance.now() - startedAt) / 1000).toFixed(0)} s`);
if (failures.length > 0) {
  process.exitCode = 1;
} else {
  const results = summarise(outcomes.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : [])));
  if (process.argv.includes('--publish')) publish(results);
  else if (!agree(results, readResults())) {
    console.error('test/runtime/results.json is out of date: npm run test:runtimes -- --publish');
    process.exitCode = 1;
  }
}
