/** `service-auth gateway` with the policy of this folder, asked as nginx asks it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createTokenClient } from 'service-auth';
import { startIssuer } from '../kit/issuer.ts';
import { ORDERS } from '../kit/service-check.ts';
import type { Stage } from '../kit/stage.ts';

const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

export async function run(stage: Stage): Promise<void> {
  const issuer = await stage.step(
    'an issuer',
    () => startIssuer(stage),
    ({ url }) => url,
  );
  const clientSecret = await issuer.register({
    clientId: 'billing',
    scopes: ['orders:read', 'orders:write'],
    resources: [ORDERS],
  });
  const tokens = createTokenClient({ issuer: issuer.url, clientId: 'billing', clientSecret });
  stage.atEnd(() => tokens.close());
  const { url } = await stage.step(
    'the gateway, with policy.json',
    () =>
      stage.start(
        [
          process.execPath,
          cli,
          'gateway',
          '--config',
          writePolicy(stage, issuer.url),
          '--port',
          '0',
          '--json',
        ],
        {},
      ),
    (program) => program.url,
  );

  const ask = (method: string, uri: string, scope?: string) => async (): Promise<Response> => {
    const headers = new Headers({
      'x-forwarded-method': method,
      'x-forwarded-uri': uri,
      'x-forwarded-host': 'api.example',
      'x-forwarded-proto': 'https',
    });
    if (scope !== undefined) {
      headers.set('authorization', `Bearer ${(await tokens.getToken({ scope })).accessToken}`);
    }
    return fetch(`${url}/auth`, { headers });
  };
  await expectAnswer(stage, 'GET /orders, no token', ask('GET', '/orders'), 401);
  await expectAnswer(stage, 'GET /orders', ask('GET', '/orders/7', 'orders:read'), 200);
  await expectAnswer(stage, 'POST /orders, the wrong scope', ask('POST', '/orders', 'orders:read'), 403);
  await expectAnswer(stage, 'DELETE /orders, as billing', ask('DELETE', '/orders/7', 'orders:write'), 200);
  await expectAnswer(stage, 'GET /payouts, not bound to a key', ask('GET', '/payouts', 'orders:read'), 401);
  await expectAnswer(stage, 'GET /health, open to all', ask('GET', '/health'), 200);
  await expectAnswer(
    stage,
    'GET /elsewhere, which no route covers',
    ask('GET', '/elsewhere', 'orders:read'),
    403,
  );
  await issuer.stop();
  await expectAnswer(stage, 'the issuer is stopped', ask('GET', '/orders', 'orders:read'), 200);
}

/** The policy file, with the issuer of this run. */
function writePolicy(stage: Stage, issuer: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'service-auth-example-'));
  stage.atEnd(() => rmSync(folder, { recursive: true, force: true }));
  const text = readFileSync(new URL('policy.json', import.meta.url), 'utf8');
  const file = join(folder, 'policy.json');
  writeFileSync(file, text.replace('https://idp.example', issuer));
  return file;
}

function expectAnswer(
  stage: Stage,
  title: string,
  ask: () => Promise<Response>,
  status: number,
): Promise<unknown> {
  return stage.step(title, async () => {
    const response = await ask();
    assert.equal(response.status, status, await response.text());
    const clientId = response.headers.get('x-auth-client-id');
    if (clientId !== null) return `${status}, X-Auth-Client-Id: ${clientId}`;
    return `${status} ${response.headers.get('www-authenticate')?.split(', ')[0] ?? ''}`.trim();
  });
}
