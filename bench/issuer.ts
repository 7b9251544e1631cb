/** Tokens for services (client credentials, ES256) from an issuer on one core, against the least that signs as many. */
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Pool } from 'undici';
import { type Child, pinToOneCore, startChild } from './children.ts';
import { atOnce, type Contender, type Figures, percentile } from './harness.ts';
import type { Serving, Start } from './issuer-server.ts';

const AT_ONCE = 64;

type Kind = 'floor' | 'memory' | 'libsql';

/** One service asks. */
export async function issuer(): Promise<readonly Contender[]> {
  return [
    await contender('floor: node:http and crypto.sign', 'floor', 1),
    await contender('service-auth, in memory', 'memory', 1),
    await contender('service-auth, on disk', 'libsql', 1),
  ];
}

/** Up to 200 services ask, of so many that are registered. */
export async function issuerServices(most: number): Promise<readonly Contender[]> {
  const counts = [1, 1000, 100_000, 1_000_000].filter((count) => count <= most);
  const contenders: Contender[] = [];
  for (const count of counts) {
    const name = `service-auth, on disk, ${count.toLocaleString('en')} registered`;
    contenders.push(await contender(count === 1 ? `floor: ${name}` : name, 'libsql', count));
  }
  return contenders;
}

async function contender(name: string, kind: Kind, services: number): Promise<Contender> {
  const serving = await start(kind, services);
  const pool = new Pool(serving.url, { connections: AT_ONCE, keepAliveTimeout: 60_000 });
  const headers = serving.services.map(({ clientId, clientSecret }) => ({
    authorization: `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`,
    'content-type': 'application/x-www-form-urlencoded',
  }));
  const ask = async (at: number): Promise<void> => {
    const { statusCode, body } = await pool.request({
      path: '/token',
      method: 'POST',
      headers: headers[at % headers.length] ?? null,
      body: 'grant_type=client_credentials',
    });
    const text = await body.text();
    if (statusCode !== 200) throw new Error(`a token of the benchmark was refused: ${statusCode} ${text}`);
  };
  const milliseconds: number[] = [];
  let rounds = 0;
  let elapsedMs = 0;
  const run = async (_: number, count: number): Promise<void> => {
    // The first round does not count.
    const isWarm = rounds++ > 0;
    const begun = performance.now();
    await atOnce(AT_ONCE, count, async (at) => {
      const askedAt = performance.now();
      await ask(at);
      if (isWarm) milliseconds.push(performance.now() - askedAt);
    });
    if (isWarm) elapsedMs += performance.now() - begun;
  };
  const figures = (): Figures => {
    const perSecond = Math.round((milliseconds.length / elapsedMs) * 1000);
    return {
      'a second': perSecond,
      'p50 ms': percentile(milliseconds, 0.5),
      'p99 ms': percentile(milliseconds, 0.99),
    };
  };
  return { name, run, figures };
}

/** Servers run on the first core; they end with this process and do not hold it. */
async function start(kind: Kind, services: number): Promise<Serving> {
  if (kind === 'floor') return pinned().ask<Serving>({ kind } satisfies Start);
  if (kind === 'memory') return pinned().ask<Serving>(registering(undefined, services));
  const directory = mkdtempSync(join(tmpdir(), 'service-auth-bench-'));
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
  // The database is filled while no issuer has it open: it would let nobody in.
  const first = startChild('issuer-server.ts');
  const { services: registered } = await first.ask<Serving>(registering(directory, services));
  first.process.ref();
  first.stop();
  await once(first.process, 'exit');
  const { url } = await pinned().ask<Serving>({ kind: 'filled', directory, services } satisfies Start);
  return { url, services: registered };
}

function registering(directory: string | undefined, services: number): Start {
  return { kind: 'registering', directory, services };
}

function pinned(): Child {
  const child = startChild('issuer-server.ts');
  if (!pinToOneCore(child.process)) console.error('the issuer could not be bound to one core');
  return child;
}
