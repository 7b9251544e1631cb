/** The Worker in workerd: called without and with a token, and its cron trigger fired. */
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import express from 'express';
import { createTokenClient } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import { type ExampleIssuer, startIssuer } from '../kit/issuer.ts';
import { loadMiniflare } from '../kit/runtimes.ts';
import { ORDERS } from '../kit/service-check.ts';
import type { Stage } from '../kit/stage.ts';

/** What is used of miniflare, which is fetched and so has no types here. */
interface Miniflare {
  readonly ready: Promise<URL>;
  getWorker(): Promise<{ scheduled(options: { cron: string }): Promise<{ outcome: string }> }>;
  dispose(): Promise<void>;
}

interface MiniflareModule {
  readonly Miniflare: new (options: object) => Miniflare;
}

export async function run(stage: Stage): Promise<void> {
  const issuer = await stage.step(
    'an issuer',
    () => startIssuer(stage),
    ({ url }) => url,
  );
  const reports = await stage.step('a service that has reports', () => startReports(stage, issuer), String);
  const bindings = {
    ISSUER: issuer.url,
    AUDIENCE: ORDERS,
    REPORTS_URL: reports,
    CLIENT_ID: 'orders',
    CLIENT_SECRET: await issuer.register({
      clientId: 'orders',
      scopes: ['reports:read'],
      resources: [reports],
    }),
  };
  const worker = await stage.step(
    'workerd',
    () => startWorker(stage, bindings),
    () => 'the Worker is up',
  );
  const url = (await worker.ready).origin;
  if (!stage.check) {
    console.log(`\nThe Worker is at ${url}/orders. Ctrl-C ends it.`);
    return stage.stopped();
  }
  const headers = { authorization: `Bearer ${await tokenOfBilling(issuer)}` };
  await stage.step('no token', () => answer(url, {}, 401, ''));
  await stage.step('a good token', () =>
    answer(url, { headers }, 200, '{"lastReport":null,"caller":"billing"}'),
  );
  await stage.step('the cron trigger', async () => {
    const { outcome } = await (await worker.getWorker()).scheduled({ cron: '0 * * * *' });
    assert.equal(outcome, 'ok');
    return 'it asked for the report, with a token of its own';
  });
  await stage.step('what it has learned', () =>
    answer(url, { headers }, 200, '{"lastReport":{"sold":12,"for":"orders"},"caller":"billing"}'),
  );
  await issuer.stop();
  await stage.step('the issuer is stopped', () => answer(url, { headers }, 200, '"billing"'));
}

async function startReports(stage: Stage, issuer: ExampleIssuer): Promise<string> {
  const app = express();
  const { url } = await stage.serve(app);
  const resource = `${url}/daily`;
  const policy = { issuer: issuer.url, audience: resource, scope: 'reports:read', clients: ['orders'] };
  app.get('/daily', requireServiceAuth(policy), (req, res) => {
    res.json({ sold: 12, for: req.caller?.clientId });
  });
  return resource;
}

async function startWorker(stage: Stage, bindings: object): Promise<Miniflare> {
  const { Miniflare } = (await loadMiniflare()) as MiniflareModule;
  const {
    outputFiles: [bundle],
  } = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    conditions: ['workerd', 'worker'],
    mainFields: ['module', 'main'],
    write: false,
  });
  assert(bundle);
  const miniflare = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.mjs', contents: bundle.text }],
    compatibilityDate: '2025-01-01',
    host: '127.0.0.1',
    port: 0,
    bindings,
  });
  stage.atEnd(() => miniflare.dispose());
  await miniflare.ready;
  return miniflare;
}

async function tokenOfBilling(issuer: ExampleIssuer): Promise<string> {
  const clientSecret = await issuer.register({
    clientId: 'billing',
    scopes: ['orders:read'],
    resources: [ORDERS],
  });
  const tokens = createTokenClient({ issuer: issuer.url, clientId: 'billing', clientSecret });
  const { accessToken } = await tokens.getToken();
  tokens.close();
  return accessToken;
}

async function answer(url: string, init: RequestInit, status: number, text: string): Promise<string> {
  const response = await fetch(`${url}/orders`, init);
  const body = await response.text();
  assert.equal(response.status, status, body);
  assert(body.includes(text), body);
  return `${status} ${status === 200 ? body : response.headers.get('www-authenticate')}`;
}
