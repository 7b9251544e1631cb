import { createTokenClient, createVerifier } from 'service-auth';
import { createClock } from '../support/clock.mjs';
import { equal, matches } from '../support/expect.mjs';
import { judge, requestWith } from '../support/judge.mjs';
import { connect, equalCount, outage } from '../support/network.mjs';
import { audience } from '../support/tokens.mjs';

/** A resource server that asks about opaque tokens, and a service that has them. */
async function setUp(host, introspection = {}) {
  const network = connect(host);
  const server = await network.register({ serves: [audience], resources: [] });
  const service = await network.register({ tokenFormat: 'opaque' });
  const client = createTokenClient({ ...service, resource: audience });
  const clock = createClock();
  const { clientId, clientSecret } = server;
  const verifier = createVerifier({
    issuer: { issuer: network.issuer, introspection: { clientId, clientSecret, ...introspection } },
    audience,
    fetch: network.fetch,
    now: clock.now,
  });
  const token = async () => (await client.getToken({ forceRefresh: true })).accessToken;
  return { network, clock, verifier, token, service };
}

async function checkActive(host) {
  const { network, verifier, token, service } = await setUp(host);
  const presented = await token();
  equal(presented.includes('.'), false, 'that the token is a JWT');
  const { caller } = await verifier.authenticate(requestWith(presented), { scope: 'orders:read' });
  equal(caller?.clientId, service.clientId, 'the client');
  equal(await judge(verifier, presented), '200');
  equalCount(network, '/introspect', 1);
  equal(await judge(verifier, `${presented}x`), '401 inactive_token');
}

async function checkRevoked(host) {
  const { network, clock, verifier, token, service } = await setUp(host);
  const presented = await token();
  equal(await judge(verifier, presented), '200');
  await network.admin('DELETE', `services/${service.clientId}`);
  equal(await judge(verifier, presented), '200', 'the outcome within the cache time');
  clock.advance(31);
  equal(await judge(verifier, presented), '401 inactive_token', 'the outcome after it');
}

async function checkTogether(host) {
  const { verifier, token } = await setUp(host);
  const presented = await token();
  const outcomes = await Promise.all(Array.from({ length: 50 }, () => judge(verifier, presented)));
  equal(new Set(outcomes).size, 1, 'the number of outcomes');
  equal(outcomes[0], '200');
}

async function checkOnce(host) {
  const { network, verifier, token } = await setUp(host);
  const presented = await token();
  await Promise.all(Array.from({ length: 50 }, () => judge(verifier, presented)));
  equalCount(network, '/introspect', 1);
}

async function checkOutage(host) {
  const { network, verifier, token } = await setUp(host, { retries: 0 });
  const presented = await token();
  network.failWith(outage);
  const { rejection } = await verifier.authenticate(requestWith(presented));
  equal(`${rejection.status} ${rejection.reason}`, '503 introspection_unavailable');
  matches(rejection.headers['Retry-After'], /^\d+$/, 'Retry-After');
}

async function checkSigned(host) {
  const { verifier, token } = await setUp(host, { response: 'jwt' });
  equal(await judge(verifier, await token()), '200');
}

/** Revocation of JWTs, by a compressed list (OAuth Token Status List). */
async function checkStatusList(host) {
  const network = connect(host);
  const service = await network.register();
  const client = createTokenClient({ ...service, resource: audience });
  const clock = createClock();
  const verifier = createVerifier({
    issuer: { issuer: network.issuer, statusList: true },
    audience,
    fetch: network.fetch,
    now: clock.now,
  });
  const { accessToken } = await client.getToken();
  equal(await judge(verifier, accessToken), '200');
  await network.admin('DELETE', `services/${service.clientId}`);
  clock.advance(61);
  equal(await judge(verifier, accessToken), '401 status_not_valid');
}

export const introspection = {
  title: 'Introspection and status lists',
  checks: {
    'an opaque token: asked about once, then known': checkActive,
    'a revoked service: 401 after the cache time': checkRevoked,
    '50 requests with one token at once': checkTogether,
    '50 requests with one token lead to one question': checkOnce,
    'an outage: 503 with Retry-After': checkOutage,
    'signed answers (RFC 9701)': checkSigned,
    'a status list takes JWTs back': checkStatusList,
  },
};
