import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { federatedAssertion, kubernetesServiceAccountToken } from '../../../../src/index.ts';
import type { FederatedIdentity } from '../../../../src/issuer/index.ts';
import { type IssuerStub, publishes, startIssuerStub } from '../../../helpers/issuer-stub.ts';
import { createKey, encodeJson, type TestKey, withPart } from '../../../helpers/tokens.ts';
import { BILLING, type Harness, ISSUER, START_MS } from '../harness.ts';
import { addService } from '../service-records.ts';
import { connect, createKeyedHarness, postAssertion, refusals } from './support.ts';

const SUBJECT = 'system:serviceaccount:shop:billing';
const START = START_MS / 1000;

let key: TestKey;
let other: TestKey;
beforeAll(async () => {
  [key, other] = await Promise.all([createKey('RS256', 'cluster-1'), createKey('RS256', 'cluster-1')]);
});

/** The API server of a cluster, as far as it matters here: discovery and keys over a real socket. */
let cluster: IssuerStub;
let harness: Harness;
beforeEach(async () => {
  cluster = await startIssuerStub((_, response) => response.end());
  cluster.answer = publishes(
    () => cluster.url,
    () => ({ keys: [key.publicJwk] }),
  );
  onTestFinished(() => cluster.close());
  harness = createKeyedHarness();
});

/** What a cluster projects into a pod: no `jti`, no `typ`, a list of audiences. */
function projected(changes: object = {}, header: object = {}, signer = key): Promise<string> {
  const claims = {
    iss: cluster.url,
    sub: SUBJECT,
    aud: [ISSUER],
    exp: START + 3607,
    iat: START,
    nbf: START,
    'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'billing', uid: 'a-uid' } },
    ...changes,
  };
  return signer.sign({ typ: undefined, ...header }, claims);
}

async function addWorkload(identity: Partial<FederatedIdentity> = {}, clientId = 'billing'): Promise<void> {
  const federatedIdentities = [{ issuer: cluster.url, subject: SUBJECT, ...identity }];
  await addService(harness.storage, { clientId, authMethods: [], federatedIdentities });
}

async function ask(assertion: string | Promise<string>, clientId = 'billing') {
  const { status, body, headers } = await postAssertion(harness, await assertion, { client_id: clientId });
  return { status, error: body.error, retryAfter: headers.get('retry-after') };
}

describe('the workload of a cluster', () => {
  it('is known by the token in its file, as often as it likes', async () => {
    await addWorkload();
    const folder = await mkdtemp(join(tmpdir(), 'service-auth-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const file = join(folder, 'token');
    await writeFile(file, await projected());
    const auth = federatedAssertion(kubernetesServiceAccountToken(file));
    expect(await connect(harness, 'billing', auth)).toBe('Bearer');
    expect(await connect(harness, 'billing', auth)).toBe('Bearer');
    expect(cluster.requests.filter((path) => path === '/jwks')).toHaveLength(1);
    await writeFile(file, await projected({ exp: START + 7200 }));
    expect(await connect(harness, 'billing', auth)).toBe('Bearer');
  });

  it('is known by what a function gives', async () => {
    await addWorkload();
    const auth = federatedAssertion(() => projected({ jti: 'one' }, { typ: 'JWT' }));
    expect(await connect(harness, 'billing', auth)).toBe('Bearer');
  });

  it.each<[string, Partial<FederatedIdentity>, object]>([
    ['for the token endpoint', {}, { aud: `${ISSUER}/token` }],
    ['for the audience that is registered', { audience: 'shop' }, { aud: ['shop'] }],
  ])('is known by a token %s', async (_, identity, changes) => {
    await addWorkload(identity);
    expect(await ask(projected(changes))).toMatchObject({ status: 200 });
  });

  it('is known by keys that are registered, without a call', async () => {
    await addWorkload({ jwks: { keys: [key.publicJwk] } });
    expect(await ask(projected())).toMatchObject({ status: 200 });
    expect(cluster.requests).toEqual([]);
  });

  it('is known by keys at a place that is registered', async () => {
    await addWorkload({ jwksUri: `${cluster.url}/jwks` });
    expect(await ask(projected())).toMatchObject({ status: 200 });
    expect(cluster.requests).toEqual(['/jwks']);
  });

  it('is known by a token of the type client-authentication+jwt', async () => {
    await addWorkload();
    expect(await ask(projected({}, { typ: 'client-authentication+jwt' }))).toMatchObject({ status: 200 });
  });

  it('may be one of several of a service', async () => {
    await addService(harness.storage, {
      authMethods: [],
      federatedIdentities: [
        { issuer: cluster.url, subject: SUBJECT, audience: 'other' },
        { issuer: cluster.url, subject: 'another' },
        { issuer: cluster.url, subject: SUBJECT },
      ],
    });
    expect(await ask(projected())).toMatchObject({ status: 200 });
  });

  it('shares keys with the other workloads of its cluster', async () => {
    await addWorkload();
    await addWorkload({ subject: 'system:serviceaccount:shop:orders' }, 'orders');
    expect(await ask(projected())).toMatchObject({ status: 200 });
    const theirs = projected({ sub: 'system:serviceaccount:shop:orders' });
    expect(await ask(theirs, 'orders')).toMatchObject({ status: 200 });
    expect(cluster.requests.filter((path) => path === '/jwks')).toHaveLength(1);
  });
});

describe('an assertion of another issuer is refused', () => {
  it.each<[string, string, () => Promise<string> | string]>([
    ['about another subject', 'unknown_identity', () => projected({ sub: `${SUBJECT}2` })],
    ['about the subject in capitals', 'unknown_identity', () => projected({ sub: SUBJECT.toUpperCase() })],
    ['about nobody', 'unknown_identity', () => projected({ sub: undefined })],
    ['of another issuer', 'unknown_identity', () => projected({ iss: 'https://evil.example' })],
    ['of the issuer with a slash', 'unknown_identity', () => projected({ iss: `${cluster.url}/` })],
    ['of issuers in a list', 'unknown_identity', () => projected({ iss: [cluster.url] })],
    ['for another audience', 'wrong_assertion', () => projected({ aud: ['https://kubernetes.default.svc'] })],
    ['for nobody', 'wrong_assertion', () => projected({ aud: undefined })],
    [
      'for others too',
      'wrong_assertion',
      () => projected({ aud: ['https://kubernetes.default.svc', ISSUER] }),
    ],
    ['for a resource of ours', 'wrong_assertion', () => projected({ aud: BILLING })],
    ['that has expired', 'wrong_assertion', () => projected({ exp: START - 5 })],
    ['without exp', 'wrong_assertion', () => projected({ exp: undefined })],
    ['that is not valid yet', 'wrong_assertion', () => projected({ nbf: START + 60 })],
    ['under another key', 'wrong_assertion', () => projected({}, {}, other)],
    [
      'with a changed payload',
      'wrong_assertion',
      async () =>
        withPart(
          await projected(),
          1,
          encodeJson({ iss: cluster.url, sub: SUBJECT, aud: ISSUER, exp: START + 99 }),
        ),
    ],
  ])('%s: %s', async (_, reason, sign) => {
    await addWorkload();
    expect(await ask(sign())).toMatchObject({ status: 401, error: 'invalid_client' });
    expect(refusals(harness)).toEqual([reason]);
  });

  it.each(['at+jwt', 'dpop+jwt', 'logout+jwt', 'application/id+jwt', 'secevent+jwt', 'anything'])(
    'of the type %s',
    async (typ) => {
      await addWorkload();
      expect(await ask(projected({}, { typ }))).toMatchObject({ status: 401, error: 'invalid_client' });
      expect(cluster.requests).toEqual([]);
    },
  );

  it('that names no client, or another service', async () => {
    await addWorkload();
    await addService(harness.storage, { clientId: 'orders', authMethods: ['private_key_jwt'] });
    expect((await postAssertion(harness, await projected())).status).toBe(401);
    expect(await ask(projected(), 'orders')).toMatchObject({ status: 401 });
    expect(await ask(projected(), 'nobody')).toMatchObject({ status: 401 });
    expect(cluster.requests).toEqual([]);
  });

  it('threat 15: before anything is fetched from an issuer that is not registered', async () => {
    await addWorkload({ issuer: 'https://idp2.example' });
    expect(await ask(projected())).toMatchObject({ status: 401 });
    expect(cluster.requests).toEqual([]);
  });

  it('once the service is revoked', async () => {
    await addWorkload();
    expect(await ask(projected())).toMatchObject({ status: 200 });
    const audit = {
      atMs: 0,
      actor: 'admin',
      action: 'x',
      target: 'billing',
      before: undefined,
      after: undefined,
    };
    await harness.storage.revokeService('billing', START_MS, audit);
    expect(await ask(projected())).toMatchObject({ status: 401 });
  });

  it('once it has expired, though it was good before', async () => {
    await addWorkload();
    const token = await projected({ exp: START + 60 });
    expect(await ask(token)).toMatchObject({ status: 200 });
    harness.advance(65);
    expect(await ask(token)).toMatchObject({ status: 401 });
  });
});

describe('an issuer that is out of reach', () => {
  it.each<[string, IssuerStub['answer']]>([
    ['answers 500', (_, response) => response.writeHead(500).end()],
    ['breaks the connection', (request) => request.socket.destroy()],
    ['calls itself otherwise', (_, response) => response.end('{"issuer":"https://evil.example"}')],
  ])('and %s leaves it undecided: 503, never invalid_client', async (_, answer) => {
    await addWorkload();
    cluster.answer = answer;
    const { status, error, retryAfter } = await ask(projected());
    expect([status, error]).toEqual([503, 'temporarily_unavailable']);
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(1);
  });

  it('is asked again once it may be back, and meanwhile does no harm to others', async () => {
    await addWorkload();
    await addWorkload({ jwks: { keys: [key.publicJwk] } }, 'orders');
    cluster.answer = (_, response) => response.writeHead(500).end();
    expect(await ask(projected())).toMatchObject({ status: 503 });
    expect(await ask(projected(), 'orders')).toMatchObject({ status: 200 });
    cluster.answer = publishes(
      () => cluster.url,
      () => ({ keys: [key.publicJwk] }),
    );
    harness.advance(60);
    expect(await ask(projected())).toMatchObject({ status: 200 });
  });

  it('is told of by the events of its keys, and not by those of requests', async () => {
    await addWorkload();
    await ask(projected());
    await ask(projected({}, {}, other));
    const types = harness.events.map(({ type }) => type);
    expect(types).toContain('keys.refreshed');
    expect(types.filter((type) => type.startsWith('request.'))).toEqual([]);
  });
});
