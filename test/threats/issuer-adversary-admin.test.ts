/** What an adversary tries at the admin API, and at its client. */
import { describe, expect, it } from 'vitest';
import { type AuditEntry, createAdminClient } from '../../src/issuer/index.ts';
import {
  type AdminHarness,
  auditOf,
  create,
  createAdminHarness,
  SERVICE,
} from '../unit/issuer/admin/support.ts';
import { ADMIN_TOKEN, type Credentials, ISSUER, ORDERS } from '../unit/issuer/harness.ts';

const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const OPS = { clientId: 'ops', scopes: ['services:admin', 'read'], resources: [ISSUER, ORDERS] };

function list(harness: AdminHarness, token: string) {
  return harness.send('/admin/services', { headers: { authorization: `Bearer ${token}` } });
}

function exchange(harness: AdminHarness, token: string, as: Credentials, more: object = {}) {
  const parameters = { grant_type: EXCHANGE, subject_token: token, subject_token_type: ACCESS_TOKEN };
  return harness.post('/token', { ...parameters, resource: ISSUER, ...more }, as);
}

describe('who acts', () => {
  it.each(['admin', 'seed'])(
    'no service takes the name under which the audit log knows others: %s',
    async (clientId) => {
      const harness = createAdminHarness();
      const { status, body } = await create(harness, {
        clientId,
        scopes: ['services:admin'],
        resources: [ISSUER],
      });
      expect([status, body.errors?.[0]?.path]).toEqual([400, 'clientId']);
      expect(await auditOf(harness)).toEqual([]);
    },
  );

  it('a service that loses services:admin administers no longer, whatever its tokens say', async () => {
    const harness = createAdminHarness();
    const ops = await harness.register(OPS);
    const token = await harness.token(ops, { resource: ISSUER, scope: 'services:admin' });
    expect((await list(harness, token)).status).toBe(200);
    await harness.admin('PATCH', '/admin/services/ops', { scopes: ['read'] });
    const { status, body } = await list(harness, token);
    expect([status, body.code]).toEqual([403, 'insufficient_scope']);
  });

  it('a service that an administrator calls gets nothing of that by exchange', async () => {
    const harness = createAdminHarness();
    const ops = await harness.register(OPS);
    const orders = { clientId: 'orders', serves: [ORDERS], scopes: ['read'] };
    const called = await harness.register({ ...orders, resources: [ISSUER] });
    const other = await harness.register({
      ...orders,
      clientId: 'other',
      scopes: ['services:admin'],
      resources: [],
    });
    const token = await harness.token(ops, { resource: ORDERS });
    expect((await list(harness, token)).status).toBe(401);
    expect((await exchange(harness, token, called, { scope: 'services:admin' })).body.error).toBe(
      'invalid_scope',
    );
    const exchanged = await exchange(harness, token, called);
    expect((await list(harness, exchanged.body.access_token)).status).toBe(403);
    for (const more of [{}, { audience: 'other' }, { audience: ISSUER }]) {
      expect((await exchange(harness, token, other, more)).body.error).toBe('invalid_target');
    }
  });

  it('who acts by an exchanged token is whom it was given to, not whom it speaks for', async () => {
    const harness = createAdminHarness();
    const ops = await harness.register(OPS);
    const robot = await harness.register({ ...OPS, clientId: 'robot', serves: [ORDERS] });
    const token = await harness.token(ops, { resource: ORDERS });
    const { body } = await exchange(harness, token, robot, { scope: 'services:admin' });
    const headers = { authorization: `Bearer ${body.access_token}`, 'content-type': 'application/json' };
    await harness.send('/admin/resources', { method: 'POST', headers, body: '{"resource":"urn:a"}' });
    expect((await auditOf(harness))[0]).toMatchObject({ actor: 'robot', target: 'urn:a' });
    await harness.admin('DELETE', '/admin/services/robot');
    expect((await list(harness, body.access_token)).status).toBe(401);
  });
});

describe('at the same time', () => {
  it('a service gets ten secrets and no more', async () => {
    const harness = createAdminHarness();
    await create(harness, { clientId: 'billing' });
    const answers = await Promise.all(
      Array.from({ length: 30 }, () => harness.admin('POST', '/admin/services/billing/secrets', {})),
    );
    expect(answers.filter(({ status }) => status === 201).length).toBe(9);
    expect((await harness.storage.findService('billing'))?.secrets.length).toBe(10);
  });

  it('one change of a resource undoes no other', async () => {
    const harness = createAdminHarness();
    const patch = (body: object) => harness.admin('PATCH', '/admin/resources/urn%3Aa', body);
    await harness.admin('POST', '/admin/resources', { resource: 'urn:a', scopes: ['read', 'write'] });
    await Promise.all([patch({ scopes: ['read'] }), patch({ name: 'A' })]);
    expect((await harness.admin('GET', '/admin/resources/urn%3Aa')).body).toMatchObject({
      name: 'A',
      scopes: ['read'],
    });
  });

  it('twins with one Idempotency-Key make one service, and get one answer', async () => {
    const harness = createAdminHarness();
    const twins = await Promise.all(
      Array.from({ length: 10 }, () =>
        harness.admin('POST', '/admin/services', SERVICE, { 'idempotency-key': 'k' }),
      ),
    );
    expect(new Set(twins.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
    expect((await auditOf(harness)).length).toBe(1);
  });

  it('a revocation is told once', async () => {
    const harness = createAdminHarness();
    await create(harness, { clientId: 'billing' });
    const twins = await Promise.all([1, 2, 3].map(() => harness.admin('DELETE', '/admin/services/billing')));
    expect(twins.map(({ status }) => status)).toEqual([204, 204, 204]);
    expect((await auditOf(harness)).map(({ action }: AuditEntry) => action)).toEqual([
      'service.revoked',
      'service.created',
    ]);
  });
});

describe('Idempotency-Key', () => {
  it("is each actor's own, and each path's", async () => {
    const harness = createAdminHarness();
    const ops = await harness.register(OPS);
    await create(harness, { clientId: 'a' });
    await create(harness, { clientId: 'b' });
    const token = await harness.token(ops, { resource: ISSUER, scope: 'services:admin' });
    const key = { 'idempotency-key': 'k' };
    const mine = await harness.admin('POST', '/admin/services/a/secrets', {}, key);
    const theirs = await harness.send('/admin/services/a/secrets', {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, ...key },
    });
    const elsewhere = await harness.admin('POST', '/admin/services/b/secrets', {}, key);
    const service = await harness.admin('POST', '/admin/services', SERVICE, key);
    const secrets = [mine, theirs, elsewhere, service].map(({ body }) => body.clientSecret);
    expect(new Set(secrets).size).toBe(4);
    expect((await harness.admin('POST', '/admin/services/a/secrets', {}, key)).body).toEqual(mine.body);
  });

  it('gives the secret for 24 hours, and not a moment longer', async () => {
    const harness = createAdminHarness();
    const send = () => harness.admin('POST', '/admin/services', SERVICE, { 'idempotency-key': 'k' });
    const first = await send();
    harness.advance(86_399);
    expect((await send()).body).toEqual(first.body);
    harness.advance(1);
    expect((await send()).body.clientSecret).not.toBe(first.body.clientSecret);
  });
});

describe('If-Match', () => {
  it('keeps a service that changed from being revoked for good', async () => {
    const harness = createAdminHarness();
    await create(harness, { clientId: 'billing' });
    await harness.admin('PATCH', '/admin/services/billing', { name: 'another' });
    const remove = (etag: string) =>
      harness.admin('DELETE', '/admin/services/billing', undefined, { 'if-match': etag });
    expect((await remove('"1"')).status).toBe(412);
    expect((await remove('1')).status).toBe(400);
    expect((await harness.storage.findService('billing'))?.revokedAtMs).toBeUndefined();
    expect((await remove('"2"')).status).toBe(204);
  });

  it.each(['W/"1"', '"01"', '"1 "', '"1", ', '', '"1"x', '"1', '1', '*, "1"'])(
    '%j is not version 1',
    async (etag) => {
      const harness = createAdminHarness();
      await create(harness, { clientId: 'billing' });
      const answer = await harness.admin(
        'PATCH',
        '/admin/services/billing',
        { name: 'another' },
        { 'if-match': etag },
      );
      expect([400, 412]).toContain(answer.status);
    },
  );
});

describe('paths', () => {
  it.each([
    'a/b',
    'a%2Fb',
    'a%252Fb',
    '%2e%2e',
    '...',
    'a?b',
    'a#b',
    'a;b',
    'a&b=c',
    '%00',
    '%',
    '\\..\\',
    ':clientId',
    "a'b",
    '__proto__',
    'constructor',
    'secrets',
  ])('%s is one client id, and no other', async (clientId) => {
    const harness = createAdminHarness();
    const path = `/admin/services/${encodeURIComponent(clientId)}`;
    const created = await create(harness, { clientId });
    expect(created.status).toBe(201);
    expect(new URL(created.headers.get('location') ?? '').pathname).toBe(new URL(path, ISSUER).pathname);
    expect((await harness.admin('GET', path)).body.clientId).toBe(clientId);
    expect((await harness.admin('DELETE', path)).status).toBe(204);
  });

  it.each([
    '%2e%2e',
    '..%2Fservices',
    '%252e',
    'billing%2F',
    'Billing',
    'billing%20',
    'b\u0456lling',
    'billing%00',
    'billi%6Eg%2E',
  ])('%s is not billing', async (segment) => {
    const harness = createAdminHarness();
    await create(harness, { clientId: 'billing' });
    expect([404, 405]).toContain((await harness.admin('DELETE', `/admin/services/${segment}`)).status);
    expect((await auditOf(harness)).length).toBe(1);
  });

  it.each(['b\u0456lling', 'billing\u200b', 'ｂilling', 'billing\u0301', '\u202egnillib'])(
    '%s is no client id',
    async (clientId) => {
      expect((await create(createAdminHarness(), { clientId })).status).toBe(400);
    },
  );
});

describe('merge patches', () => {
  it.each([
    ['a list in place of a member', { jwks: [] }],
    ['null in a list', { scopes: ['read', null] }],
    ['null for what must be', { name: null }],
    ['null for the scopes', { scopes: null }],
    ['null in a key set', { jwks: { keys: null } }],
    ['a list of patches', { federatedIdentities: { 0: null } }],
    ['another client id', { clientId: 'root' }],
    ['a revocation', { revokedAt: null }],
    ['an object in place of a text', { name: { toString: 'x' } }],
    ['all names of a certificate taken away', { tlsClientAuth: { sanDns: null } }],
  ])('%s changes nothing', async (_, patch) => {
    const harness = createAdminHarness();
    await create(harness, { clientId: 'billing' });
    const before = JSON.stringify(await harness.storage.findService('billing'));
    expect((await harness.admin('PATCH', '/admin/services/billing', patch)).status).toBe(400);
    expect(JSON.stringify(await harness.storage.findService('billing'))).toBe(before);
  });
});

describe('where an issuer is led by jwksUri and federated identities', () => {
  it.each([
    'file:///etc/passwd',
    'http://169.254.169.254/latest',
    'http://10.0.0.1/',
    'http://127.0.0.1.evil.example/',
    'http://localhost.evil.example/',
    'http://evil.example@127.0.0.1/',
    'https://a:b@idp.example/',
    'data:application/json,{}',
    'gopher://127.0.0.1/',
    'http://[::ffff:10.0.0.1]/',
    'http://0.0.0.0/',
    'unix:/run/x',
    'https:///',
    'javascript:1',
  ])('not to %s', async (url) => {
    const harness = createAdminHarness();
    const federatedIdentities = [{ issuer: url, subject: 'a' }];
    expect((await create(harness, { jwksUri: url })).status).toBe(400);
    expect((await create(harness, { federatedIdentities })).status).toBe(400);
    const [identity] = [{ issuer: 'https://k8s.example', subject: 'a', jwksUri: url }];
    expect((await create(harness, { federatedIdentities: [identity] })).status).toBe(400);
  });
});

describe('the admin client', () => {
  const answering = (...answers: object[]) => {
    const seen: string[] = [];
    const client = createAdminClient({
      issuer: ISSUER,
      adminToken: ADMIN_TOKEN,
      fetch: async (url) => {
        seen.push(new URL(url).pathname);
        if (seen.length > 5) throw new Error('asked again and again');
        return Response.json(answers[Math.min(seen.length, answers.length) - 1] ?? {});
      },
    });
    return { client, seen };
  };

  it.each(['', '.', '..', '\ud800'])('asks nobody about what no path can name: %j', async (name) => {
    const { client, seen } = answering({});
    const calls = [
      () => client.services.get(name),
      () => client.services.update(name, {}),
      () => client.services.revoke(name),
      () => client.secrets.create(name),
      () => client.secrets.remove(name, 'x'),
      () => client.secrets.remove('billing', name),
      () => client.resources.get(name),
      () => client.resources.update(name, {}),
      () => client.resources.remove(name),
    ];
    for (const call of calls) {
      let outcome: Promise<unknown> | undefined;
      expect(() => {
        outcome = call();
        outcome.catch(() => {});
      }).not.toThrow();
      await expect(outcome).rejects.toMatchObject({ code: 'admin_refused', status: 404 });
    }
    expect(seen).toEqual([]);
  });

  it('does not turn pages that lead nowhere', async () => {
    const { client, seen } = answering({ services: [], next: 'YQ' });
    const turn = async () => {
      for await (const _ of client.services.all()) expect(seen.length).toBe(0);
    };
    await expect(turn()).rejects.toMatchObject({ code: 'response_malformed' });
    expect(seen.length).toBeLessThan(3);
  });
});
