/** Moving over from a registry of service credentials: its whole life through the admin API, over real sockets. */
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  clientSecretBasic,
  createAuthedFetch,
  createTokenClient,
  createVerifier,
  type Policy,
} from '../../src/index.ts';
import {
  type AdminClient,
  createAdminClient,
  type IssuerServer,
  type IssuerStorage,
  memoryStorage,
  type Service,
  serveIssuer,
} from '../../src/issuer/index.ts';
import { ADMIN_TOKEN, ORDERS } from '../helpers/issuer-world.ts';
import { reasonOf } from '../helpers/judge.ts';
import { signHmac } from '../helpers/tokens.ts';

let storage: IssuerStorage;
let issuer: IssuerServer;
let admin: AdminClient;
let nowMs: number;
beforeEach(async () => {
  nowMs = Date.now();
  storage = memoryStorage();
  issuer = await serveIssuer({ port: 0, adminToken: ADMIN_TOKEN, storage, now: () => nowMs });
  admin = createAdminClient({ issuer: issuer.url, adminToken: ADMIN_TOKEN });
});
afterEach(() => issuer.close());

const billing = {
  clientId: 'billing',
  name: 'Billing',
  scopes: ['orders:read', 'orders:write'],
  resources: [ORDERS],
};

async function createBilling(): Promise<string> {
  const { clientSecret = '' } = await admin.services.create(billing);
  return clientSecret;
}

/** `undefined` where the secret opens nothing. */
async function tokenFor(clientSecret: string, clientId = 'billing'): Promise<string | undefined> {
  const tokens = createTokenClient({ issuer: issuer.url, clientId, clientSecret, now: () => nowMs });
  const token = await tokens.getToken().catch(({ oauthError }: { oauthError: string }) => {
    expect(oauthError).toBe('invalid_client');
    return undefined;
  });
  tokens.close();
  return token?.accessToken;
}

function judge(token: string, policy: Policy): Promise<string> {
  const verifier = createVerifier({ issuer: issuer.url, audience: ORDERS, now: () => nowMs });
  return reasonOf(verifier.verifyToken(token, { policy }));
}

describe('service credentials', () => {
  it('are created, listed and read; the secret is visible once, and only a hash of it is kept', async () => {
    const created = await admin.services.create(billing);
    const { clientSecret = '', ...shown } = created;
    expect(clientSecret).not.toBe('');
    const others = ['stock', 'shipping', 'mail'];
    for (const clientId of others) await admin.services.create({ ...billing, clientId });

    expect(await admin.services.get('billing')).toEqual(shown);
    const found: Service[] = [];
    for await (const service of admin.services.all()) found.push(service);
    expect(found.map(({ clientId }) => clientId)).toEqual(['billing', ...others]);
    expect(found[0]).toEqual(shown);
    const first = await admin.services.list({ limit: 3 });
    const rest = await admin.services.list({ limit: 3, after: first.next });
    expect([...first.services, ...rest.services]).toEqual(found);

    const kept = JSON.stringify([await storage.findService('billing'), await admin.audit.list(), found]);
    expect(kept).toContain('service.created');
    expect(kept).not.toContain(clientSecret);
    expect(kept).not.toContain(Buffer.from(clientSecret).toString('base64'));
  });

  it('are rotated by adding a secret and removing the old one later, while tokens flow', async () => {
    const old = await createBilling();
    const { secrets: before } = await admin.services.get('billing');
    const added = await admin.secrets.create('billing');
    expect([await tokenFor(old), await tokenFor(added.clientSecret)]).not.toContain(undefined);

    // A client that has been given both finds the one that opens.
    const clientAuth = clientSecretBasic([old, added.clientSecret]);
    const both = createTokenClient({ issuer: issuer.url, clientId: 'billing', clientAuth, now: () => nowMs });
    await both.getToken();
    const { secrets } = await admin.services.get('billing');
    expect(secrets.map(({ id, hint }) => [id, hint])).toEqual([
      [before[0]?.id, old.slice(-4)],
      [added.id, added.clientSecret.slice(-4)],
    ]);
    await admin.secrets.remove('billing', before[0]?.id ?? '');
    expect(await tokenFor(old)).toBeUndefined();
    expect(await tokenFor(added.clientSecret)).toBeDefined();
    expect((await both.getToken({ forceRefresh: true })).tokenType).toBe('Bearer');
    both.close();
    const { entries } = await admin.audit.list({ target: 'billing' });
    expect(entries.map(({ action }) => action)).toEqual([
      'secret.removed',
      'secret.added',
      'service.created',
    ]);
  });

  it('are rotated with an end that is set at once', async () => {
    const old = await createBilling();
    const added = await admin.secrets.create('billing', { expireOthersInSeconds: 3600 });
    expect(await tokenFor(old)).toBeDefined();
    nowMs += 3_600_000;
    expect(await tokenFor(old)).toBeUndefined();
    expect(await tokenFor(added.clientSecret)).toBeDefined();
  });

  it('are revoked softly: the record stays, its name is taken for good, nothing opens', async () => {
    const secret = await createBilling();
    await admin.services.revoke('billing');
    expect(await tokenFor(secret)).toBeUndefined();
    expect(await admin.services.get('billing')).toMatchObject({
      name: 'Billing',
      revokedAt: new Date(nowMs).toISOString(),
    });
    await expect(admin.services.create(billing)).rejects.toMatchObject({ status: 409 });
    await expect(admin.secrets.create('billing')).rejects.toMatchObject({ status: 409 });
    await expect(admin.services.get('nobody')).rejects.toMatchObject({ status: 404 });
  });

  it('are managed by a service with the scope for it, too, until that is revoked', async () => {
    const { clientSecret = '' } = await admin.services.create({
      clientId: 'registry',
      name: 'Registry',
      scopes: ['services:admin'],
    });
    const authedFetch = createAuthedFetch({
      issuer: issuer.url,
      clientId: 'registry',
      clientSecret,
      targets: [{ origin: issuer.url, scope: 'services:admin' }],
      now: () => nowMs,
    });
    const registry = createAdminClient({ issuer: issuer.url, fetch: authedFetch });
    await registry.services.create(billing);
    const { entries } = await registry.audit.list({ target: 'billing' });
    expect(entries).toMatchObject([{ actor: 'registry', action: 'service.created' }]);
    await admin.services.revoke('registry');
    await expect(registry.services.list()).rejects.toMatchObject({ name: 'ServiceAuthError' });
    authedFetch.close();
  });
});

describe('tokens of services', () => {
  it('are verified by others, each route with the scope that it needs', async () => {
    const token = (await tokenFor(await createBilling())) ?? '';
    const keys = createRemoteJWKSet(new URL(`${issuer.url}/jwks`));
    const { payload } = await jwtVerify(token, keys, { issuer: issuer.url, audience: ORDERS });
    expect(payload).toMatchObject({ sub: 'billing', scope: 'orders:read orders:write' });
    expect(await judge(token, { scope: ['orders:read', 'orders:write'], serviceOnly: true })).toBe(
      'accepted',
    );
    expect(await judge(token, { scope: 'orders:delete' })).toBe('insufficient_scope');
  });

  it('of the old registry go on beside those of the issuer, while services move over', async () => {
    const token = (await tokenFor(await createBilling())) ?? '';
    const secret = 'the secret that the old registry shares with all services';
    const verifier = createVerifier({
      issuer: [issuer.url, { issuer: 'https://registry.example', secret }],
      audience: null,
      now: () => nowMs,
    });
    const iat = Math.floor(nowMs / 1000);
    const claims = {
      iss: 'https://registry.example',
      sub: 'shipping',
      client_id: 'shipping',
      token_type: 'service',
      scopes: ['orders:read'],
      iat,
      exp: iat + 300,
    };
    const policy: Policy = { scope: 'orders:read', serviceOnly: true };
    const judgeBoth = (text: string): Promise<string> => reasonOf(verifier.verifyToken(text, { policy }));
    expect(await judgeBoth(token)).toBe('accepted');
    expect(await judgeBoth(signHmac(secret, { typ: 'JWT' }, claims))).toBe('accepted');
    expect(await judgeBoth(signHmac(secret, { typ: 'JWT' }, { ...claims, iss: issuer.url }))).not.toBe(
      'accepted',
    );
    const ofUser = { ...claims, sub: 'user-17', token_type: 'user' };
    expect(await judgeBoth(signHmac(secret, { typ: 'JWT' }, ofUser))).toBe('service_only');
  });
});
