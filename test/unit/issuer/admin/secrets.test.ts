import { describe, expect, it } from 'vitest';
import { START_MS } from '../harness.ts';
import { type AdminHarness, auditOf, create, createAdminHarness } from './support.ts';

const PATH = '/admin/services/billing/secrets';
const GRANT = { grant_type: 'client_credentials' };

async function createBilling(input: object = {}): Promise<{ harness: AdminHarness; clientSecret: string }> {
  const harness = createAdminHarness();
  const { body } = await create(harness, { clientId: 'billing', ...input });
  return { harness, clientSecret: body.clientSecret };
}

async function opens(harness: AdminHarness, clientSecret: string): Promise<boolean> {
  const { status } = await harness.post('/token', GRANT, { clientId: 'billing', clientSecret });
  return status === 200;
}

const at = (seconds: number): string => new Date(START_MS + seconds * 1000).toISOString();

describe('another secret', () => {
  it('is shown once, and works besides the first', async () => {
    const { harness, clientSecret: first } = await createBilling();
    const { status, body } = await harness.admin('POST', PATH);
    const { clientSecret: second, ...shown } = body;
    expect(status).toBe(201);
    expect(shown).toEqual({ id: expect.any(String), hint: second.slice(-4), createdAt: at(0) });
    expect([await opens(harness, first), await opens(harness, second)]).toEqual([true, true]);
    const { body: service } = await harness.admin('GET', '/admin/services/billing');
    expect(service.secrets.at(-1)).toEqual(shown);
    expect(service.version).toBe(1);
    const [entry] = await auditOf(harness);
    expect(entry).toMatchObject({ action: 'secret.added', target: 'billing', after: shown });
    expect(harness.events).toContainEqual(
      expect.objectContaining({ type: 'issuer.secret_added', clientId: 'billing', secretId: shown.id }),
    );
  });

  it('sets an end to the others, with overlap', async () => {
    const { harness, clientSecret: first } = await createBilling();
    const { body } = await harness.admin('POST', PATH, { expireOthersInSeconds: 3600 });
    harness.advance(3599);
    expect(await opens(harness, first)).toBe(true);
    harness.advance(1);
    expect([await opens(harness, first), await opens(harness, body.clientSecret)]).toEqual([false, true]);
    const { body: service } = await harness.admin('GET', '/admin/services/billing');
    expect(service.secrets[0].expiresAt).toBe(at(3600));
    expect((await auditOf(harness))[0].after.othersExpireAt).toBe(at(3600));
  });

  it('or ends them at once, and itself in time', async () => {
    const { harness, clientSecret: first } = await createBilling();
    const { body } = await harness.admin('POST', PATH, { expireOthersInSeconds: 0, expiresInSeconds: 60 });
    expect(body.expiresAt).toBe(at(60));
    expect([await opens(harness, first), await opens(harness, body.clientSecret)]).toEqual([false, true]);
    harness.advance(60);
    expect(await opens(harness, body.clientSecret)).toBe(false);
  });

  it.each([
    [{ expiresInSeconds: 0 }, 'expiresInSeconds'],
    [{ expiresInSeconds: 1e12 }, 'expiresInSeconds'],
    [{ expireOthersInSeconds: -1 }, 'expireOthersInSeconds'],
    [{ expireOthersInSeconds: '1' }, 'expireOthersInSeconds'],
    [{ clientSecret: 'mine' }, ''],
  ])('%j is refused', async (input, path) => {
    const { harness } = await createBilling();
    const { status, body } = await harness.admin('POST', PATH, input);
    expect([status, body.errors[0].path]).toEqual([400, path]);
  });

  it('is for services that use one', async () => {
    const { harness } = await createBilling({ tlsClientAuth: { sanDns: 'billing.example' } });
    expect((await harness.admin('POST', PATH)).body.code).toBe('no_secret_method');
    await harness.admin('DELETE', '/admin/services/billing');
    expect((await harness.admin('POST', PATH)).body.code).toBe('service_revoked');
    expect((await harness.admin('POST', '/admin/services/nobody/secrets')).body.code).toBe('unknown_service');
  });

  it('ten may live at once; expired ones make room', async () => {
    const { harness } = await createBilling();
    for (let count = 1; count < 10; count++) {
      expect((await harness.admin('POST', PATH, { expiresInSeconds: 60 })).status).toBe(201);
    }
    expect((await harness.admin('POST', PATH)).body.code).toBe('too_many_secrets');
    harness.advance(60);
    expect((await harness.admin('POST', PATH)).status).toBe(201);
    expect((await harness.admin('GET', '/admin/services/billing')).body.secrets.length).toBe(2);
    expect((await auditOf(harness)).map(({ action }: { action: string }) => action)).toEqual([
      'secret.added',
      ...Array.from({ length: 9 }, () => 'secret.removed'),
      ...Array.from({ length: 9 }, () => 'secret.added'),
      'service.created',
    ]);
  });
});

describe('removing', () => {
  it('a secret that is removed opens nothing', async () => {
    const { harness, clientSecret } = await createBilling();
    const { body } = await harness.admin('GET', '/admin/services/billing');
    const [secret] = body.secrets;
    expect((await harness.admin('DELETE', `${PATH}/${secret.id}`)).status).toBe(204);
    expect(await opens(harness, clientSecret)).toBe(false);
    expect((await auditOf(harness))[0]).toMatchObject({ action: 'secret.removed', before: secret });
    expect((await harness.admin('DELETE', `${PATH}/${secret.id}`)).body.code).toBe('unknown_secret');
    expect((await harness.admin('DELETE', '/admin/services/x/secrets/y')).body.code).toBe('unknown_service');
  });

  it('a secret of another service stays', async () => {
    const { harness } = await createBilling();
    const { body } = await create(harness, { clientId: 'orders' });
    const [{ id }] = body.secrets;
    expect((await harness.admin('DELETE', `${PATH}/${id}`)).status).toBe(404);
    expect((await harness.admin('GET', '/admin/services/orders')).body.secrets.length).toBe(1);
  });
});
