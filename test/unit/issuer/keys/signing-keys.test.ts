import { decodeProtectedHeader } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { rotateKeys } from '../../../../src/issuer/keys/rotate-keys.ts';
import { createHarness, type Harness, START_MS } from '../harness.ts';
import { audit, change, createRooms } from '../tokens/support.ts';

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
    expect(body).toMatchObject({ kid: expect.any(String), algorithm: 'ES256', activeFrom });
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

describe('rotation by age', () => {
  const DAY = 86_400;
  const options = { keyRotationSeconds: DAY, keyPublishAheadSeconds: 300 };

  it('publishes the next key ahead, and signs with it when the last one comes of age', async () => {
    const { harness, signedBy, first } = await scene(options);
    harness.advance(DAY - 301);
    expect(await kids(harness)).toEqual([first]);
    harness.advance(1);
    harness.advance(5);
    const [, second] = await kids(harness);
    expect(second).toBeDefined();
    expect(harness.events.at(-1)).toEqual({
      type: 'issuer.keys_rotated',
      kid: second,
      algorithm: 'ES256',
      activeFrom: START_MS + (DAY + 5) * 1000,
      at: START_MS + (DAY - 295) * 1000,
    });
    harness.advance(299);
    expect(await signedBy()).toBe(first);
    harness.advance(1);
    expect(await signedBy()).toBe(second);
    harness.advance(LAST_TOKEN_SECONDS);
    expect(await kids(harness)).toEqual([second]);
  });

  it('waits for the usual time also where nobody asked for days', async () => {
    const { harness, signedBy, first } = await scene(options);
    harness.advance(30 * DAY);
    expect(await signedBy()).toBe(first);
    harness.advance(300);
    expect(await signedBy()).not.toBe(first);
  });

  it('adds one key, however many instances see to it at once', async () => {
    const storage = memoryStorage();
    const shared = { ...options, storage, secretKey: SECRET_KEY };
    const harnesses = Array.from({ length: 5 }, () => createHarness(shared));
    await Promise.all(harnesses.map(kids));
    for (const { advance } of harnesses) advance(DAY);
    const sets = await Promise.all(harnesses.map(kids));
    expect(new Set(sets.map((set) => set.join())).size).toBe(1);
    expect((await storage.listSigningKeys()).length).toBe(2);
    const reports = harnesses.flatMap(({ events }) =>
      events.filter(({ type }) => type === 'issuer.keys_rotated'),
    );
    expect(reports.length).toBe(1);
  });

  it('counts from the last rotation on command', async () => {
    const { harness } = await scene(options);
    harness.advance(DAY - 600);
    const rotated = await harness.issuer.rotateKeys({ immediately: true });
    harness.advance(DAY - 301);
    expect(await kids(harness)).toEqual([rotated?.kid]);
    harness.advance(1);
    harness.advance(5);
    expect((await kids(harness)).length).toBe(2);
  });

  it('can wait while the storage takes no new key: the last one goes on signing', async () => {
    const storage = memoryStorage();
    const { harness, signedBy, first } = await scene({ ...options, storage: { ...storage } });
    const addSigningKey = vi
      .spyOn(harness.storage, 'addSigningKey')
      .mockRejectedValue(new Error('read-only'));
    harness.advance(DAY);
    expect(await signedBy()).toBe(first);
    expect(addSigningKey).toHaveBeenCalledTimes(1);
    addSigningKey.mockRestore();
    harness.advance(5);
    expect((await kids(harness)).length).toBe(2);
    harness.advance(300);
    expect(await signedBy()).not.toBe(first);
  });

  it('does not happen where it is left to commands', async () => {
    const { harness, first } = await scene({ keyRotationSeconds: false });
    harness.advance(3650 * DAY);
    expect(await kids(harness)).toEqual([first]);
  });
});

describe('a rotation on command', () => {
  it('is in the audit log together with the new key', async () => {
    const { storage, keys } = createRooms();
    await keys.reload();
    const rotated = await rotateKeys({ keys }, { immediately: true }, { ...audit, action: 'keys.rotated' });
    const { kid, algorithm } = rotated ?? {};
    expect(await storage.listAudit({ limit: 10 })).toEqual([
      {
        ...audit,
        action: 'keys.rotated',
        target: kid,
        after: { kid, algorithm, activeFrom: new Date(START_MS).toISOString() },
        sequence: 1,
      },
    ]);
  });

  it('that did not happen is not in the audit log', async () => {
    const { storage, keys } = createRooms();
    await keys.rotate(false);
    expect(await rotateKeys({ keys }, {}, audit)).toBeUndefined();
    expect(await storage.listAudit({ limit: 10 })).toEqual([]);
  });
});

describe('tokens that live longer than usual', () => {
  const LONG = 86_400;

  async function longScene() {
    const { harness, service, signedBy, first } = await scene({ secretKey: SECRET_KEY });
    await change(harness, service.clientId, { accessTokenSeconds: LONG });
    return { harness, service, signedBy, first };
  }

  it('keep the key that signed them, at every instance, and it alone', async () => {
    const { harness, service, first } = await longScene();
    const { storage } = harness;
    const other = createHarness({ storage, secretKey: SECRET_KEY });
    await kids(other);
    const token = await harness.token(service);
    const second = await harness.issuer.rotateKeys({ immediately: true });
    harness.advance(1);
    const third = await harness.issuer.rotateKeys({ immediately: true });
    for (const instance of [harness, other]) instance.advance(LONG - 2);
    expect(await kids(harness)).toEqual([first, third?.kid]);
    expect(await kids(other)).toEqual([first, third?.kid]);
    expect((await harness.verify(token)).protectedHeader.kid).toBe(first);
    harness.advance(62);
    expect(await kids(harness)).toEqual([third?.kid]);
    expect(second).toBeDefined();
  });

  it('cost one write for each key', async () => {
    const storage = memoryStorage();
    const extendSigningKey = vi.spyOn(storage, 'extendSigningKey');
    const { keys } = createRooms({ storage });
    await keys.signer(900);
    expect(extendSigningKey).not.toHaveBeenCalled();
    for (let n = 0; n < 3; n++) await keys.signer(LONG);
    await keys.signer(3600);
    expect(extendSigningKey).toHaveBeenCalledTimes(1);
    await keys.reload();
    await keys.signer(LONG);
    expect(extendSigningKey).toHaveBeenCalledTimes(1);
    expect((await storage.listSigningKeys()).map(({ tokenSeconds }) => tokenSeconds)).toEqual([LONG]);
  });

  it('are not issued while that cannot be written', async () => {
    const { harness, service } = await longScene();
    vi.spyOn(harness.storage, 'extendSigningKey').mockRejectedValue(new Error('away'));
    const answer = await harness.post('/token', { grant_type: 'client_credentials' }, service);
    expect(answer.status).toBe(503);
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
