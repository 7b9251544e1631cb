import { describe, expect, it } from 'vitest';
import { type AdminHarness, auditOf, createAdminHarness, SERVICE } from './support.ts';

const KEY = { 'idempotency-key': 'one-and-only' };
const SECRETS = '/admin/services/billing/secrets';

function createWith(harness: AdminHarness, headers: Record<string, string>, input: object = SERVICE) {
  return harness.admin('POST', '/admin/services', input, headers);
}

describe('a create that is sent again', () => {
  it('is answered the same, and done once', async () => {
    const harness = createAdminHarness();
    const first = await createWith(harness, KEY);
    harness.advance(60);
    const again = await createWith(harness, KEY);
    expect(first.status).toBe(201);
    expect([again.status, again.text]).toEqual([first.status, first.text]);
    expect(again.headers.get('location')).toBe(first.headers.get('location'));
    expect((await harness.storage.listServices({ limit: 10 })).length).toBe(1);
    expect((await auditOf(harness)).length).toBe(1);
    expect(harness.events.length).toBe(1);
    expect(await harness.token(first.body)).toEqual(expect.any(String));
  });

  it('is answered the same, whatever became of the service since', async () => {
    const harness = createAdminHarness();
    const input = { ...SERVICE, clientId: 'billing' };
    const first = await createWith(harness, KEY, input);
    await harness.admin('PATCH', '/admin/services/billing', { name: 'another' });
    await harness.admin('DELETE', `${SECRETS}/${first.body.secrets[0].id}`);
    expect((await createWith(harness, KEY, input)).text).toBe(first.text);
  });

  it('twins at once make one', async () => {
    const harness = createAdminHarness();
    const answers = await Promise.all(Array.from({ length: 8 }, () => createWith(harness, KEY)));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect((await harness.storage.listServices({ limit: 10 })).length).toBe(1);
    expect((await auditOf(harness)).length).toBe(1);
  });

  it('the order of members and defaults that are spelt out make no other content', async () => {
    const harness = createAdminHarness();
    const first = await createWith(harness, KEY);
    const same = { dpopBound: false, ...Object.fromEntries(Object.entries(SERVICE).reverse()) };
    expect((await createWith(harness, KEY, same)).text).toBe(first.text);
  });

  it('another content under the same key is 422', async () => {
    const harness = createAdminHarness();
    await createWith(harness, KEY);
    const { status, body } = await createWith(harness, KEY, { ...SERVICE, name: 'another' });
    expect([status, body.code]).toEqual([422, 'idempotency_key_reused']);
    expect((await harness.storage.listServices({ limit: 10 })).length).toBe(1);
  });

  it('another key makes another service, and after a day so does the same one', async () => {
    const harness = createAdminHarness();
    const first = await createWith(harness, KEY);
    const second = await createWith(harness, { 'idempotency-key': 'two' });
    harness.advance(86_400);
    const third = await createWith(harness, KEY);
    const ids = [first, second, third].map(({ body }) => body.clientId);
    expect(new Set(ids).size).toBe(3);
  });

  it('a name that is taken is refused every time', async () => {
    const harness = createAdminHarness();
    await createWith(harness, {}, { ...SERVICE, clientId: 'billing' });
    for (let count = 0; count < 2; count++) {
      const { body } = await createWith(harness, KEY, { ...SERVICE, clientId: 'billing' });
      expect(body.code).toBe('client_id_taken');
    }
  });

  it.each(['', 'a b', 'é', 'a'.repeat(256)])('%j is no key', async (key) => {
    const { status, body } = await createWith(createAdminHarness(), { 'idempotency-key': key });
    expect([status, body.code]).toEqual([400, 'invalid_idempotency_key']);
  });

  it('255 characters are', async () => {
    expect((await createWith(createAdminHarness(), { 'idempotency-key': '~'.repeat(255) })).status).toBe(201);
  });

  it('services without a secret have none in either answer', async () => {
    const harness = createAdminHarness();
    const input = { ...SERVICE, tlsClientAuth: { sanDns: 'billing.example' } };
    const first = await createWith(harness, KEY, input);
    expect(first.body).not.toHaveProperty('clientSecret');
    expect((await createWith(harness, KEY, input)).text).toBe(first.text);
  });
});

describe('secrets', () => {
  it('are made once, also by twins', async () => {
    const harness = createAdminHarness();
    await createWith(harness, {}, { ...SERVICE, clientId: 'billing' });
    const add = () => harness.admin('POST', SECRETS, { expiresInSeconds: 600 }, KEY);
    const answers = await Promise.all([add(), add(), add()]);
    harness.advance(60);
    answers.push(await add());
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
    expect((await harness.admin('GET', '/admin/services/billing')).body.secrets.length).toBe(2);
    const other = await harness.admin('POST', SECRETS, { expiresInSeconds: 601 }, KEY);
    expect(other.status).toBe(422);
  });

  it('the tenth is repeated, not refused', async () => {
    const harness = createAdminHarness();
    await createWith(harness, {}, { ...SERVICE, clientId: 'billing' });
    for (let count = 2; count < 10; count++) await harness.admin('POST', SECRETS);
    const tenth = await harness.admin('POST', SECRETS, {}, KEY);
    expect((await harness.admin('POST', SECRETS, {}, KEY)).text).toBe(tenth.text);
    expect((await harness.admin('POST', SECRETS)).status).toBe(409);
  });

  it('a key of one service is none of another', async () => {
    const harness = createAdminHarness();
    await createWith(harness, {}, { ...SERVICE, clientId: 'billing' });
    await createWith(harness, {}, { ...SERVICE, clientId: 'orders' });
    const first = await harness.admin('POST', SECRETS, {}, KEY);
    const second = await harness.admin('POST', '/admin/services/orders/secrets', {}, KEY);
    expect(second.status).toBe(201);
    expect(second.body.clientSecret).not.toBe(first.body.clientSecret);
  });
});

it('nothing that is kept for it is secret, or tells the key', async () => {
  const harness = createAdminHarness();
  const { body } = await createWith(harness, KEY);
  const { storage } = harness;
  const [service] = await storage.listServices({ limit: 1 });
  const kept = JSON.stringify([service, await storage.listAudit({ limit: 10 })]);
  expect(kept).not.toContain(body.clientSecret);
  expect(kept).not.toContain('one-and-only');
  expect(await storage.findIdempotentCreate('one-and-only', 0)).toBeUndefined();
});
