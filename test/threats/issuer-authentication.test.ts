import { createPublicKey, X509Certificate } from 'node:crypto';
import { inspect } from 'node:util';
import { exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Jwk } from '../../src/index.ts';
import { type IssuerConnection, memoryStorage, type StoredService } from '../../src/issuer/index.ts';
import { type Authority, createAuthority } from '../helpers/tls.ts';
import { createKey, encodeJson, signHmac, type TestKey } from '../helpers/tokens.ts';
import {
  createKeyedHarness,
  GRANT,
  JWT_BEARER,
  postAssertion,
  postForm,
} from '../unit/issuer/clients/support.ts';
import {
  type Answer,
  basic,
  type Harness,
  ISSUER,
  type Parameters,
  START_MS,
} from '../unit/issuer/harness.ts';
import { addSecretService, addService, secrets } from '../unit/issuer/service-records.ts';

const IDENTITY = { issuer: 'https://cluster.example', subject: 'system:serviceaccount:shop:billing' };

let key: TestKey;
let rsa: TestKey;
let authority: Authority;
let connection: IssuerConnection;
beforeAll(async () => {
  [key, rsa, authority] = await Promise.all([
    createKey('ES256', 'one'),
    createKey('RS256', 'one'),
    createAuthority(),
  ]);
  const { cert } = await authority.issue('other.example');
  connection = {
    encrypted: true,
    peerCertificate: new X509Certificate(cert).raw,
    peerCertificateVerified: true,
  };
});

let harness: Harness;
let serial = 0;
beforeEach(() => {
  harness = createKeyedHarness();
});

function claimsOf(clientId: string, changes: object = {}): object {
  const jti = `jti-${++serial}`;
  return { iss: clientId, sub: clientId, aud: ISSUER, exp: START_MS / 1000 + 60, jti, ...changes };
}

/** What every answer must have in common; dates and counts of limits are nobody's secret. */
function shape({ status, headers, text }: Answer): object {
  const names = [...headers].filter(([name]) => !name.startsWith('ratelimit'));
  return { status, headers: names, text };
}

describe('1, 2 and 5: the algorithm is not the choice of the assertion', () => {
  const forms: readonly [string, (jwk: Jwk) => string | Uint8Array][] = [
    ['PEM', (jwk) => toKey(jwk).export({ format: 'pem', type: 'spki' })],
    [
      'PEM without its last line break',
      (jwk) => String(toKey(jwk).export({ format: 'pem', type: 'spki' })).trim(),
    ],
    ['DER', (jwk) => toKey(jwk).export({ format: 'der', type: 'spki' })],
    ['the text of the JWK', (jwk) => JSON.stringify(jwk)],
    ['x alone', (jwk) => Buffer.from(String(jwk.x ?? jwk.n), 'base64url')],
    ['nothing', () => ''],
  ];
  const toKey = (jwk: Jwk) => createPublicKey({ key: { ...jwk }, format: 'jwk' });

  it.each(forms)('HMAC under a public key in the form of %s opens nothing', async (_, spell) => {
    for (const { publicJwk } of [key, rsa]) {
      harness = createKeyedHarness();
      const service = { jwks: { keys: [publicJwk as Jwk] } };
      await addService(harness.storage, { ...service, authMethods: ['private_key_jwt'] });
      const both = {
        ...service,
        clientId: 'both',
        authMethods: ['client_secret_jwt', 'private_key_jwt'],
      } as const;
      await addSecretService(harness.storage, both, { keepSecret: true });
      for (const clientId of ['billing', 'both']) {
        for (const alg of ['HS256', 'HS384', 'HS512']) {
          const header = { typ: 'JWT', kid: publicJwk.kid };
          const forged = signHmac(spell(publicJwk as Jwk), header, claimsOf(clientId), alg);
          expect((await postAssertion(harness, forged)).status).toBe(401);
        }
      }
    }
  });

  it.each(['none', 'None', 'NONE', 'nOnE', '', 'HS1', 'ES256K', 'RSA1_5', '__proto__'])(
    'alg "%s" opens nothing, with and without a signature',
    async (alg) => {
      const methods = { authMethods: ['client_secret_jwt', 'private_key_jwt'] } as const;
      await addService(harness.storage, { ...methods, jwks: { keys: [key.publicJwk as Jwk] } });
      for (const signature of ['', 'AA', Buffer.alloc(64).toString('base64url')]) {
        const forged = `${encodeJson({ alg, kid: 'one' })}.${encodeJson(claimsOf('billing'))}.${signature}`;
        const { status, body } = await postAssertion(harness, forged, { client_id: 'billing' });
        expect([status, body.error]).toEqual([401, 'invalid_client']);
      }
    },
  );

  it('a key that says its algorithm serves no other', async () => {
    const pair = await generateKeyPair('RS256', { extractable: true });
    const jwk = await exportJWK(pair.publicKey);
    const signed = async (alg: string) => {
      const signer = await importJWK(await exportJWK(pair.privateKey), alg);
      return new SignJWT({ ...claimsOf('billing') }).setProtectedHeader({ alg }).sign(signer);
    };
    const statuses = async (registered: object) => {
      harness = createKeyedHarness();
      await addService(harness.storage, {
        authMethods: ['private_key_jwt'],
        jwks: { keys: [registered as Jwk] },
      });
      const answers = [];
      for (const alg of ['RS256', 'PS256']) answers.push(await postAssertion(harness, await signed(alg)));
      return answers.map(({ status }) => status);
    };
    expect(await statuses({ ...jwk, alg: 'RS256' })).toEqual([200, 401]);
    expect(await statuses({ ...jwk, alg: 'PS256' })).toEqual([401, 200]);
    expect(await statuses(jwk)).toEqual([200, 200]);
  });
});

describe('7: what the header of an assertion points to is never followed', () => {
  it('no jku, x5u, x5c, jwk or kid makes the issuer call, or believe', async () => {
    const called: string[] = [];
    const fetch = async (url: string) => {
      called.push(url);
      return Response.json({ keys: [key.publicJwk] });
    };
    harness = createKeyedHarness({ fetch });
    await addService(harness.storage, {
      authMethods: ['private_key_jwt'],
      jwks: { keys: [rsa.publicJwk as Jwk] },
    });
    for (const header of [
      { jku: 'https://evil.example/jwks' },
      { x5u: 'https://evil.example/cert' },
      { x5c: ['AAAA'] },
      { jwk: key.publicJwk },
      { kid: 'https://evil.example/jwks' },
    ]) {
      expect((await postAssertion(harness, await key.sign(header, claimsOf('billing')))).status).toBe(401);
    }
    expect(called).toEqual([]);
  });
});

describe('12: __proto__ and friends', () => {
  it.each(['__proto__', 'constructor', 'toString'])(
    '%s is a client, a kid or a jti like any other',
    async (name) => {
      const jwks = { keys: [{ ...key.publicJwk, kid: name } as Jwk] };
      await addService(harness.storage, { clientId: name, authMethods: ['private_key_jwt'], jwks });
      const assertion = await key.sign({ kid: name }, claimsOf(name, { jti: name }));
      expect((await postAssertion(harness, assertion)).status).toBe(200);
      expect((await postAssertion(harness, assertion)).status).toBe(401);
      expect((await postAssertion(harness, await key.sign({}, claimsOf(`${name}x`)))).status).toBe(401);
    },
  );
});

describe('23: what is too large is not read', () => {
  it.each([17 * 1024, 60 * 1024, 70 * 1024])('an assertion of %d characters', async (length) => {
    await addService(harness.storage, {
      authMethods: ['private_key_jwt'],
      jwks: { keys: [key.publicJwk as Jwk] },
    });
    const large = await key.sign({}, claimsOf('billing', { more: 'x'.repeat(length) }));
    const { status, body } = await postAssertion(harness, large);
    expect(['invalid_client', 'invalid_request']).toContain(body.error);
    expect([401, 413]).toContain(status);
  });
});

describe('26: unknown client and wrong credential look the same', () => {
  const wrong = secrets.generate();

  /** One way of asking, with a credential that is wrong for whoever is asked for. */
  const ways: readonly [string, Partial<StoredService>, (clientId: string) => Promise<Answer>][] = [
    [
      'client_secret_basic',
      { authMethods: ['client_secret_basic'] },
      (clientId) => postForm(harness, GRANT, { authorization: basic({ clientId, clientSecret: wrong }) }),
    ],
    [
      'client_secret_post',
      { authMethods: ['client_secret_post'] },
      (clientId) => postForm(harness, { ...GRANT, client_id: clientId, client_secret: wrong }),
    ],
    [
      'client_secret_jwt',
      { authMethods: ['client_secret_jwt'] },
      (clientId) => postAssertion(harness, signHmac(wrong, { typ: 'JWT' }, claimsOf(clientId))),
    ],
    [
      'private_key_jwt',
      { authMethods: ['private_key_jwt'] },
      async (clientId) => postAssertion(harness, await key.sign({ typ: 'JWT' }, claimsOf(clientId))),
    ],
    [
      'tls_client_auth',
      { authMethods: ['tls_client_auth'], tlsClientAuth: { sanDns: 'billing.example' } },
      (clientId) => postForm(harness, { ...GRANT, client_id: clientId }, {}, connection),
    ],
    [
      'federated',
      { authMethods: [], federatedIdentities: [IDENTITY] },
      async (clientId) =>
        postAssertion(harness, await key.sign({}, claimsOf('x', { iss: IDENTITY.issuer })), {
          client_id: clientId,
        }),
    ],
  ];

  it.each(ways)('%s', async (_, registration, ask) => {
    const jwks = { keys: [rsa.publicJwk as Jwk] };
    const kept = { keepSecret: true };
    const { storage } = harness;
    await addSecretService(storage, { ...registration, jwks, clientId: 'wrong' }, kept);
    await addSecretService(
      storage,
      { ...registration, jwks, clientId: 'revoked', revokedAtMs: START_MS },
      kept,
    );
    await addService(storage, { authMethods: [], clientId: 'other-method' });
    const expired = secrets.seal('expired', wrong, { nowMs: START_MS, expiresAtMs: START_MS - 1, ...kept });
    await addService(storage, { ...registration, jwks, clientId: 'expired', secrets: [expired] });
    const answers = [];
    for (const clientId of ['unknown', 'wrong', 'revoked', 'other-method', 'expired', '__proto__']) {
      answers.push(shape(await ask(clientId)));
    }
    expect(answers[0]).toMatchObject({ status: 401 });
    expect(answers).toEqual(Array(6).fill(answers[0]));
  });

  it('also from one method to the next', async () => {
    const answers = [];
    for (const [, , ask] of ways) answers.push(shape(await ask('unknown')));
    expect(answers).toEqual(Array(ways.length).fill(answers[0]));
  });
});

describe('26: assertion jti single use (CVE-2020-15222)', () => {
  it('also where fifty come at once to two instances with one storage', async () => {
    const storage = memoryStorage();
    const instances = [createKeyedHarness({ storage }), createKeyedHarness({ storage })];
    await addService(storage, { authMethods: ['private_key_jwt'], jwks: { keys: [key.publicJwk as Jwk] } });
    const assertion = await key.sign({}, claimsOf('billing'));
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, at) => postAssertion(instances[at % 2] ?? harness, assertion)),
    );
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(49);
  });
});

describe('27: no credential is shown', () => {
  it('in answers, events, the storage, or what inspecting the issuer shows', async () => {
    const methods = { authMethods: ['client_secret_jwt', 'private_key_jwt'] } as const;
    const secret = await addSecretService(
      harness.storage,
      { ...methods, jwks: { keys: [key.publicJwk as Jwk] } },
      { keepSecret: true },
    );
    const assertions = [
      signHmac(secret, { typ: 'JWT' }, claimsOf('billing', { jti: 'canary-1' })),
      signHmac(wrongly(secret), { typ: 'JWT' }, claimsOf('billing', { jti: 'canary-2' })),
      await key.sign({}, claimsOf('billing', { jti: 'canary-3' })),
      await key.sign({ kid: 'canary' }, claimsOf('billing', { jti: 'canary-4' })),
      await key.sign({}, claimsOf('canary', { jti: 'canary-5' })),
    ];
    const answers = [];
    for (const assertion of assertions) {
      for (const client of [
        {},
        { client_id: 'billing' },
        { client_id: 'canary-6' },
      ] as readonly Parameters[]) {
        const { status, headers, text } = await postAssertion(harness, assertion, client);
        if (status !== 200) answers.push([...headers, text]);
      }
    }
    expect(answers.length).toBeGreaterThan(5);
    const storage = await harness.storage.listServices({ limit: 10 });
    const inspected = inspect(harness.issuer, { depth: 20, showHidden: true });
    const seen = JSON.stringify({ answers, events: harness.events, storage, inspected });
    expect(seen).toContain('issuer.client_refused');
    for (const hidden of [secret, secret.slice(4, 30), 'canary', ...assertions, JWT_BEARER]) {
      expect(seen).not.toContain(hidden);
    }
  });
});

function wrongly(secret: string): string {
  return `${secret}x`;
}
