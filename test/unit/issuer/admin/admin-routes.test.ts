import { describe, expect, it } from 'vitest';
import { createIssuer } from '../../../../src/issuer/index.ts';
import { ADMIN_TOKEN, BILLING, ISSUER, ORDERS, START_MS } from '../harness.ts';
import { createAdminHarness, SERVICE } from './support.ts';

const STARTED = new Date(START_MS).toISOString();

describe('creating a service', () => {
  it('answers 201 with a secret that is shown this once', async () => {
    const harness = createAdminHarness();
    const input = { ...SERVICE, clientId: 'billing', description: 'sends invoices' };
    const { status, headers, body } = await harness.admin('POST', '/admin/services', input);
    expect(status).toBe(201);
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('location')).toBe(`${ISSUER}/admin/services/billing`);
    const { clientSecret, ...shown } = body;
    expect(clientSecret).toMatch(/^sas_[0-9a-f]{64}[\w-]{6}$/);
    expect(headers.get('etag')).toBe('"1"');
    expect(shown).toEqual({
      ...input,
      serves: [],
      authMethods: ['client_secret_basic', 'client_secret_post'],
      tokenFormat: 'jwt',
      dpopBound: false,
      certificateBound: false,
      federatedIdentities: [],
      secrets: [{ id: expect.any(String), hint: clientSecret.slice(-4), createdAt: STARTED }],
      createdAt: STARTED,
      updatedAt: STARTED,
      version: 1,
    });
    expect((await harness.admin('GET', '/admin/services/billing')).body).toEqual(shown);
    expect((await harness.admin('GET', '/admin/services')).body).toEqual({ services: [shown] });
  });

  it('finds a name where none is given, and drops repetitions', async () => {
    const harness = createAdminHarness();
    const input = { name: 'Billing', scopes: ['read', 'read'], resources: [ORDERS, BILLING, ORDERS] };
    const { body } = await harness.admin('POST', '/admin/services', input);
    expect(body.clientId).toMatch(/^svc_[\w-]{22}$/);
    expect(body.scopes).toEqual(['read']);
    expect(body.resources).toEqual([ORDERS, BILLING]);
  });

  it('answers 409 where the name is taken, also by a revoked service', async () => {
    const harness = createAdminHarness();
    await harness.register({ clientId: 'billing' });
    const again = () => harness.admin('POST', '/admin/services', { ...SERVICE, clientId: 'billing' });
    expect((await again()).status).toBe(409);
    await harness.admin('DELETE', '/admin/services/billing');
    const { status, body, headers } = await again();
    expect(status).toBe(409);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body).toMatchObject({ status: 409, title: 'Conflict', code: 'client_id_taken' });
  });

  it('takes only resources that are known, if they were named', async () => {
    const harness = createAdminHarness({ resources: [BILLING] });
    expect(
      (await harness.admin('POST', '/admin/services', { ...SERVICE, resources: [BILLING] })).status,
    ).toBe(201);
    const { status, body } = await harness.admin('POST', '/admin/services', SERVICE);
    expect(status).toBe(400);
    expect(body.errors[0].path).toBe('resources');
  });

  it.each<[string, object, string]>([
    ['no name', { scopes: [] }, 'name'],
    ['an empty name', { ...SERVICE, name: '' }, 'name'],
    ['a name of two lines', { ...SERVICE, name: 'a\nb' }, 'name'],
    ['an endless name', { ...SERVICE, name: 'a'.repeat(201) }, 'name'],
    ['an endless description', { ...SERVICE, description: 'a'.repeat(1001) }, 'description'],
    ['no scopes', { name: 'a' }, 'scopes'],
    ['scopes as text', { ...SERVICE, scopes: 'read write' }, 'scopes'],
    ['a scope with a space', { ...SERVICE, scopes: ['read write'] }, 'scopes.0'],
    ['a scope with a quote', { ...SERVICE, scopes: ['a', 'b"'] }, 'scopes.1'],
    ['an empty scope', { ...SERVICE, scopes: [''] }, 'scopes.0'],
    ['too many scopes', { ...SERVICE, scopes: Array.from({ length: 101 }, (_, i) => `s${i}`) }, 'scopes'],
    ['a relative resource', { ...SERVICE, resources: ['/orders'] }, 'resources.0'],
    ['a resource with a fragment', { ...SERVICE, resources: [`${ORDERS}#a`] }, 'resources.0'],
    ['an empty identifier', { ...SERVICE, clientId: '' }, 'clientId'],
    ['an identifier with a space', { ...SERVICE, clientId: 'a b' }, 'clientId'],
    ['an identifier of other letters', { ...SERVICE, clientId: 'é' }, 'clientId'],
    ['a dot segment as identifier', { ...SERVICE, clientId: '..' }, 'clientId'],
    ['an endless identifier', { ...SERVICE, clientId: 'a'.repeat(201) }, 'clientId'],
    ['an identifier that is no text', { ...SERVICE, clientId: 1 }, 'clientId'],
  ])('refuses %s and says where', async (_, input, path) => {
    const harness = createAdminHarness();
    const { status, headers, body } = await harness.admin('POST', '/admin/services', input);
    expect(status).toBe(400);
    expect(headers.get('content-type')).toBe('application/problem+json');
    expect(body.errors.map((fault: { path: string }) => fault.path)).toEqual([path]);
    expect((await harness.storage.listServices({ limit: 10 })).length).toBe(0);
  });

  it.each([
    'clientSecret',
    'secrets',
    'hash',
    'createdAtMs',
    'revokedAtMs',
    'revokedAt',
    'isAdmin',
    'constructor',
  ])('threat 26: no mass assignment: %s is refused', async (member) => {
    const harness = createAdminHarness();
    const { status } = await harness.admin('POST', '/admin/services', { ...SERVICE, [member]: 'x' });
    expect(status).toBe(400);
    expect((await harness.storage.listServices({ limit: 10 })).length).toBe(0);
  });

  it('threat 12 and 26: __proto__ in the input is refused like any other unknown member', async () => {
    const harness = createAdminHarness();
    const text = JSON.stringify(SERVICE).replace('{', '{"__proto__":{"clientId":"root"},');
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' };
    const { status } = await harness.call('/admin/services', { method: 'POST', headers, body: text });
    expect(status).toBe(400);
    expect(Object.hasOwn(Object.prototype, 'clientId')).toBe(false);
  });

  it.each<[string, string, string, number]>([
    ['another content type', 'text/plain', JSON.stringify(SERVICE), 415],
    ['no JSON', 'application/json', '{', 400],
    ['a list', 'application/json', '[]', 400],
    ['nothing', 'application/json', '', 400],
    ['endless depth', 'application/json', `{"name":${'['.repeat(1000)}${']'.repeat(1000)}}`, 400],
    ['more than 64 KiB', 'application/json', JSON.stringify({ ...SERVICE, name: 'a'.repeat(70_000) }), 413],
  ])('threat 23: refuses %s', async (_, type, body, expected) => {
    const headers = { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': type };
    const answer = await createAdminHarness().call('/admin/services', { method: 'POST', headers, body });
    expect(answer.status).toBe(expected);
    expect(answer.body).toMatchObject({ type: 'about:blank', status: expected, detail: expect.any(String) });
  });
});

describe('reading and revoking', () => {
  it('an unknown service is 404', async () => {
    const harness = createAdminHarness();
    for (const clientId of ['nobody', '__proto__', 'constructor']) {
      expect((await harness.admin('GET', `/admin/services/${clientId}`)).status).toBe(404);
      expect((await harness.admin('DELETE', `/admin/services/${clientId}`)).status).toBe(404);
    }
  });

  it.each(['__proto__', 'constructor', 'spiffe://x/y', 'a%2fb', '?#'])(
    'a service may be called %s',
    async (clientId) => {
      const harness = createAdminHarness();
      const { headers } = await harness.admin('POST', '/admin/services', { ...SERVICE, clientId });
      const { status, body } = await harness.admin('GET', headers.get('location') ?? '');
      expect(status).toBe(200);
      expect(body.clientId).toBe(clientId);
    },
  );

  it('a revoked service stays on record, with the time of the first revocation', async () => {
    const harness = createAdminHarness();
    await harness.register({ clientId: 'billing' });
    expect((await harness.admin('DELETE', '/admin/services/billing')).status).toBe(204);
    harness.advance(60);
    expect((await harness.admin('DELETE', '/admin/services/billing')).status).toBe(204);
    expect((await harness.admin('GET', '/admin/services/billing')).body.revokedAt).toBe(STARTED);
    expect((await harness.admin('GET', '/admin/services')).body.services.length).toBe(1);
  });

  it('a revoked service gets no tokens, and learns no more than an unknown one', async () => {
    const harness = createAdminHarness();
    const service = await harness.register();
    await harness.admin('DELETE', `/admin/services/${service.clientId}`);
    const grant = { grant_type: 'client_credentials' };
    const revoked = await harness.post('/token', grant, service);
    const unknown = await harness.post('/token', grant, { clientId: 'nobody', clientSecret: 'x' });
    expect(revoked.status).toBe(401);
    expect([revoked.status, revoked.text]).toEqual([unknown.status, unknown.text]);
  });

  it('what happens is reported', async () => {
    const harness = createAdminHarness();
    await harness.register({ clientId: 'billing' });
    await harness.admin('DELETE', '/admin/services/billing');
    expect(harness.events.map(({ type }) => type)).toEqual([
      'issuer.service_created',
      'issuer.service_revoked',
    ]);
  });
});

describe('the admin token', () => {
  const paths: [string, string][] = [
    ['GET', '/admin/services'],
    ['POST', '/admin/services'],
    ['GET', '/admin/services/x'],
    ['DELETE', '/admin/services/x'],
    ['POST', '/admin/keys/rotate'],
  ];

  it.each(paths)('is needed for %s %s', async (method, path) => {
    const harness = createAdminHarness();
    await harness.register({ clientId: 'x' });
    const none = await harness.call(path, { method });
    expect(none.status).toBe(401);
    expect(none.headers.get('www-authenticate')).toBe(
      'Bearer realm="service-auth admin", DPoP realm="service-auth admin", ' +
        'algs="ES256 EdDSA Ed25519 ES384 ES512 PS256 RS256"',
    );
    for (const authorization of [
      'Bearer wrong',
      'Bearer',
      `Bearer ${ADMIN_TOKEN}x`,
      `Bearer ${ADMIN_TOKEN.slice(0, -1)}`,
      `Basic ${ADMIN_TOKEN}`,
      ADMIN_TOKEN,
    ]) {
      const { status, headers } = await harness.call(path, { method, headers: { authorization } });
      expect(status).toBe(401);
      const challenge = headers.get('www-authenticate') ?? '';
      expect(challenge.includes('error="invalid_token"')).toBe(authorization.startsWith('Bearer'));
    }
    expect((await harness.admin('GET', '/admin/services/x')).body.revokedAt).toBeUndefined();
  });

  it('may come with its scheme in any case', async () => {
    const headers = { authorization: `bearer ${ADMIN_TOKEN}` };
    expect((await createAdminHarness().call('/admin/services', { headers })).status).toBe(200);
  });

  it.each(paths)('without one in the options none opens %s %s', async (method, path) => {
    const { fetch } = createIssuer({ issuer: ISSUER });
    for (const token of [ADMIN_TOKEN, 'undefined']) {
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(new Request(`${ISSUER}${path}`, { method, headers }))).status).toBe(401);
    }
  });

  it('an access token of a service does not do', async () => {
    const harness = createAdminHarness();
    const token = await harness.token(await harness.register());
    const headers = { authorization: `Bearer ${token}` };
    expect((await harness.call('/admin/services', { headers })).status).toBe(401);
  });
});
