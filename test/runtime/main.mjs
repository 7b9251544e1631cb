/**
 * Runs the suite on the runtime that runs this file (Node, Bun or Deno), and prints the results; with a path as its
 * argument, writes them there as JSON, too.
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getRequestListener } from '@hono/node-server';
import { createIssuer } from 'service-auth/issuer';
import { createIssuers } from './issuers.mjs';
import { adminToken, issuers } from './names.mjs';
import { countsOf, lineOf, runSuite } from './suite.mjs';

const { Bun, Deno } = globalThis;
const loopback = { hostname: '127.0.0.1', port: 0 };

function identify() {
  if (Bun !== undefined) return { name: 'Bun', version: Bun.version };
  if (Deno !== undefined) return { name: 'Deno', version: Deno.version.deno };
  return { name: 'Node', version: process.versions.node };
}

/** The server that people use there. */
async function serve(handler) {
  if (Bun !== undefined) {
    const server = Bun.serve({ ...loopback, fetch: handler });
    return { url: server.url.href, close: () => server.stop(true) };
  }
  if (Deno !== undefined) {
    const ending = new AbortController();
    const server = Deno.serve({ ...loopback, signal: ending.signal, onListen() {} }, (request) =>
      handler(request),
    );
    const close = () => {
      ending.abort();
      return server.finished;
    };
    return { url: `http://127.0.0.1:${server.addr.port}/`, close };
  }
  const server = createServer(getRequestListener(handler, { overrideGlobalObjects: false }));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = () =>
    new Promise((resolve) => {
      server.close(resolve);
      server.closeAllConnections();
    });
  return { url: `http://127.0.0.1:${server.address().port}/`, close };
}

const complaints = [];
process.on('warning', ({ name, message }) => complaints.push(`${name}: ${message}`));
process.on('unhandledRejection', (reason) => complaints.push(`unhandled: ${reason}`));

const folder = await mkdtemp(join(tmpdir(), 'service-auth-'));
let files = 0;
async function writeSecret(text) {
  const path = join(folder, `${++files}`);
  await writeFile(path, text);
  return path;
}

let all;
const listening = await serve((request) => all.answer(request));
const { origin: network } = new URL(listening.url);
all = createIssuers(network);
const host = {
  runtime: identify(),
  issuers: { ...issuers, network },
  issuerFetch: (request) => all.answer(request),
  adminToken,
  createIssuer,
  serve,
  writeFile: writeSecret,
  complaints,
};

const startedAt = performance.now();
const results = await runSuite(host, (result) => console.log(lineOf(result)));
const seconds = (performance.now() - startedAt) / 1000;
await listening.close();
await all.close();
await rm(folder, { recursive: true });
const { name, version } = host.runtime;
console.log(`${name} ${version}: ${countsOf(results)}, in ${seconds.toFixed(1)} s`);
const [, , file] = process.argv;
if (file !== undefined) await writeFile(file, JSON.stringify({ runtime: host.runtime, results }));
if (results.some(({ outcome }) => outcome === 'failed')) process.exitCode = 1;
