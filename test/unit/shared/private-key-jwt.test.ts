import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  createPrivateKey as nodePrivateKey,
} from 'node:crypto';
import { inspect } from 'node:util';
import { decodeJwt, decodeProtectedHeader, type JWK, jwtVerify } from 'jose';
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { ClientAuth, ClientAuthRequest } from '../../../src/shared/client-auth.ts';

/** Loads the module anew, so that it finds node:crypto or does not. */
async function load(): Promise<typeof import('../../../src/shared/private-key-jwt.ts')> {
  vi.resetModules();
  return import('../../../src/shared/private-key-jwt.ts');
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());

const nowMs = 1_800_000_000_000;
const endpoint = 'https://idp.example/introspect';
const keys = {
  ES256: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey,
  ES384: generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey,
  ES512: generateKeyPairSync('ec', { namedCurve: 'P-521' }).privateKey,
  EdDSA: generateKeyPairSync('ed25519').privateKey,
  RS256: generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey,
};

const jwkOf = (key: KeyObject): JWK => key.export({ format: 'jwk' }) as JWK;
const pemOf = (key: KeyObject): string => String(key.export({ type: 'pkcs8', format: 'pem' }));
const webName = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

async function cryptoKeyOf(alg: keyof typeof keys, usages: KeyUsage[] = ['sign']): Promise<CryptoKey> {
  const parameters =
    alg === 'RS256'
      ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
      : alg === 'EdDSA'
        ? { name: 'Ed25519' }
        : { name: 'ECDSA', namedCurve: webName[alg] };
  return crypto.subtle.importKey('jwk', jwkOf(keys[alg]) as JsonWebKey, parameters, false, usages);
}

function requestOf(issuer: string | undefined, now = (): number => nowMs): ClientAuthRequest {
  const form = new URLSearchParams();
  return { issuer, endpoint, clientId: 'orders', form, headers: {}, refusals: 0, now };
}

async function assertion(
  clientAuth: ClientAuth,
  issuer: string | undefined = 'https://idp.example',
): Promise<{ token: string; form: URLSearchParams; request: ClientAuthRequest }> {
  const request = requestOf(issuer);
  const { form } = request;
  form.set('token', 'x');
  await clientAuth(request);
  return { token: String(form.get('client_assertion')), form, request };
}

function verifies(token: string, key: KeyObject): ReturnType<typeof jwtVerify> {
  return jwtVerify(token, createPublicKey(key), { currentDate: new Date(nowMs) });
}

describe.each([
  ['node:crypto', node],
  ['WebCrypto', web],
])('privateKeyJwt by %s', (_runtime, { privateKeyJwt }) => {
  const make = (key: unknown, more: object = {}): ClientAuth =>
    privateKeyJwt({ key: key as never, now: () => nowMs, ...more });

  describe.each(Object.entries(keys))('a key for %s', (alg, key) => {
    it.each([
      ['a JWK', () => jwkOf(key)],
      ['PEM', () => pemOf(key)],
      ['a CryptoKey', () => cryptoKeyOf(alg as keyof typeof keys)],
    ])('as %s signs what jose verifies', async (_form, read) => {
      const { token } = await assertion(make(await read()));
      const { payload, protectedHeader } = await verifies(token, key);
      expect(protectedHeader).toEqual({ alg, typ: 'JWT' });
      expect(payload).toEqual({
        iss: 'orders',
        sub: 'orders',
        aud: 'https://idp.example',
        iat: nowMs / 1000,
        exp: nowMs / 1000 + 60,
        jti: expect.stringMatching(/^[0-9a-f-]{36}$/),
      });
    });
  });

  it.each(['PS256', 'PS512', 'RS384'] as const)(
    'an RSA key signs %s where that is asked for',
    async (alg) => {
      for (const key of [jwkOf(keys.RS256), pemOf(keys.RS256)]) {
        const { token } = await assertion(make(key, { alg }));
        expect((await verifies(token, keys.RS256)).protectedHeader.alg).toBe(alg);
      }
    },
  );

  it('the names of the key id come from the JWK, unless another is given', async () => {
    const jwk = { ...jwkOf(keys.ES256), kid: 'k1' };
    expect(decodeProtectedHeader((await assertion(make(jwk))).token).kid).toBe('k1');
    expect(decodeProtectedHeader((await assertion(make(jwk, { kid: 'k2' }))).token).kid).toBe('k2');
  });

  it('the alg of a JWK decides', async () => {
    const jwk = { ...jwkOf(keys.RS256), alg: 'PS384' };
    expect(decodeProtectedHeader((await assertion(make(jwk))).token).alg).toBe('PS384');
    expect(() => make(jwk, { alg: 'RS256' })).toThrow(
      /alg must be one that the key may serve \(PS384\); got "RS256"/,
    );
  });

  it('each request gets an assertion of its own, in the body with the client id', async () => {
    const clientAuth = make(jwkOf(keys.ES256));
    const [first, second] = [await assertion(clientAuth), await assertion(clientAuth)];
    const ids = [first, second].map(async ({ token }) => (await verifies(token, keys.ES256)).payload.jti);
    expect(new Set(await Promise.all(ids)).size).toBe(2);
    expect(first.form.get('client_id')).toBe('orders');
    expect(first.form.get('token')).toBe('x');
    expect(first.form.get('client_assertion_type')).toBe(
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    );
    expect(first.request.headers).toEqual({});
  });

  it('the audience is the issuer, the endpoint, or what was given', async () => {
    const audienceOf = async (more: object, issuer?: string): Promise<unknown> => {
      const request = requestOf(issuer);
      await make(jwkOf(keys.EdDSA), more)(request);
      const { form } = request;
      return (await verifies(String(form.get('client_assertion')), keys.EdDSA)).payload.aud;
    };
    expect(await audienceOf({}, 'https://idp.example')).toBe('https://idp.example');
    expect(await audienceOf({})).toBe(endpoint);
    expect(await audienceOf({ audience: 'endpoint' }, 'https://idp.example')).toBe(endpoint);
    expect(await audienceOf({ audience: 'urn:idp' }, 'https://idp.example')).toBe('urn:idp');
  });

  it('lifetimeSeconds is the time between iat and exp', async () => {
    const { token } = await assertion(make(jwkOf(keys.ES256), { lifetimeSeconds: 10 }));
    const { payload } = await verifies(token, keys.ES256);
    expect(payload.exp).toBe(nowMs / 1000 + 10);
  });

  it('the time is that of the request, unless there is a clock', async () => {
    const issuedAt = async (more: object): Promise<unknown> => {
      const request = requestOf(undefined, () => nowMs + 5000);
      await privateKeyJwt({ key: jwkOf(keys.EdDSA) as never, ...more })(request);
      return decodeJwt(String(request.form.get('client_assertion'))).iat;
    };
    expect(await issuedAt({})).toBe(nowMs / 1000 + 5);
    expect(await issuedAt({ now: () => nowMs })).toBe(nowMs / 1000);
  });

  it('the credential is the key: the same for its forms, another for another, never the private half', async () => {
    const used = async (key: unknown, more?: object): Promise<string> =>
      (await make(key, more)(requestOf(undefined)))?.credential ?? '';
    const [jwk, other] = [jwkOf(keys.ES256), jwkOf(keys.ES384)];
    expect(await used(jwk)).toBe(await used({ ...jwk, kid: 'k1' }));
    expect(await used(jwk)).not.toBe(await used(other));
    expect(await used(jwk)).not.toContain(jwk.d);
    const cryptoKey = await cryptoKeyOf('ES256');
    expect(await used(cryptoKey, { kid: 'k1' })).toBe('k1');
    const clientAuth = make(cryptoKey);
    const [first, again] = [await clientAuth(requestOf(undefined)), await clientAuth(requestOf(undefined))];
    expect(first?.credential).toBe(again?.credential);
    expect(await used(cryptoKey)).not.toBe(first?.credential);
  });

  describe('a function that gives the key', () => {
    it('is asked for each request, so that a rotated key needs no restart', async () => {
      let key: unknown = { ...jwkOf(keys.ES256), kid: 'old' };
      const clientAuth = make(async () => key);
      expect((await verifies((await assertion(clientAuth)).token, keys.ES256)).protectedHeader.kid).toBe(
        'old',
      );
      const used = (await clientAuth(requestOf(undefined)))?.credential;
      key = pemOf(keys.EdDSA);
      expect((await verifies((await assertion(clientAuth)).token, keys.EdDSA)).protectedHeader.alg).toBe(
        'EdDSA',
      );
      expect((await clientAuth(requestOf(undefined)))?.credential).not.toBe(used);
    });

    it('is told apart also where the public half is not known', async () => {
      let key = await cryptoKeyOf('ES256');
      const clientAuth = make(() => key);
      const used = async (): Promise<string | undefined> =>
        (await clientAuth(requestOf(undefined)))?.credential;
      const first = await used();
      expect(await used()).toBe(first);
      key = await cryptoKeyOf('ES384');
      expect(await used()).not.toBe(first);
    });

    it('is forgiven half a key where there was a whole one', async () => {
      let key = '-----BEGIN PRIVATE KEY-----\nMC4C';
      const clientAuth = make(() => key);
      await expect(async () => assertion(clientAuth)).rejects.toMatchObject({
        code: 'client_auth_failed',
        message: expect.stringMatching(/^privateKeyJwt: key must be a private key that may sign/),
      });
      key = pemOf(keys.EdDSA);
      await verifies((await assertion(clientAuth)).token, keys.EdDSA);
      key = key.slice(0, 40);
      await verifies((await assertion(clientAuth)).token, keys.EdDSA);
    });

    it('that fails tells its code, never its message', async () => {
      const failure = Object.assign(new Error('canary'), { code: 'ENOENT' });
      await expect(async () => assertion(make(() => Promise.reject(failure)))).rejects.toMatchObject({
        code: 'client_auth_failed',
        message: 'the private key could not be read (ENOENT)',
      });
    });

    it('leaves a wrong algorithm a mistake at creation', () => {
      expect(() => make(() => jwkOf(keys.ES256), { alg: 'HS256' })).toThrow(/alg must be one of/);
    });
  });

  it.each([
    ['nothing', undefined],
    ['a public JWK', { ...jwkOf(keys.ES256), d: undefined }],
    ['a JWK for encryption', { ...jwkOf(keys.ES256), use: 'enc' }],
    ['a JWK that may only verify', { ...jwkOf(keys.ES256), key_ops: ['verify'] }],
    ['a shared secret', { kty: 'oct', k: 'c2VjcmV0', d: 'c2VjcmV0' }],
    ['a curve without algorithm', jwkOf(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).privateKey)],
    ['an exchange key', pemOf(generateKeyPairSync('x25519').privateKey)],
    ['text', 'hunter2 hunter2'],
    ['PEM of nothing', '-----BEGIN PRIVATE KEY-----\n%%%\n-----END PRIVATE KEY-----'],
    ['a weak RSA key', jwkOf(generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey)],
    ['a list', []],
  ])('%s is refused at creation', (_name, key) => {
    expect(() => make(key)).toThrow(/^privateKeyJwt: key must be a private key/);
  });

  it('weak RSA keys in other forms are refused before they sign', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey;
    await expect(async () => assertion(make(pemOf(weak)))).rejects.toThrow(/key must be/);
    const parameters = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
    const key = await crypto.subtle.importKey('jwk', jwkOf(weak) as JsonWebKey, parameters, false, ['sign']);
    expect(() => make(key)).toThrow(/key must be/);
  });

  it('a public CryptoKey is refused', async () => {
    const parameters = { name: 'ECDSA', namedCurve: 'P-256' };
    const pair = await crypto.subtle.generateKey(parameters, false, ['sign', 'verify']);
    expect(() => make(pair.publicKey)).toThrow(/key must be/);
    await expect(assertion(make(pair.privateKey))).resolves.toBeDefined();
  });

  it.each([
    [{ alg: 'ES384' }, /alg must be one that the key may serve \(ES256\); got "ES384"/],
    [{ alg: 'HS256' }, /alg must be one of/],
    [{ kid: '' }, /kid must be a non-empty string/],
    [{ audience: 5 }, /audience must be a non-empty string/],
    [{ lifetimeSeconds: 0 }, /lifetimeSeconds must be a number of seconds from 1 to 3600/],
    [{ now: 5 }, /now must be a function/],
    [{ lifetime: 5 }, /unknown option lifetime in options; did you mean lifetimeSeconds\?/],
  ])('the options %j are refused', (more, message) => {
    expect(() => make(jwkOf(keys.ES256), more)).toThrow(message);
  });

  it('the key is never shown', () => {
    const jwk = jwkOf(keys.ES256);
    const secret = String(jwk.d);
    expect(inspect(make(jwk), { depth: 9, showHidden: true })).not.toContain(secret);
    const broken = { ...jwk, crv: 'P-999' };
    expect(() => make(broken)).toThrow(TypeError);
    try {
      make(broken);
    } catch (error) {
      expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    }
  });
});

describe('KeyObject', () => {
  it.each(Object.entries(keys))('of %s signs', async (alg, key) => {
    const { token } = await assertion(node.privateKeyJwt({ key, now: () => nowMs }));
    expect((await verifies(token, key)).protectedHeader.alg).toBe(alg);
  });

  it('is used at once, without a promise', () => {
    const request = requestOf(undefined);
    const clientAuth = node.privateKeyJwt({ key: nodePrivateKey(pemOf(keys.EdDSA)) });
    expect(clientAuth(request)).not.toBeInstanceOf(Promise);
    expect(request.form.get('client_assertion')).not.toBeNull();
  });

  it('that is public is refused', () => {
    expect(() => node.privateKeyJwt({ key: createPublicKey(keys.ES256) as never })).toThrow(/key must be/);
  });
});
