import { decodeProtectedHeader } from 'jose';
import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { createHarness, type Harness, START_MS } from '../harness.ts';

const SECRET_KEY = 'a secret key of the issuer for these tests';
/** Life of tokens and the grace after it. */
const LAST_TOKEN_SECONDS = 900 + 60;

async function kids({ call }: Harness): Promise<string[]> {
  const { body } = await call('/jwks');
  return body.keys.map(({ kid }: { kid: string }) => kid);
}

async function scene(options = {}) {
  const harness = createHarness({ keyPublishAheadSeconds: 100, ...options });
  const service = await harness.register();
  const signedBy = async () => decodeProtectedHeader(await harness.token(service)).kid;
  const [first] = await kids(harness);
  return { harness, service, signedBy, first };
}

describe('the key set', () => {
  it.each([
    ['ES256', { kty: 'EC', crv: 'P-256', x: expect.any(String), y: expect.any(String) }],
    ['EdDSA', { kty: 'OKP', crv: 'Ed25519', x: expect.any(String) }],
    ['RS256', { kty: 'RSA', n: expect.stringMatching(/^[\w-]{342}$/), e: 'AQAB' }],
  ] as const)('threat 27: has public members only: %s', async (alg, members) => {
    const { body } = await createHarness({ signingAlgorithm: alg }).call('/jwks');
    expect(body).toEqual({
      keys: [{ ...members, alg, use: 'sig', kid: expect.stringMatching(/^[\w-]{43}$/) }],
    });
  });

  it('may be cached for half of the time by which keys are published ahead', async () => {
    const headersOf = async (options = {}) => (await createHarness(options).call('/jwks')).headers;
    expect((await headersOf()).get('cache-control')).toBe('public, max-age=150');
    expect((await headersOf({ keyPublishAheadSeconds: 0 })).get('cache-control')).toBe('public, max-age=0');
  });

  it('is the same for requests that come at once', async () => {
    const harness = createHarness();
    const sets = await Promise.all(Array.from({ length: 20 }, () => kids(harness)));
    expect(new Set(sets.map((set) => set.join())).size).toBe(1);
    expect((await harness.storage.listSigningKeys()).length).toBe(1);
  });
});

describe('rotation', () => {
  it('publishes the new key at once, and signs with it after the publish-ahead time', async () => {
    const { harness, signedBy, first } = await scene();
    const { status, body } = await harness.admin('POST', '/admin/keys/rotate');
    expect(status).toBe(200);
    const activeFrom = new Date(START_MS + 100_000).toISOString();
    expect(body).toEqual({ kid: expect.any(String), algorithm: 'ES256', activeFrom });
    expect(await kids(harness)).toEqual([first, body.kid]);
    harness.advance(99);
    expect(await signedBy()).toBe(first);
    harness.advance(1);
    expect(await signedBy()).toBe(body.kid);
  });

  it('keeps the old key until the last token it signed has expired, and a minute of grace', async () => {
    const { harness, service, first } = await scene();
    const rotated = await harness.issuer.rotateKeys();
    harness.advance(99);
    const lastOfOld = await harness.token(service);
    harness.advance(1 + 898);
    expect((await harness.verify(lastOfOld)).protectedHeader.kid).toBe(first);
    expect((await harness.post('/introspect', { token: lastOfOld }, service)).body.active).toBe(true);
    harness.advance(LAST_TOKEN_SECONDS - 898 - 1);
    expect(await kids(harness)).toEqual([first, rotated?.kid]);
    harness.advance(1);
    expect(await kids(harness)).toEqual([rotated?.kid]);
    harness.advance(5);
    expect(await kids(harness)).toEqual([rotated?.kid]);
    expect((await harness.storage.listSigningKeys()).map(({ kid }) => kid)).toEqual([rotated?.kid]);
  });

  it('may take effect at once', async () => {
    const { harness, signedBy, first } = await scene();
    const { body } = await harness.admin('POST', '/admin/keys/rotate', { immediately: true });
    expect(body.activeFrom).toBe(new Date(START_MS).toISOString());
    expect(await signedBy()).toBe(body.kid);
    expect(await kids(harness)).toEqual([first, body.kid]);
  });

  it('is refused while an earlier one has not taken effect, unless it is immediate', async () => {
    const { harness } = await scene();
    const rotate = (body = {}) => harness.admin('POST', '/admin/keys/rotate', body);
    expect((await rotate()).status).toBe(200);
    expect((await rotate()).status).toBe(409);
    expect(await harness.issuer.rotateKeys()).toBeUndefined();
    expect((await rotate({ immediately: true })).status).toBe(200);
    harness.advance(100);
    expect((await rotate()).status).toBe(200);
  });

  it('happens once if two ask at once', async () => {
    const { harness } = await scene();
    const results = await Promise.all([harness.issuer.rotateKeys(), harness.issuer.rotateKeys()]);
    expect(results.filter((result) => result !== undefined).length).toBe(1);
    expect((await kids(harness)).length).toBe(2);
  });

  it('is reported', async () => {
    const { harness } = await scene();
    const rotated = await harness.issuer.rotateKeys();
    expect(harness.events.at(-1)).toEqual({ type: 'issuer.keys_rotated', ...rotated, at: START_MS });
  });

  it.each([{ immediately: 'yes' }, { other: true }, { __proto__x: 1 }])('refuses %j', async (body) => {
    const { harness } = await scene();
    expect((await harness.admin('POST', '/admin/keys/rotate', body)).status).toBe(400);
    expect((await kids(harness)).length).toBe(1);
  });
});

describe('issuers that share a storage', () => {
  const shared = (options = {}) => ({ storage: memoryStorage(), secretKey: SECRET_KEY, ...options });

  it('use the same key, also if they start at once', async () => {
    const options = shared();
    const [a, b] = [createHarness(options), createHarness(options)];
    const [first, second] = await Promise.all([kids(a), kids(b)]);
    expect(first.length).toBe(1);
    expect(first).toEqual(second);
  });

  it('take up where the last one ended', async () => {
    const options = shared();
    const before = createHarness(options);
    const service = await before.register();
    const token = await before.token(service);
    const after = createHarness(options);
    await after.verify(token);
    await before.verify(await after.token(service));
  });

  it('learn of a rotation within five seconds', async () => {
    const options = shared();
    const [a, b] = [createHarness(options), createHarness(options)];
    await kids(b);
    const rotated = await a.issuer.rotateKeys();
    expect((await kids(b)).length).toBe(1);
    b.advance(5);
    expect(await kids(b)).toContain(rotated?.kid);
  });

  it('keep a key for tokens that live longer than those of today', async () => {
    const storage = memoryStorage();
    const before = createHarness(shared({ storage, accessTokenSeconds: 3600 }));
    const [first] = await kids(before);
    const after = createHarness(shared({ storage, accessTokenSeconds: 60 }));
    await after.issuer.rotateKeys({ immediately: true });
    after.advance(3600 + 59);
    expect(await kids(after)).toContain(first);
    after.advance(1);
    expect(await kids(after)).not.toContain(first);
  });

  it('move to another algorithm while tokens of the old one still hold', async () => {
    const options = shared();
    const before = createHarness(options);
    const service = await before.register();
    const token = await before.token(service);
    const after = createHarness({ ...options, signingAlgorithm: 'EdDSA' });
    expect((await after.verify(token)).protectedHeader.alg).toBe('ES256');
    expect((await after.verify(await after.token(service))).protectedHeader.alg).toBe('ES256');
    // As after every rotation: verifiers have to learn of the new key first.
    after.advance(300);
    expect((await after.verify(await after.token(service))).protectedHeader.alg).toBe('EdDSA');
    after.advance(LAST_TOKEN_SECONDS);
    expect((await after.call('/jwks')).body.keys.map(({ alg }: { alg: string }) => alg)).toEqual(['EdDSA']);
  });

  it('cannot be given another secretKey', async () => {
    const options = shared();
    const before = createHarness(options);
    await before.issuer.ready();
    const service = await before.register();
    const after = createHarness({ ...options, secretKey: 'x'.repeat(32) });
    await expect(after.issuer.ready()).rejects.toThrow('it was stored with another secretKey');
    expect((await after.call('/readyz')).status).toBe(503);
    expect((await after.call('/jwks')).status).toBe(503);
    expect((await after.post('/token', { grant_type: 'client_credentials' }, service)).status).toBe(401);
  });

  it('serve known keys while the storage is away', async () => {
    const storage = memoryStorage();
    let away = false;
    const listSigningKeys = () => (away ? Promise.reject(new Error('away')) : storage.listSigningKeys());
    const harness = createHarness({ storage: { ...storage, listSigningKeys } });
    const before = await kids(harness);
    away = true;
    harness.advance(60);
    expect(await kids(harness)).toEqual(before);
    expect((await harness.call('/readyz')).status).toBe(503);
    away = false;
    expect((await harness.call('/readyz')).status).toBe(200);
  });
});
