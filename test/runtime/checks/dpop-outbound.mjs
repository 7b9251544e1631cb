import { createAuthedFetch, createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';
import { equal } from '../support/expect.mjs';
import { judge } from '../support/judge.mjs';
import { answerOf, connect, equalCount, reaching } from '../support/network.mjs';
import { createProver } from '../support/proofs.mjs';
import { audience } from '../support/tokens.mjs';

const ORDERS = `${audience}/orders`;

/** A caller with a key and a service that asks for proofs; every one is judged by the verifier. */
async function setUp(host, { dpop = true, issuer = 'plain', nonce = false, more = {} } = {}) {
  const network = connect(host, issuer);
  const verifier = createVerifier({
    issuer: network.issuer,
    audience,
    fetch: network.fetch,
    dpop: { mode: 'required', nonce: nonce && { secret: 'a secret of 32 bytes or more for nonces' } },
  });
  let calls = 0;
  const orders = withServiceAuth((_request, caller) => new Response(caller.scheme), { verifier });
  const handler = (request) => {
    calls++;
    return orders(request);
  };
  const client = await network.register();
  const authedFetch = createAuthedFetch(reaching(client, handler, { dpop, ...more }));
  return { network, authedFetch, verifier, calls: () => calls };
}

async function checkAlgorithm(host, algorithm) {
  const { network, authedFetch } = await setUp(host, { dpop: { algorithm } });
  for (const call of [1, 2, 3]) equal(await answerOf(authedFetch(ORDERS)), '200 DPoP', `answer ${call}`);
  equal(await answerOf(authedFetch(ORDERS, { method: 'PUT', body: 'x' })), '200 DPoP', 'the answer to PUT');
  equalCount(network, '/token', 1);
}

async function checkTogether(host) {
  const { authedFetch } = await setUp(host);
  const answers = await Promise.all(Array.from({ length: 50 }, () => answerOf(authedFetch(ORDERS))));
  equal([...new Set(answers)], ['200 DPoP'], 'the answers');
}

async function checkIssuerNonce(host) {
  const { network, authedFetch } = await setUp(host, { issuer: 'nonces' });
  equal(await answerOf(authedFetch(ORDERS)), '200 DPoP');
  equalCount(network, '/token', 2);
  await authedFetch.tokens.getToken({ forceRefresh: true });
  equalCount(network, '/token', 3);
}

async function checkServiceNonce(host) {
  const { authedFetch, calls } = await setUp(host, { nonce: true });
  equal(await answerOf(authedFetch(ORDERS, { method: 'POST', body: 'an order' })), '200 DPoP');
  equal(calls(), 2, 'the number of calls');
  equal(await answerOf(authedFetch(ORDERS)), '200 DPoP');
  equal(calls(), 3, 'the number of calls once the nonce is known');
}

async function checkStolen(host) {
  const { authedFetch, verifier } = await setUp(host);
  const { accessToken } = await authedFetch.tokens.getToken({ scope: 'orders:read', resource: audience });
  equal(await judge(verifier, accessToken), '401 bound_token_as_bearer');
  const thief = await createProver();
  const proof = await thief.prove(accessToken);
  equal(await judge(verifier, accessToken, { scheme: 'DPoP', proof }), '401 proof_key_mismatch');
}

async function checkOwnKey(host) {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const keyPair = await crypto.subtle.generateKey(algorithm, false, ['sign', 'verify']);
  const { authedFetch } = await setUp(host, { dpop: { keyPair } });
  equal(await answerOf(authedFetch(ORDERS)), '200 DPoP');
}

async function checkProof(host) {
  const { authedFetch, verifier } = await setUp(host);
  const { tokens } = authedFetch;
  const { accessToken } = await tokens.getToken({ scope: 'orders:read', resource: audience });
  const proof = await tokens.dpopProof({ method: 'DELETE', url: `${ORDERS}?all`, accessToken });
  const request = { scheme: 'DPoP', proof, method: 'DELETE', url: `${ORDERS}?all` };
  equal(await judge(verifier, accessToken, request), '200');
}

export const dpopOutbound = {
  title: 'DPoP, outbound',
  checks: {
    'ES256: tokens are bound, every call is proven': (host) => checkAlgorithm(host, 'ES256'),
    'EdDSA: tokens are bound, every call is proven': (host) => checkAlgorithm(host, 'EdDSA'),
    '50 calls at once, each with a proof of its own': checkTogether,
    'a nonce of the issuer is learned': checkIssuerNonce,
    'a nonce of a service is learned, the call sent again': checkServiceNonce,
    'a stolen token is worth nothing': checkStolen,
    'a key of your own': checkOwnKey,
    'a proof for a request that goes another way': checkProof,
  },
};
