import { generateKeyPairSync } from 'node:crypto';
import { beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type ClientAuth, type Jwk, privateKeyJwt } from '../../../../src/index.ts';
import { type IssuerStub, startIssuerStub } from '../../../helpers/issuer-stub.ts';
import type { Answer, Harness } from '../harness.ts';
import { addService } from '../service-records.ts';
import { createKeyedHarness, postAssertion, refusals } from './support.ts';

interface Workload {
  readonly jwk: Jwk;
  readonly auth: ClientAuth;
}

function createWorkload(kid: string, now: () => number): Workload {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  return {
    jwk: { ...publicKey.export({ format: 'jwk' }), kid } as Jwk,
    auth: privateKeyJwt({ key: { ...privateKey.export({ format: 'jwk' }), kid }, now }),
  };
}

/** The client's own server, which publishes its keys over a real socket. */
let remote: IssuerStub;
let published: object[];
let harness: Harness;
let first: Workload;
beforeEach(async () => {
  harness = createKeyedHarness();
  const now = () => harness.nowSeconds() * 1000;
  first = createWorkload('one', now);
  published = [first.jwk];
  remote = await startIssuerStub((_, response) => response.end(JSON.stringify({ keys: published })));
  onTestFinished(() => remote.close());
  await addService(harness.storage, { authMethods: ['private_key_jwt'], jwksUri: `${remote.url}/keys` });
});

/** What one request with a new assertion is answered. */
async function ask({ auth }: Workload, clientId = 'billing'): Promise<Answer> {
  const sent = new URLSearchParams();
  const { issuer } = harness.issuer;
  const now = () => harness.nowSeconds() * 1000;
  await auth({ issuer, endpoint: `${issuer}/token`, clientId, form: sent, headers: {}, refusals: 0, now });
  return postAssertion(harness, sent.get('client_assertion') ?? '', { client_id: clientId });
}

describe('keys by jwks_uri', () => {
  it('are fetched once for many requests, also for those that come at once', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => ask(first)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect((await ask(first)).status).toBe(200);
    expect(remote.requests).toEqual(['/keys']);
  });

  it('are shared by services that name the same place', async () => {
    const jwksUri = `${remote.url}/keys`;
    await addService(harness.storage, { clientId: 'orders', authMethods: ['private_key_jwt'], jwksUri });
    expect([(await ask(first)).status, (await ask(first, 'orders')).status]).toEqual([200, 200]);
    expect(remote.requests).toHaveLength(1);
  });

  it('are fetched again for a key that is not known yet, and no more often than the cool-down lets', async () => {
    expect((await ask(first)).status).toBe(200);
    const second = createWorkload('two', () => harness.nowSeconds() * 1000);
    published = [first.jwk, second.jwk];
    expect((await ask(second)).status).toBe(200);
    const unknown = createWorkload('three', () => harness.nowSeconds() * 1000);
    for (let times = 0; times < 20; times++) expect((await ask(unknown)).status).toBe(401);
    expect(remote.requests).toHaveLength(2);
    expect(new Set(refusals(harness))).toEqual(new Set(['unknown_key']));
  });

  it('are not fetched for an assertion that is wrong anyway, or for a client that has others', async () => {
    await addService(harness.storage, { clientId: 'secretive', jwksUri: `${remote.url}/keys` });
    const sent = await ask(first, 'secretive');
    const stale = await postAssertion(harness, 'e30.e30.AA', { client_id: 'billing' });
    const unknown = await ask(first, 'nobody');
    expect([sent.status, stale.status, unknown.status]).toEqual([401, 401, 401]);
    expect(remote.requests).toEqual([]);
  });

  it('serve on while the place is out of reach', async () => {
    expect((await ask(first)).status).toBe(200);
    remote.answer = (_, response) => response.writeHead(500).end();
    harness.advance(2 * 3600);
    expect((await ask(first)).status).toBe(200);
  });

  it.each<[string, IssuerStub['answer']]>([
    ['answers 500', (_, response) => response.writeHead(500).end()],
    ['redirects', (_, response) => response.writeHead(302, { location: '/other' }).end()],
    ['is no JSON', (_, response) => response.end('<html>')],
    ['has no usable key', (_, response) => response.end('{"keys":[]}')],
    ['is too large', (_, response) => response.end(`{"keys":[],"more":"${'x'.repeat(300_000)}"}`)],
    ['breaks the connection', (request) => request.socket.destroy()],
  ])('that cannot be read are no fault of the client: 503 where the place %s', async (_, answer) => {
    remote.answer = answer;
    const { status, headers, body } = await ask(first);
    expect([status, body.error]).toEqual([503, 'temporarily_unavailable']);
    expect(Number(headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(headers.get('www-authenticate')).toBeNull();
    // As soon as the keys are there the client is let in; nothing of the failure is kept for longer.
    remote.answer = (_request, response) => response.end(JSON.stringify({ keys: published }));
    harness.advance(10);
    expect((await ask(first)).status).toBe(200);
  });

  it('are not fetched over plain http from elsewhere', async () => {
    const fetched: string[] = [];
    harness = createKeyedHarness({
      fetch: async (url) => {
        fetched.push(url);
        return Response.json({ keys: published });
      },
    });
    const jwksUri = 'http://keys.example/keys';
    await addService(harness.storage, { authMethods: ['private_key_jwt'], jwksUri });
    const workload = createWorkload('one', () => harness.nowSeconds() * 1000);
    expect((await ask(workload)).status).toBe(503);
    expect(fetched).toEqual([]);
  });

  it('an assertion that could not be judged is not used up', async () => {
    const now = () => harness.nowSeconds() * 1000;
    const sent = new URLSearchParams();
    const { issuer } = harness.issuer;
    const request = {
      issuer,
      endpoint: issuer,
      clientId: 'billing',
      form: sent,
      headers: {},
      refusals: 0,
      now,
    };
    await first.auth(request);
    const assertion = sent.get('client_assertion') ?? '';
    remote.answer = (_, response) => response.writeHead(500).end();
    expect((await postAssertion(harness, assertion)).status).toBe(503);
    remote.answer = (_, response) => response.end(JSON.stringify({ keys: published }));
    harness.advance(10);
    expect((await postAssertion(harness, assertion)).status).toBe(200);
  });

  it('are not looked for in a static set that changes: the registration of the moment counts', async () => {
    const second = createWorkload('two', () => harness.nowSeconds() * 1000);
    const clientId = await addService(harness.storage, {
      clientId: 'fixed',
      authMethods: ['private_key_jwt'],
      jwks: { keys: [first.jwk] },
    });
    expect([(await ask(first, clientId)).status, (await ask(second, clientId)).status]).toEqual([200, 401]);
    const stored = await harness.storage.findService(clientId);
    if (stored === undefined) throw new Error('the service is not stored');
    const audit = {
      atMs: 0,
      actor: 'admin',
      action: 'x',
      target: clientId,
      before: undefined,
      after: undefined,
    };
    const changed = { ...stored, jwks: { keys: [second.jwk] }, version: stored.version + 1 };
    expect(await harness.storage.updateService(changed, audit)).toBe(true);
    expect([(await ask(first, clientId)).status, (await ask(second, clientId)).status]).toEqual([401, 200]);
  });
});
