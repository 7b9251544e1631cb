import { describe, expect, it } from 'vitest';
import { BILLING, ISSUER, ORDERS, START_MS } from '../harness.ts';
import { auditOf, create, createAdminHarness } from './support.ts';

const names = (count: number): string[] =>
  Array.from({ length: count }, (_, at) => `svc-${String(at).padStart(3, '0')}`);

describe('services in pages', () => {
  it('each is on one page, in order of registration', async () => {
    const harness = createAdminHarness();
    for (const clientId of names(7)) await create(harness, { clientId });
    const pages: string[][] = [];
    for (let path: string | undefined = '/admin/services?limit=3'; path !== undefined; ) {
      const { body } = await harness.admin('GET', path);
      pages.push(body.services.map(({ clientId }: { clientId: string }) => clientId));
      path = body.next && `/admin/services?limit=3&after=${body.next}`;
    }
    expect(pages).toEqual([names(7).slice(0, 3), names(7).slice(3, 6), names(7).slice(6)]);
  });

  it('50 come where nothing is said, 200 at most', async () => {
    const harness = createAdminHarness();
    for (const clientId of names(51)) await create(harness, { clientId });
    const { body } = await harness.admin('GET', '/admin/services');
    expect([body.services.length, typeof body.next]).toEqual([50, 'string']);
    const { body: all } = await harness.admin('GET', '/admin/services?limit=51');
    expect([all.services.length, all.next]).toEqual([51, undefined]);
  });

  it.each([
    'limit=0',
    'limit=201',
    'limit=1.5',
    'limit=-1',
    'limit=1e1',
    'limit=',
    'limit=1&limit=2',
    'after=%00',
    'after=svc-001',
    'after=',
    'after=AA',
    'page=2',
    '__proto__=1',
  ])('?%s is refused', async (query) => {
    const { status, body } = await createAdminHarness().admin('GET', `/admin/services?${query}`);
    expect([status, body.code]).toEqual([400, 'invalid_input']);
  });
});

describe('the audit log', () => {
  it('tells who did what to what, the newest first', async () => {
    const harness = createAdminHarness();
    const { body: created } = await create(harness, { clientId: 'billing' });
    const { clientSecret, ...shown } = created;
    harness.advance(60);
    await harness.admin('DELETE', '/admin/services/billing');
    await harness.admin('DELETE', '/admin/services/billing');
    const revokedAt = new Date(START_MS + 60_000).toISOString();
    expect(await auditOf(harness)).toEqual([
      {
        sequence: 2,
        at: revokedAt,
        actor: 'admin',
        action: 'service.revoked',
        target: 'billing',
        before: shown,
        after: { ...shown, revokedAt },
      },
      {
        sequence: 1,
        at: shown.createdAt,
        actor: 'admin',
        action: 'service.created',
        target: 'billing',
        after: shown,
      },
    ]);
  });

  it('comes in pages, and of one target alone', async () => {
    const harness = createAdminHarness();
    for (const clientId of names(5)) await create(harness, { clientId });
    await harness.admin('DELETE', '/admin/services/svc-001');
    const { body: first } = await harness.admin('GET', '/admin/audit?limit=4');
    const { body: second } = await harness.admin('GET', `/admin/audit?limit=4&before=${first.next}`);
    const sequences = [...first.entries, ...second.entries].map(({ sequence }) => sequence);
    expect(sequences).toEqual([6, 5, 4, 3, 2, 1]);
    expect(second).not.toHaveProperty('next');
    const { body: ofOne } = await harness.admin('GET', '/admin/audit?target=svc-001');
    expect(ofOne.entries.map(({ action }: { action: string }) => action)).toEqual([
      'service.revoked',
      'service.created',
    ]);
  });

  it.each(['before=0', 'before=x', 'before=-1', 'limit=201', 'target=%00', 'target=', 'who=me'])(
    '?%s is refused',
    async (query) => {
      expect((await createAdminHarness().admin('GET', `/admin/audit?${query}`)).status).toBe(400);
    },
  );

  it('what is refused leaves no entry', async () => {
    const harness = createAdminHarness();
    await create(harness, { scopes: 'x' });
    await harness.admin('DELETE', '/admin/services/x');
    await harness.admin('PATCH', '/admin/services/x', {});
    expect(await auditOf(harness)).toEqual([]);
  });
});

describe('resources', () => {
  const path = `/admin/resources/${encodeURIComponent(ORDERS)}`;
  const STARTED = new Date(START_MS).toISOString();

  it('are registered, shown, changed and deleted, each with its entry', async () => {
    const harness = createAdminHarness();
    const input = { resource: ORDERS, name: 'Orders', scopes: ['read', 'write'] };
    const created = await harness.admin('POST', '/admin/resources', input);
    expect([created.status, created.headers.get('location')]).toEqual([201, `${ISSUER}${path}`]);
    expect(created.headers.get('etag')).toBe('"1"');
    expect(created.body).toEqual({ ...input, createdAt: STARTED, updatedAt: STARTED, version: 1 });
    expect((await harness.admin('GET', path)).body).toEqual(created.body);
    harness.advance(60);
    const updatedAt = new Date(START_MS + 60_000).toISOString();
    const updated = await harness.admin('PATCH', path, { name: null, scopes: ['read'] });
    const left = { resource: ORDERS, scopes: ['read'], createdAt: STARTED };
    expect(updated.body).toEqual({ ...left, updatedAt, version: 2 });
    expect((await harness.admin('GET', '/admin/resources')).body).toEqual({ resources: [updated.body] });
    expect((await harness.admin('DELETE', path)).status).toBe(204);
    expect((await harness.admin('GET', '/admin/resources')).body).toEqual({ resources: [] });
    for (const method of ['GET', 'DELETE', 'PATCH']) {
      const { body } = await harness.admin(method, path, method === 'PATCH' ? {} : undefined);
      expect(body.code).toBe('unknown_resource');
    }
    expect(await auditOf(harness)).toMatchObject([
      { action: 'resource.deleted', target: ORDERS, before: updated.body },
      { action: 'resource.updated', before: created.body, after: updated.body },
      { action: 'resource.created', after: created.body },
    ]);
    expect(harness.events.map((event) => 'change' in event && event.change)).toEqual([
      'created',
      'updated',
      'deleted',
    ]);
  });

  it('are there once, and not besides those of the options', async () => {
    const harness = createAdminHarness({ resources: [BILLING] });
    const add = (resource: string) => harness.admin('POST', '/admin/resources', { resource });
    expect((await add(ORDERS)).status).toBe(201);
    expect((await add(ORDERS)).body.code).toBe('resource_taken');
    expect((await add(BILLING)).body.code).toBe('resource_taken');
  });

  it.each([
    [{}, 'resource'],
    [{ resource: 'orders' }, 'resource'],
    [{ resource: `${ORDERS}#a` }, 'resource'],
    [{ resource: ORDERS, scopes: ['a b'] }, 'scopes.0'],
    [{ resource: ORDERS, name: 'a\u0000' }, 'name'],
    [{ resource: ORDERS, createdAt: STARTED }, ''],
  ])('%j is refused', async (input, at) => {
    const { status, body } = await createAdminHarness().admin('POST', '/admin/resources', input);
    expect([status, body.errors[0].path]).toEqual([400, at]);
  });

  it('limit the scopes of tokens for them', async () => {
    const harness = createAdminHarness();
    const billing = await harness.register();
    await harness.admin('POST', '/admin/resources', { resource: ORDERS, scopes: ['read'] });
    const { payload } = await harness.verify(await harness.token(billing, { resource: ORDERS }));
    expect(payload.scope).toBe('read');
  });
});

describe('signing keys', () => {
  it('are shown with their place in the rotation', async () => {
    const harness = createAdminHarness({ keyPublishAheadSeconds: 300, accessTokenSeconds: 900 });
    const at = (seconds: number): string => new Date(START_MS + seconds * 1000).toISOString();
    const { body: before } = await harness.admin('GET', '/admin/keys');
    const [first] = before.keys;
    expect(before.keys).toEqual([
      {
        kid: expect.any(String),
        algorithm: 'ES256',
        state: 'active',
        createdAt: at(0),
        activeFrom: at(0),
      },
    ]);
    const { status, body: second } = await harness.admin('POST', '/admin/keys/rotate');
    expect(status).toBe(200);
    expect(second).toEqual({ ...first, kid: second.kid, state: 'upcoming', activeFrom: at(300) });
    const states = async () => {
      const { body } = await harness.admin('GET', '/admin/keys');
      return body.keys.map(({ kid, state }: { kid: string; state: string }) => [kid, state]);
    };
    expect(await states()).toEqual([
      [first.kid, 'active'],
      [second.kid, 'upcoming'],
    ]);
    const pending = await harness.admin('POST', '/admin/keys/rotate', {});
    expect([pending.status, pending.body.code]).toEqual([409, 'rotation_pending']);
    harness.advance(300);
    expect(await states()).toEqual([
      [first.kid, 'retiring'],
      [second.kid, 'active'],
    ]);
    expect(await auditOf(harness)).toMatchObject([
      { actor: 'admin', action: 'key.rotated', target: second.kid, after: { kid: second.kid } },
    ]);
  });

  it('rotate at once on command', async () => {
    const harness = createAdminHarness();
    const { body } = await harness.admin('POST', '/admin/keys/rotate', { immediately: true });
    expect(body.state).toBe('active');
    const { body: all } = await harness.admin('GET', '/admin/keys');
    expect(all.keys[0]).toMatchObject({ state: 'retiring', retiresAt: expect.any(String) });
    expect((await harness.admin('POST', '/admin/keys/rotate', { immediately: 1 })).status).toBe(400);
  });
});
