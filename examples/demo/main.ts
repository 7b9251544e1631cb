/** `npm start`: an issuer, four protected services, a worker that calls them, each its own process. */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAdminClient } from 'service-auth/issuer';
import { createReport } from '../kit/report.ts';
import { type Issuer, startIssuer, startScript, stopAll } from './processes.ts';

const adminToken = randomBytes(32).toString('base64url');
const orders = 'https://orders.example';
const data = mkdtempSync(join(tmpdir(), 'service-auth-demo-'));
const resources = ['--resource', orders, '--resource', 'https://stock.example'];
const report = createReport();
const { step } = report;

async function createService(admin: Admin, clientId: string): Promise<string> {
  const { clientSecret } = await admin.services.create({
    clientId,
    name: clientId,
    scopes: ['orders:read', 'orders:write'],
    resources: [orders, 'https://stock.example'],
  });
  if (clientSecret === undefined) throw new Error('no secret was shown');
  return clientSecret;
}

type Admin = ReturnType<typeof createAdminClient>;

/** The status of a token request with a secret. */
async function tokenStatus(issuerUrl: string, clientId: string, clientSecret: string): Promise<number> {
  const response = await fetch(`${issuerUrl}/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: clientId,
      client_secret: clientSecret,
      resource: orders,
    }),
  });
  await response.arrayBuffer();
  return response.status;
}

/** Kills the issuer and starts it again on what it had written: same keys, same secrets. */
async function restart(issuer: Issuer, secret: string): Promise<Issuer> {
  const keysOf = async (url: string): Promise<string> => (await fetch(`${url}/jwks`)).text();
  const before = await keysOf(issuer.url);
  await issuer.kill();
  const { port } = new URL(issuer.url);
  const again = await startIssuer(adminToken, ['--data', data, '--port', port, ...resources]);
  if ((await keysOf(again.url)) !== before) throw new Error('the keys are others');
  const status = await tokenStatus(again.url, 'billing', secret);
  if (status !== 200) throw new Error(`the old secret is answered ${status}`);
  return again;
}

async function rotateSecret(admin: Admin, issuerUrl: string, old: string): Promise<void> {
  const { clientSecret } = await admin.secrets.create('reporting', { expireOthersInSeconds: 3600 });
  for (const secret of [old, clientSecret]) {
    const status = await tokenStatus(issuerUrl, 'reporting', secret);
    if (status !== 200) throw new Error(`a live secret is answered ${status}`);
  }
}

async function revokeReporting(admin: Admin, issuerUrl: string, secret: string): Promise<void> {
  await admin.services.revoke('reporting');
  const status = await tokenStatus(issuerUrl, 'reporting', secret);
  if (status !== 401) throw new Error(`it is answered ${status}`);
}

async function run(): Promise<void> {
  const first = await step(
    'issuer',
    () => startIssuer(adminToken, ['--data', data, '--port', '0', ...resources]),
    ({ url }) => `${url}, data on disk`,
  );
  const admin = createAdminClient({ issuer: first.url, adminToken });
  const secrets = await step(
    'two services registered',
    async () => ({
      billing: await createService(admin, 'billing'),
      reporting: await createService(admin, 'reporting'),
    }),
    () => 'billing, reporting; secrets shown once',
  );
  const issuer = await step(
    'issuer killed, and started again',
    () => restart(first, secrets.billing),
    () => 'same keys, same secrets',
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
  await step(
    'client secret rotated',
    () => rotateSecret(admin, issuer.url, secrets.reporting),
    () => 'the old and the new one are good for an hour',
  );
  await step(
    'service revoked',
    () => revokeReporting(admin, issuer.url, secrets.reporting),
    () => '401 at the token endpoint',
  );
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
let isWhole = false;
try {
  await run();
  isWhole = true;
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
} finally {
  await stopAll();
  rmSync(data, { recursive: true, force: true });
}
process.exitCode = report.finish() && isWhole ? 0 : 1;
