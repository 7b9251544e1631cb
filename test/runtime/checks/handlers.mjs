import { Hono } from 'hono';
import { createVerifier } from 'service-auth';
import * as hono from 'service-auth/hono';
import * as web from 'service-auth/web';
import { equal, matches } from '../support/expect.mjs';
import { requestWith } from '../support/judge.mjs';
import { outage } from '../support/network.mjs';
import { createProver } from '../support/proofs.mjs';
import { audience, issuerUrl, keyOf, mint, trusting } from '../support/tokens.mjs';

function webHandler(options) {
  return web.withServiceAuth((_request, caller) => Response.json({ client: caller.clientId }), options);
}

function honoHandler(options) {
  const app = new Hono();
  app.get('/orders', hono.requireServiceAuth(options), (c) => c.json({ client: c.var.caller.clientId }));
  return (request) => app.fetch(request);
}

async function checkStatuses(makeHandler) {
  const key = await keyOf('ES256');
  const handler = makeHandler({ ...trusting(key), scope: 'orders:read' });
  const good = await handler(requestWith(await mint(key)));
  equal([good.status, await good.json()], [200, { client: 'billing' }], 'the answer to a good token');
  const none = await handler(requestWith(undefined));
  equal(none.status, 401, 'the status without a token');
  matches(none.headers.get('www-authenticate'), /^Bearer/, 'the challenge');
  const lacking = await handler(requestWith(await mint(key, { claims: { scope: 'stock:read' } })));
  equal(
    [lacking.status, (await lacking.json()).error],
    [403, 'insufficient_scope'],
    'the answer without the scope',
  );
}

async function checkUndecided(makeHandler) {
  const key = await keyOf('ES256');
  const handler = makeHandler({ issuer: issuerUrl, audience, fetch: async () => outage() });
  const response = await handler(requestWith(await mint(key)));
  equal(response.status, 503, 'the status');
  matches(response.headers.get('retry-after'), /^\d+$/, 'Retry-After');
}

async function checkNonce(makeHandler) {
  const key = await keyOf('ES256');
  const prover = await createProver();
  const nonces = { nonce: { secret: 'a secret of 32 bytes or more for nonces' } };
  const handler = makeHandler(trusting(key, { dpop: nonces }));
  const token = await mint(key, { claims: { cnf: { jkt: prover.jkt } } });
  const call = async (nonce) =>
    handler(requestWith(token, { scheme: 'DPoP', proof: await prover.prove(token, { nonce }) }));
  const refused = await call(undefined);
  const accepted = await call(refused.headers.get('dpop-nonce'));
  equal([refused.status, accepted.status], [401, 200], 'the statuses');
  matches(accepted.headers.get('dpop-nonce'), /./, 'the nonce of the answer');
}

async function checkMetadata() {
  const options = { resource: audience, authorizationServers: issuerUrl };
  const request = () => new Request(`${audience}/.well-known/oauth-protected-resource`);
  const fromWeb = web.protectedResource(options)(request());
  const app = new Hono().use(hono.protectedResource(options));
  const fromHono = await app.fetch(request());
  for (const response of [fromWeb, fromHono])
    equal((await response.json()).resource, audience, 'the resource');
  equal(web.protectedResource(options)(new Request(audience)), undefined, 'the answer for another path');
}

/** Two guards of one request record its proof once. */
async function checkGuards() {
  const key = await keyOf('ES256');
  const prover = await createProver();
  const verifier = createVerifier(trusting(key));
  const app = new Hono();
  app.use(hono.requireServiceAuth({ verifier }));
  app.get('/orders', hono.requireServiceAuth({ verifier, scope: 'orders:read' }), (c) => c.text('in'));
  const token = await mint(key, { claims: { cnf: { jkt: prover.jkt } } });
  const request = requestWith(token, { scheme: 'DPoP', proof: await prover.prove(token) });
  equal((await app.fetch(request)).status, 200, 'the status');
}

export const handlers = {
  title: 'Web handlers and Hono',
  checks: {
    'web: 200, 401, 403': () => checkStatuses(webHandler),
    'web: 503 with Retry-After': () => checkUndecided(webHandler),
    'web: the nonce of the answer': () => checkNonce(webHandler),
    'Hono: 200, 401, 403': () => checkStatuses(honoHandler),
    'Hono: 503 with Retry-After': () => checkUndecided(honoHandler),
    'Hono: the nonce of the answer': () => checkNonce(honoHandler),
    'Hono: two guards of one request': checkGuards,
    'protected resource metadata': checkMetadata,
  },
};
