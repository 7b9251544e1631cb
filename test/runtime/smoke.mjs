/** The built package on the runtime that runs this file: an issuer, a protected handler, a call. */
import assert from 'node:assert/strict';
import { createAuthedFetch, createVerifier } from 'service-auth';
import { createIssuer } from 'service-auth/issuer';
import { withServiceAuth } from 'service-auth/web';

const url = 'https://issuer.example';
const adminToken = 'an-admin-token-for-this-run';
const issuer = createIssuer({ issuer: url, adminToken });
const toIssuer = (input, init) => issuer.fetch(new Request(input, init));

const created = await toIssuer(`${url}/admin/services`, {
  method: 'POST',
  headers: { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' },
  body: JSON.stringify({
    clientId: 'billing',
    name: 'Billing',
    scopes: ['orders:read'],
    resources: ['https://orders.example'],
  }),
});
const { clientSecret } = await created.json();
assert.equal(created.status, 201);

const verifier = createVerifier({ issuer: url, audience: 'https://orders.example', fetch: toIssuer });
const orders = withServiceAuth((_request, caller) => Response.json({ client: caller.clientId }), {
  verifier,
  scope: 'orders:read',
});
const authedFetch = createAuthedFetch({
  issuer: url,
  clientId: 'billing',
  clientSecret,
  targets: [{ origin: 'https://orders.example', scope: 'orders:read', resource: 'https://orders.example' }],
  fetch: (input, init) =>
    String(input).startsWith(url) ? toIssuer(input, init) : orders(new Request(input, init)),
});

const response = await authedFetch('https://orders.example/orders');
assert.equal(response.status, 200);
assert.deepEqual(await response.json(), { client: 'billing' });
assert.equal((await orders(new Request('https://orders.example/orders'))).status, 401);
const { Bun, Deno } = globalThis;
const runtime = Bun ? `Bun ${Bun.version}` : Deno ? `Deno ${Deno.version.deno}` : `Node ${process.version}`;
console.log(`the package works on ${runtime}`);
