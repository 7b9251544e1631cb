import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { BILLING, ORDERS, START_MS } from '../harness.ts';
import { type AdminHarness, auditOf, create, createAdminHarness } from './support.ts';

const PATH = '/admin/services/billing';
const CLUSTER = { issuer: 'https://cluster.example', subject: 'billing' };

async function createBilling(input: object = {}, harness = createAdminHarness()): Promise<AdminHarness> {
  const { status } = await create(harness, { clientId: 'billing', ...input });
  expect(status).toBe(201);
  return harness;
}

describe('a patch', () => {
  it('changes what it names and nothing else', async () => {
    const harness = await createBilling();
    const { body: before } = await harness.admin('GET', PATH);
    harness.advance(60);
    const { status, headers, body } = await harness.admin('PATCH', PATH, {
      name: 'Invoices',
      dpopBound: true,
    });
    expect([status, headers.get('etag')]).toEqual([200, '"2"']);
    const updatedAt = new Date(START_MS + 60_000).toISOString();
    expect(body).toEqual({ ...before, name: 'Invoices', dpopBound: true, version: 2, updatedAt });
    expect((await harness.admin('GET', PATH)).body).toEqual(body);
    expect(harness.events.at(-1)).toMatchObject({
      type: 'issuer.service_updated',
      clientId: 'billing',
      version: 2,
    });
    expect((await auditOf(harness))[0]).toMatchObject({
      actor: 'admin',
      action: 'service.updated',
      target: 'billing',
      before,
      after: body,
    });
  });

  it('null takes away what may be missing', async () => {
    const harness = await createBilling({
      description: 'x',
      accessTokenSeconds: 60,
      serves: [BILLING],
      tokenFormat: 'opaque',
    });
    const patch = { description: null, accessTokenSeconds: null, serves: null, tokenFormat: null };
    const { body } = await harness.admin('PATCH', PATH, patch);
    expect(body).not.toHaveProperty('description');
    expect(body).not.toHaveProperty('accessTokenSeconds');
    expect([body.serves, body.tokenFormat]).toEqual([[], 'jwt']);
  });

  it('is merged into what is inside (RFC 7396)', async () => {
    const harness = await createBilling({ tlsClientAuth: { sanDns: 'billing.example' } });
    const patch = { tlsClientAuth: { sanDns: null, sanIp: '10.0.0.1' } };
    const { body } = await harness.admin('PATCH', PATH, patch);
    expect(body.tlsClientAuth).toEqual({ sanIp: '10.0.0.1' });
    const both = await harness.admin('PATCH', PATH, { tlsClientAuth: { sanDns: 'billing.example' } });
    expect([both.status, both.body.errors[0].path]).toEqual([400, 'tlsClientAuth']);
  });

  it('may come as application/merge-patch+json, and as nothing else but JSON', async () => {
    const harness = await createBilling();
    const send = (type: string) => harness.admin('PATCH', PATH, { name: 'x' }, { 'content-type': type });
    expect((await send('application/merge-patch+json')).status).toBe(200);
    expect((await send('application/json-patch+json')).status).toBe(415);
  });

  it('its outcome is judged as a whole', async () => {
    const harness = await createBilling();
    const refused = await harness.admin('PATCH', PATH, { jwksUri: 'https://billing.example/jwks' });
    expect([refused.status, refused.body.errors[0].path]).toEqual([400, 'jwksUri']);
    const moved = await harness.admin('PATCH', PATH, { authMethods: null, federatedIdentities: [CLUSTER] });
    expect(moved.body.authMethods).toEqual([]);
  });

  it.each([
    [{ clientId: 'other' }, ''],
    [{ clientId: null }, ''],
    [{ secrets: [] }, ''],
    [{ version: 7 }, ''],
    [{ revokedAt: null }, ''],
    [{ name: null }, 'name'],
    [{ scopes: null }, 'scopes'],
    [{ resources: ['orders'] }, 'resources.0'],
  ])('%j is refused', async (patch, path) => {
    const harness = await createBilling();
    const { status, body } = await harness.admin('PATCH', PATH, patch);
    expect([status, body.errors[0].path]).toEqual([400, path]);
    expect((await harness.admin('GET', PATH)).body.version).toBe(1);
  });

  it('that changes nothing makes no version and no entry', async () => {
    const harness = await createBilling();
    const { status, body } = await harness.admin('PATCH', PATH, {
      name: 'Billing',
      resources: [ORDERS, ORDERS],
    });
    expect([status, body.version]).toEqual([200, 1]);
    expect((await auditOf(harness)).length).toBe(1);
  });

  it('looks for new resources alone: one that is gone from the registry does not bar a new name', async () => {
    const harness = createAdminHarness({ resources: [ORDERS] });
    await harness.admin('POST', '/admin/resources', { resource: BILLING });
    await createBilling({ resources: [BILLING] }, harness);
    await harness.admin('DELETE', `/admin/resources/${encodeURIComponent(BILLING)}`);
    expect((await harness.admin('PATCH', PATH, { name: 'x' })).status).toBe(200);
    expect((await harness.admin('PATCH', PATH, { serves: [BILLING] })).body.errors[0].path).toBe('serves');
  });

  it('of an unknown service is 404, of a revoked one 409', async () => {
    const harness = await createBilling();
    expect((await harness.admin('PATCH', '/admin/services/nobody', {})).body.code).toBe('unknown_service');
    await harness.admin('DELETE', PATH);
    const { status, body } = await harness.admin('PATCH', PATH, { name: 'x' });
    expect([status, body.code]).toEqual([409, 'service_revoked']);
  });
});

describe('If-Match', () => {
  it.each([
    ['"1"', 200],
    ['"7", "1"', 200],
    ['*', 200],
    ['"2"', 412],
    ['W/"1"', 412],
    ['1', 400],
    ['', 400],
  ])('%s gives %i', async (tag, expected) => {
    const harness = await createBilling();
    const { status, headers } = await harness.admin('PATCH', PATH, { name: 'x' }, { 'if-match': tag });
    expect(status).toBe(expected);
    if (status === 412) expect(headers.get('etag')).toBe('"1"');
  });

  it('of two who saw the same version one fails', async () => {
    const harness = await createBilling();
    const tag = { 'if-match': '"1"' };
    const answers = await Promise.all([
      harness.admin('PATCH', PATH, { name: 'a' }, tag),
      harness.admin('PATCH', PATH, { name: 'b' }, tag),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });
});

it('no update is lost: patches of different members at once are all there in the end', async () => {
  const harness = await createBilling();
  const patches = [
    { name: 'Invoices' },
    { description: 'new' },
    { dpopBound: true },
    { accessTokenSeconds: 60 },
    { serves: [BILLING] },
    { tokenFormat: 'opaque' },
  ];
  const answers = await Promise.all(patches.map((patch) => harness.admin('PATCH', PATH, patch)));
  expect(answers.map(({ status }) => status)).toEqual(patches.map(() => 200));
  const { body } = await harness.admin('GET', PATH);
  expect(body).toMatchObject({ ...Object.assign({}, ...patches), version: 7 });
});

it('who always loses is told so, and nothing is half done', async () => {
  const storage = { ...memoryStorage(), updateService: async () => false };
  const harness = await createBilling({}, createAdminHarness({ storage }));
  const { status, body } = await harness.admin('PATCH', PATH, { name: 'x' });
  expect([status, body.code]).toEqual([409, 'update_conflict']);
});

describe('a patch of a resource', () => {
  const RESOURCE_PATH = `/admin/resources/${encodeURIComponent(ORDERS)}`;

  async function createOrders(harness = createAdminHarness()): Promise<AdminHarness> {
    const { status } = await harness.admin('POST', '/admin/resources', { resource: ORDERS, name: 'Orders' });
    expect(status).toBe(201);
    return harness;
  }

  it.each([
    ['"1"', 200],
    ['*', 200],
    ['"2"', 412],
    ['1', 400],
  ])('for the version %s gives %i', async (tag, expected) => {
    const harness = await createOrders();
    const patch = { name: 'x' };
    const { status, headers } = await harness.admin('PATCH', RESOURCE_PATH, patch, { 'if-match': tag });
    expect([status, headers.get('etag')]).toEqual([
      expected,
      { 200: '"2"', 412: '"1"', 400: null }[expected],
    ]);
    const { headers: shown } = await harness.admin('GET', RESOURCE_PATH);
    expect(shown.get('etag')).toBe(expected === 200 ? '"2"' : '"1"');
  });

  it('is not lost to another one at the same time', async () => {
    const harness = await createOrders();
    const answers = await Promise.all([
      harness.admin('PATCH', RESOURCE_PATH, { name: 'Purchases' }),
      harness.admin('PATCH', RESOURCE_PATH, { scopes: ['read'] }),
    ]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    const { body } = await harness.admin('GET', RESOURCE_PATH);
    expect(body).toMatchObject({ name: 'Purchases', scopes: ['read'], version: 3 });
    const [last, first] = await auditOf(harness);
    expect(last.before).toEqual(first.after);
  });

  it('fails where both were for the version that one of them changed', async () => {
    const harness = await createOrders();
    const tag = { 'if-match': '"1"' };
    const answers = await Promise.all([
      harness.admin('PATCH', RESOURCE_PATH, { name: 'a' }, tag),
      harness.admin('PATCH', RESOURCE_PATH, { name: 'b' }, tag),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });

  it('that changes nothing makes no version and no entry', async () => {
    const harness = await createOrders();
    const { status, body } = await harness.admin('PATCH', RESOURCE_PATH, { name: 'Orders', scopes: null });
    expect([status, body.version]).toEqual([200, 1]);
    expect((await auditOf(harness)).length).toBe(1);
  });

  it('that always loses is told so', async () => {
    const storage = { ...memoryStorage(), updateResource: async () => false };
    const harness = await createOrders(createAdminHarness({ storage }));
    const { status, body } = await harness.admin('PATCH', RESOURCE_PATH, { name: 'x' });
    expect([status, body.code]).toEqual([409, 'update_conflict']);
  });
});

it('a secret is not readable in the storage once client_secret_jwt is taken away', async () => {
  const harness = await createBilling({ authMethods: ['client_secret_basic', 'client_secret_jwt'] });
  const sealed = async () =>
    (await harness.storage.findService('billing'))?.secrets.map((secret) => typeof secret.sealed);
  expect(await sealed()).toEqual(['string']);
  await harness.admin('PATCH', PATH, { authMethods: ['client_secret_basic'] });
  expect(await sealed()).toEqual(['undefined']);
});
