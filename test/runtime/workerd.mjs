/** The built package in workerd: many requests at once, none of which may wait for a promise of another. */
import assert from 'node:assert/strict';
import { build } from 'esbuild';
import { createIssuer } from 'service-auth/issuer';

const { Miniflare } = await import(process.argv[2]);
const url = 'https://issuer.example';
const adminToken = 'an-admin-token-for-this-run';
const issuer = createIssuer({ issuer: url, adminToken });
const created = await issuer.fetch(
  new Request(`${url}/admin/services`, {
    method: 'POST',
    headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
    body: JSON.stringify({
      clientId: 'billing',
      name: 'Billing',
      scopes: ['orders:read'],
      resources: ['https://orders.example'],
    }),
  }),
);
const { clientSecret } = await created.json();
const {
  outputFiles: [bundle],
} = await build({
  entryPoints: ['test/runtime/worker.js'],
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  conditions: ['workerd', 'worker'],
  mainFields: ['module', 'main'],
  write: false,
});
const mf = new Miniflare({
  modules: [{ type: 'ESModule', path: 'worker.mjs', contents: bundle.text }],
  compatibilityDate: '2025-01-01',
  bindings: { CLIENT_SECRET: clientSecret },
  // The other side of the network: the issuer, and a service that gives back what proves who calls.
  async outboundService(request) {
    if (new URL(request.url).origin !== url) return new Response(request.headers.get('authorization'));
    const { method, headers } = request;
    const body = method === 'POST' ? await request.text() : undefined;
    const answer = await issuer.fetch(new Request(request.url, { method, headers: [...headers], body }));
    return new Response(await answer.text(), { status: answer.status, headers: [...answer.headers] });
  },
});
try {
  const calls = await Promise.all(
    Array.from({ length: 50 }, async () => {
      const response = await mf.dispatchFetch('http://worker.example/call');
      return `${response.status} ${await response.text()}`;
    }),
  );
  for (const call of calls) assert.match(call, /^200 Bearer ey/);
  const token = (calls[0] ?? '').slice('200 '.length);
  const judged = await Promise.all(
    Array.from({ length: 50 }, async (_, at) => {
      const headers = at % 2 === 0 ? { authorization: token } : {};
      return (await mf.dispatchFetch('http://worker.example/orders', { headers })).status;
    }),
  );
  assert.deepEqual(new Set(judged.filter((_, at) => at % 2 === 0)), new Set([200]));
  assert.deepEqual(new Set(judged.filter((_, at) => at % 2 === 1)), new Set([401]));
  console.log('the package works on workerd');
} finally {
  await mf.dispose();
}
