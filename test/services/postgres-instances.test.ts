import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type IssuerStorage, postgresStorage } from '../../src/issuer/index.ts';
import { hasPostgres, type PrivatePostgres, startPostgres } from '../helpers/postgres.ts';
import { createHarness, ORDERS } from '../unit/issuer/harness.ts';
import { audit, inParallel, revoked, service } from '../unit/issuer/storage/samples.ts';

const secretKey = 'a secret key that both of the issuers have';

describe.runIf(hasPostgres())('two issuers on one PostgreSQL', () => {
  let server: PrivatePostgres;
  let a: IssuerStorage;
  let b: IssuerStorage;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.remove());
  beforeEach(async () => {
    const url = await server.createDatabase();
    [a, b] = await Promise.all([postgresStorage({ url }), postgresStorage({ url })]);
  });
  afterEach(async () => {
    await Promise.all([a.close(), b.close()]);
  });

  const both = (turn: number): IssuerStorage => (turn % 2 === 0 ? a : b);
  const harnesses = () => [
    createHarness({ storage: a, secretKey }),
    createHarness({ storage: b, secretKey }),
  ] as const; // biome-ignore format: a pair

  it('make one key where none is, and publish the same ones', async () => {
    const [first, second] = harnesses();
    await Promise.all([first.issuer.ready(), second.issuer.ready()]);
    const sets = await Promise.all([first.call('/jwks'), second.call('/jwks')]);
    expect(sets[0].body.keys.length).toBe(1);
    expect(sets[0].body).toEqual(sets[1].body);
    const client = await first.register();
    const { payload } = await first.verify(await second.token(client));
    expect(payload.client_id).toBe(client.clientId);
  });

  it('know of the services of each other, and of their end', async () => {
    const [first, second] = harnesses();
    const client = await first.register();
    const orders = await second.register({ name: 'orders', serves: [ORDERS] });
    const token = await second.token(client, { resource: ORDERS });
    const isActive = async (at: typeof first) =>
      (await at.post('/introspect', { token }, orders)).body.active;
    expect([await isActive(first), await isActive(second)]).toEqual([true, true]);
    expect((await first.admin('DELETE', `/admin/services/${client.clientId}`)).status).toBeLessThan(300);
    expect([await isActive(first), await isActive(second)]).toEqual([false, false]);
    expect((await second.post('/token', { grant_type: 'client_credentials' }, client)).status).toBe(401);
  });

  it('know of the revoked tokens of each other', async () => {
    const [first, second] = harnesses();
    const client = await first.register({ serves: [ORDERS] });
    const token = await first.token(client, { resource: ORDERS });
    const isActive = async () => (await second.post('/introspect', { token }, client)).body.active;
    expect(await isActive()).toBe(true);
    expect((await first.post('/revoke', { token }, client)).status).toBe(200);
    expect(await isActive()).toBe(false);
  });

  it('use a name once between them', async () => {
    const results = await inParallel(100, (turn) => both(turn).useOnce('jti', 10));
    expect(results.filter(Boolean).length).toBe(1);
  });

  it('share a limit', async () => {
    const request = { key: 'k', windowEndsAtMs: 10, limit: 50, amount: 3 };
    const given = await inParallel(100, (turn) => both(turn).takeFromLimit(request));
    expect(given.reduce((sum, part) => sum + part)).toBe(50);
  });

  it('create one of many services of one name', async () => {
    const results = await inParallel(30, (turn) => both(turn).createService(service('a'), audit()));
    expect(results.filter((result) => result === 'created').length).toBe(1);
  });

  it('share no place of a status list, and see each change of it', async () => {
    const blocks = await inParallel(60, (turn) =>
      both(turn).reserveStatuses({ clientId: 'a', count: 5, expiresAtMs: 100 }),
    );
    expect(new Set(blocks.map(({ listId, start }) => `${listId}:${start}`)).size).toBe(60);
    expect(blocks.map(({ start }) => start % 5).every((rest) => rest === 0)).toBe(true);
    const { listId = '', start: index = 0 } = blocks[0] ?? {};
    const before = await b.statusListRevision(listId);
    await a.revokeToken(revoked('x', { status: { listId, index } }));
    expect(await b.statusListRevision(listId)).toBe((before ?? 0) + 1);
    expect((await b.statusList(listId, 1))?.revoked).toEqual([[index, 1]]);
  });

  it('clear away together what has expired', async () => {
    await inParallel(1500, (turn) => both(turn).useOnce(`n${turn}`, 10));
    await Promise.all([a.deleteExpired(10), b.deleteExpired(10), a.deleteExpired(10)]);
    const again = await inParallel(1500, (turn) => both(turn).useOnce(`n${turn}`, 20));
    expect(again.every(Boolean)).toBe(true);
  });
});
