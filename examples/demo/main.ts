/** `npm start`: an issuer, four protected services, a worker that calls them, each its own process. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { startIssuer, startScript, stopAll } from './processes.ts';

const adminToken = randomBytes(32).toString('base64url');
const orders = 'https://orders.example';
const started = performance.now();
let failed = 0;
let passed = 0;

/** One line a step: a tick or a cross, what was shown, and the time it took. */
async function step<T>(title: string, work: () => Promise<T>, detailOf: (result: T) => string): Promise<T> {
  const start = performance.now();
  const line = (mark: string, detail: string): void =>
    console.log(
      `${mark} ${title.padEnd(46)} ${detail.padEnd(46)} ${Math.round(performance.now() - start)} ms`,
    );
  try {
    const result = await work();
    line('✓', detailOf(result));
    passed++;
    return result;
  } catch (error) {
    line('✗', error instanceof Error ? error.message : String(error));
    failed++;
    throw error;
  }
}

async function createService(issuerUrl: string, clientId: string): Promise<string> {
  const scopes = ['orders:read', 'orders:write'];
  const response = await fetch(`${issuerUrl}/admin/services`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId, name: clientId, scopes, resources: [orders, 'https://stock.example'] }),
  });
  const { clientSecret } = (await response.json()) as { clientSecret?: string };
  if (response.status !== 201 || clientSecret === undefined) throw new Error(`answered ${response.status}`);
  return clientSecret;
}

async function run(): Promise<void> {
  const issuer = await step(
    'issuer',
    () => startIssuer(adminToken, ['--resource', orders, '--resource', 'https://stock.example']),
    ({ url }) => url,
  );
  const secrets = await step(
    'two services registered',
    async () => ({
      billing: await createService(issuer.url, 'billing'),
      reporting: await createService(issuer.url, 'reporting'),
    }),
    () => 'billing, reporting; secrets shown once',
  );
  const inbound = { SERVICE_AUTH_ISSUER: issuer.url, SERVICE_AUTH_AUDIENCE: orders };
  const names = ['express', 'hono', 'fastify', 'koa'];
  const services = await step(
    'four protected services',
    async () => {
      const all = await Promise.all(names.map((name) => startScript(`services/${name}.ts`, inbound)));
      return Object.fromEntries(all.map(({ hello }, at) => [names[at], hello.url]));
    },
    () => names.join(', '),
  );

  const stranger = createServer((_request, response) => {
    strangerRequests++;
    response.end();
  });
  let strangerRequests = 0;
  await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
  stranger.unref();
  const worker = await startScript('worker.ts', {
    SERVICE_AUTH_ISSUER: issuer.url,
    SERVICE_AUTH_CLIENT_ID: 'billing',
    SERVICE_AUTH_CLIENT_SECRET: secrets.billing,
    DEMO_REPORTING_SECRET: secrets.reporting,
    DEMO_ADMIN_TOKEN: adminToken,
    DEMO_SERVICES: JSON.stringify(services),
    DEMO_STRANGER: `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`,
  });
  const ask = (title: string, name: string, settings = {}): Promise<unknown> =>
    step(
      title,
      async () => {
        const answer = (await worker.ask({ step: name, ...settings })) as {
          detail?: string;
          failure?: string;
        };
        if (answer.detail === undefined) throw new Error(answer.failure ?? 'the worker gave no answer');
        return answer.detail;
      },
      (detail) => detail,
    ).catch(() => undefined);

  await ask('one token for 200 concurrent calls', 'herd');
  await ask('a good token', 'frameworks');
  await ask('no token', 'noToken');
  await ask('the wrong scope', 'wrongScope');
  await ask('a token for another audience', 'wrongAudience');
  await ask('a tampered token', 'tampered');
  await ask('a client that is not allowed', 'wrongClient');
  await ask('signing-key rotation', 'rotation');
  await ask('an origin that was not named', 'stranger');
  if (strangerRequests > 0) throw new Error('the origin that was not named got a request');
  await step(
    'issuer stopped',
    () => issuer.stop(),
    () => 'its process has ended',
  );
  await ask('cached keys, issuer stopped', 'issuerDown');
  const cold = await startScript('services/express.ts', inbound);
  await ask('keys never loaded, issuer stopped', 'coldService', { DEMO_COLD: cold.hello.url });
}

// Children outlive a parent that is merely told to end.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => void stopAll().finally(() => process.exit(1)));
}
try {
  await run();
} catch (error) {
  failed = Math.max(failed, 1);
  console.error(error instanceof Error ? error.message : error);
} finally {
  await stopAll();
}
const seconds = ((performance.now() - started) / 1000).toFixed(1);
console.log(`\n${passed} passed, ${failed} failed in ${seconds} s`);
process.exitCode = failed === 0 ? 0 : 1;
