import { createTokenClient, createVerifier } from 'service-auth';
import { createClock } from '../support/clock.mjs';
import { equal, matches, rejects } from '../support/expect.mjs';
import { judge, requestWith } from '../support/judge.mjs';
import { connect, equalCount, outage } from '../support/network.mjs';
import { audience, keyOf, mint } from '../support/tokens.mjs';

/** A verifier that fetches keys, and a service that gets tokens, of an issuer of its own. */
async function setUp(host, issuer = 'plain') {
  const network = connect(host, issuer);
  const clock = createClock();
  const verifier = createVerifier({
    issuer: network.issuer,
    audience,
    fetch: network.fetch,
    now: clock.now,
    clockToleranceSeconds: 30,
  });
  const client = createTokenClient({ ...(await network.register()), resource: audience });
  const token = async () => (await client.getToken({ forceRefresh: true })).accessToken;
  return { network, clock, verifier, token };
}

async function checkDiscovery(host) {
  const { verifier, token } = await setUp(host);
  const tokens = await Promise.all([token(), token(), token()]);
  const outcomes = await Promise.all(tokens.map((one) => judge(verifier, one)));
  equal(outcomes, ['200', '200', '200'], 'the outcomes');
  const [{ keys }] = verifier.health().issuers;
  equal([keys.loaded, keys.failures], [true, 0], 'the health');
}

async function checkOnce(host) {
  const { network, verifier, token } = await setUp(host);
  const tokens = await Promise.all([token(), token(), token()]);
  await Promise.all(tokens.map((one) => judge(verifier, one)));
  equalCount(network, '/jwks', 1);
}

async function checkReady(host) {
  const { network, verifier, token } = await setUp(host);
  await verifier.ready();
  equal(await judge(verifier, await token()), '200');
  equalCount(network, '/jwks', 1);
}

/** As long as nothing has to be fetched, no request waits for a later turn of the event loop. */
async function checkAtOnce(host) {
  const { verifier, token } = await setUp(host);
  await verifier.ready();
  const request = requestWith(await token());
  // What was verified before in this turn of the loop, by other checks, may have used it up.
  await new Promise((resolve) => setTimeout(resolve, 0));
  equal(verifier.authenticate(request).ok, true, 'that a new token passes at once');
  equal(verifier.authenticate(request).ok, true, 'that a cached token passes at once');
}

async function checkOutage(host) {
  const { network, clock, verifier, token } = await setUp(host);
  equal(await judge(verifier, await token()), '200');
  const later = await token();
  network.failWith(outage);
  clock.advance(20);
  equal(await judge(verifier, later), '200', 'the outcome with known keys');
  const foreign = await keyOf('ES256');
  const unknown = await mint(foreign, { claims: { iss: network.issuer } });
  equal(await judge(verifier, unknown), '503 keys_unavailable', 'the outcome for an unknown key');
}

async function checkNeverLoaded(host) {
  const { network, clock, verifier, token } = await setUp(host);
  const presented = await token();
  network.failWith(outage);
  const { rejection } = await verifier.authenticate(requestWith(presented));
  equal(`${rejection.status} ${rejection.reason}`, '503 keys_unavailable');
  matches(rejection.headers['Retry-After'], /^\d+$/, 'Retry-After');
  equal(rejection.headers['WWW-Authenticate'], undefined, 'the challenge');
  equal(await verifier.ready().catch(() => 'rejected'), 'rejected', 'ready()');
  network.failWith(undefined);
  clock.advance(60);
  equal(await judge(verifier, presented), '200', 'the outcome after the outage');
}

async function checkMalformed(host) {
  const { network, verifier, token } = await setUp(host);
  const presented = await token();
  network.failWith(() => new Response('<html>', { headers: { 'content-type': 'text/html' } }));
  equal(await judge(verifier, presented), '503 keys_unavailable');
}

async function checkRotation(host) {
  const { network, verifier, token } = await setUp(host, 'rotating');
  const before = await token();
  equal(await judge(verifier, before), '200');
  await network.admin('POST', 'keys/rotate', { immediately: true });
  const after = await token();
  equal(await judge(verifier, after), '200', 'the outcome of the new key');
  equal(await judge(verifier, before), '200', 'the outcome of the old key');
  equalCount(network, '/jwks', 2);
}

async function checkFlood(host) {
  const { network, verifier, token } = await setUp(host);
  equal(await judge(verifier, await token()), '200');
  const foreign = await keyOf('ES256');
  const floods = Array.from({ length: 50 }, (_, at) =>
    mint({ ...foreign, kid: `made-up-${at}` }, { claims: { iss: network.issuer } }),
  );
  for (const made of await Promise.all(floods)) equal(await judge(verifier, made), '401 unknown_key');
  equalCount(network, '/jwks', 2);
}

async function checkRedirects(host) {
  const { network, verifier, token } = await setUp(host);
  const presented = await token();
  network.failWith(
    () => new Response(null, { status: 302, headers: { location: 'https://elsewhere.example/' } }),
  );
  equal(await judge(verifier, presented), '503 keys_unavailable');
}

async function checkMismatch(host) {
  const network = connect(host);
  const { clientId, clientSecret } = await network.register();
  const issuer = `${network.issuer}/`;
  const client = createTokenClient({ issuer, clientId, clientSecret, fetch: network.fetch });
  await rejects(client.getToken(), 'issuer_mismatch');
}

export const keys = {
  title: 'Keys of the issuer',
  checks: {
    'discovery, then keys': checkDiscovery,
    'tokens that come together lead to one fetch': checkOnce,
    'ready() fetches them before the first request': checkReady,
    'with keys in memory the outcome is there at once': checkAtOnce,
    'an outage: known keys serve, what is unknown is 503': checkOutage,
    'an outage from the start: 503 with Retry-After, then 200': checkNeverLoaded,
    'metadata that cannot be read: 503': checkMalformed,
    'metadata of another issuer is refused': checkMismatch,
    'redirects of the issuer are not followed': checkRedirects,
    'rotation: old and new keys serve': checkRotation,
    'a flood of unknown keys leads to one more fetch': checkFlood,
  },
};
