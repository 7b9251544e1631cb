/**
 * Runs the suite in workerd, by miniflare: in a Worker as it is, or with `nodejs_compat` as the first argument. With a
 * path as the second, writes the results there as JSON, too.
 */
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { createIssuers } from './issuers.mjs';
import { network, suite } from './names.mjs';
import { countsOf, lineOf } from './suite.mjs';

const [, , kind = 'plain', file] = process.argv;
const isCompatible = kind === 'nodejs_compat';
const compatibilityDate = '2026-04-01';

/** npx puts the packages that it was asked for on the path, and nowhere else. */
function findMiniflare() {
  const folders = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(dirname(folder), 'miniflare'));
  const found = folders.find((folder) => existsSync(join(folder, 'package.json')));
  if (found === undefined)
    throw new Error('miniflare is not on the path: npx -y -p miniflare node workerd.mjs');
  return createRequire(join(found, 'package.json'));
}

const require = findMiniflare();
// By variables, since neither is a package that this one depends on.
const [miniflare, manifest] = ['miniflare', 'workerd/package.json'].map((name) => require.resolve(name));
const { Miniflare } = await import(pathToFileURL(miniflare).href);
const workerd = JSON.parse(await readFile(manifest, 'utf8'));

const bundle = await build({
  entryPoints: [join(import.meta.dirname, isCompatible ? 'worker-nodejs.mjs' : 'worker-plain.mjs')],
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  conditions: ['workerd', 'worker'],
  mainFields: ['module', 'main'],
  external: ['node:*', 'libsql', 'kysely', 'pg'],
  logLevel: 'error',
  write: false,
});

const runtime = { name: isCompatible ? 'workerd, nodejs_compat' : 'workerd', version: workerd.version };
const issuers = createIssuers(network);

/** The other side of the network: the issuers, and the way back into the Worker. */
async function outboundService(request) {
  const { url, method, headers } = request;
  const hasBody = method !== 'GET' && method !== 'HEAD';
  const init = { method, headers: [...headers], ...(hasBody && { body: await request.arrayBuffer() }) };
  if (!issuers.has(url)) return mf.dispatchFetch(url, { ...init, redirect: 'manual' });
  const answer = await issuers.answer(new Request(url, init));
  const bytes = await answer.arrayBuffer();
  return new Response(bytes.byteLength === 0 ? null : bytes, answer);
}

const mf = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.mjs', contents: bundle.outputFiles[0].text }],
  compatibilityDate,
  compatibilityFlags: isCompatible ? ['nodejs_compat'] : [],
  bindings: { runtime },
  outboundService,
});
const startedAt = performance.now();
try {
  const response = await mf.dispatchFetch(suite);
  if (response.status !== 200) throw new Error(await response.text());
  const results = await response.json();
  for (const result of results) console.log(lineOf(result));
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
  console.log(`${runtime.name} ${runtime.version}: ${countsOf(results)}, in ${seconds} s`);
  if (file !== undefined) await writeFile(file, JSON.stringify({ runtime, results }));
  if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
} finally {
  await mf.dispose();
  await issuers.close();
}
