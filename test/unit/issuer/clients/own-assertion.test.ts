import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  type Jwk,
  privateKeyJwt,
  type SecretAlgorithm,
} from '../../../../src/index.ts';
import { createKey, encodeJson, signHmac, type TestKey, withPart } from '../../../helpers/tokens.ts';
import { BILLING, type Harness, ISSUER, START_MS } from '../harness.ts';
import { addSecretService, addService, secrets } from '../service-records.ts';
import {
  connect,
  createKeyedHarness,
  GRANT,
  JWT_BEARER,
  postAssertion,
  postForm,
  refusals,
} from './support.ts';

const START = START_MS / 1000;
let serial = 0;

/** The claims of a good assertion; `undefined` removes one. */
function ownClaims(changes: object = {}): Record<string, unknown> {
  const good = { iss: 'billing', sub: 'billing', aud: ISSUER, exp: START + 60, jti: `jti-${++serial}` };
  return Object.fromEntries(
    Object.entries({ ...good, ...changes }).filter(([, value]) => value !== undefined),
  );
}

let key: TestKey;
let other: TestKey;
beforeAll(async () => {
  [key, other] = await Promise.all([createKey('ES256', 'key-1'), createKey('ES256', 'key-1')]);
});

const assertionOf = (changes: object = {}, header: object = {}): Promise<string> =>
  key.sign({ typ: 'JWT', ...header }, ownClaims(changes));

async function createKeyScene(): Promise<Harness> {
  const harness = createKeyedHarness();
  await addService(harness.storage, { authMethods: ['private_key_jwt'], jwks: { keys: [key.publicJwk] } });
  return harness;
}

describe('private_key_jwt', () => {
  it.each<[string, () => { privateKey: KeyObject; publicKey: KeyObject }, readonly string[]]>([
    ['EC P-256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }), ['ES256']],
    ['EC P-384', () => generateKeyPairSync('ec', { namedCurve: 'P-384' }), ['ES384']],
    ['EC P-521', () => generateKeyPairSync('ec', { namedCurve: 'P-521' }), ['ES512']],
    ['Ed25519', () => generateKeyPairSync('ed25519'), ['EdDSA', 'Ed25519']],
    ['RSA', () => generateKeyPairSync('rsa', { modulusLength: 2048 }), ['RS256', 'PS256', 'RS512', 'PS384']],
  ])('takes what privateKeyJwt signs with a key of %s', async (_, generate, algorithms) => {
    const { privateKey, publicKey } = generate();
    const harness = createKeyedHarness();
    const jwks = { keys: [publicKey.export({ format: 'jwk' }) as Jwk] };
    await addService(harness.storage, { authMethods: ['private_key_jwt'], jwks });
    for (const alg of algorithms as readonly 'ES256'[]) {
      const auth = privateKeyJwt({ key: privateKey.export({ format: 'jwk' }), alg });
      expect(await connect(harness, 'billing', auth)).toBe('Bearer');
    }
  });

  it.each(['issuer', 'endpoint', `${ISSUER}/token`])(
    'takes an assertion for the audience %s',
    async (audience) => {
      const { privateKey, publicKey } = generateKeyPairSync('ed25519');
      const harness = createKeyedHarness();
      const jwks = { keys: [publicKey.export({ format: 'jwk' }) as Jwk] };
      await addService(harness.storage, { authMethods: ['private_key_jwt'], jwks });
      const auth = privateKeyJwt({ key: privateKey.export({ format: 'jwk' }), audience });
      expect(await connect(harness, 'billing', auth)).toBe('Bearer');
    },
  );

  it.each<[string, () => Promise<string>]>([
    ['with an audience in a list of one', () => assertionOf({ aud: [ISSUER] })],
    ['that lives for an hour', () => assertionOf({ exp: START + 3600 })],
    ['without typ', () => assertionOf({}, { typ: undefined })],
    ['of the type client-authentication+jwt', () => assertionOf({}, { typ: 'client-authentication+jwt' })],
    ['of the type application/JWT', () => assertionOf({}, { typ: 'application/JWT' })],
    ['without kid', () => assertionOf({}, { kid: undefined })],
    ['issued now', () => assertionOf({ iat: START, nbf: START })],
    ['whose clock is five seconds behind', () => assertionOf({ exp: START - 4.9 })],
    [
      'with a header that points elsewhere, which is not followed',
      () => assertionOf({}, { jku: 'https://evil.example', x5u: 'https://evil.example', x5c: ['AAAA'] }),
    ],
  ])('takes an assertion %s', async (_, sign) => {
    const { status, text } = await postAssertion(await createKeyScene(), await sign());
    expect({ status, text }).toMatchObject({ status: 200 });
  });

  it('takes an assertion without and with the client_id beside it', async () => {
    const harness = await createKeyScene();
    expect((await postAssertion(harness, await assertionOf())).status).toBe(200);
    expect((await postAssertion(harness, await assertionOf(), { client_id: 'billing' })).status).toBe(200);
  });

  it('takes assertions for introspection and revocation at those endpoints', async () => {
    const harness = await createKeyScene();
    for (const path of ['/introspect', '/revoke']) {
      const assertion = await assertionOf({ aud: `${ISSUER}${path}` });
      const parameters = { token: 'x', client_assertion: assertion, client_assertion_type: JWT_BEARER };
      expect((await harness.post(path, parameters)).status).toBe(200);
      expect((await harness.post('/token', { ...GRANT, ...parameters })).status).toBe(401);
    }
  });

  const wrong: readonly [string, string, () => Promise<string> | string][] = [
    ['alg none', 'wrong_method', () => `${encodeJson({ alg: 'none' })}.${encodeJson(ownClaims())}.AA`],
    ['alg NONE', 'wrong_method', () => `${encodeJson({ alg: 'NONE' })}.${encodeJson(ownClaims())}.AA`],
    [
      'HS256 under the text of the public key',
      'wrong_method',
      () => signHmac(JSON.stringify(key.publicJwk), { typ: 'JWT' }, ownClaims()),
    ],
    ['HS256 under an empty key', 'wrong_method', () => signHmac('', { typ: 'JWT' }, ownClaims())],
    ['another key of the same name', 'bad_signature', () => other.sign({ typ: 'JWT' }, ownClaims())],
    ['a kid that is not registered', 'unknown_key', () => assertionOf({}, { kid: 'key-2' })],
    ['a kid that is a path', 'unknown_key', () => assertionOf({}, { kid: '../../dev/null' })],
    ['a kid called __proto__', 'unknown_key', () => assertionOf({}, { kid: '__proto__' })],
    [
      'another key in its header',
      'bad_signature',
      () => other.sign({ jwk: other.publicJwk, typ: 'JWT' }, ownClaims()),
    ],
    [
      'an algorithm that the key is not for',
      'unknown_key',
      async () => (await createKey('ES384', 'key-1')).sign({ typ: 'JWT' }, ownClaims()),
    ],
    [
      'a signature of zeros',
      'bad_signature',
      async () => withPart(await assertionOf(), 2, Buffer.alloc(64).toString('base64url')),
    ],
    [
      'a changed payload',
      'bad_signature',
      async () => withPart(await assertionOf(), 1, encodeJson(ownClaims({ exp: START + 61 }))),
    ],
    [
      'another issuer than its subject',
      'unknown_identity',
      () => assertionOf({ iss: 'https://idp2.example' }),
    ],
    ['another subject than its issuer', 'wrong_claims', () => assertionOf({ sub: 'other' })],
    ['the subject in a list', 'wrong_claims', () => assertionOf({ sub: ['billing'] })],
    ['no audience', 'wrong_claims', () => assertionOf({ aud: undefined })],
    ['an empty list of audiences', 'wrong_claims', () => assertionOf({ aud: [] })],
    ['another audience', 'wrong_claims', () => assertionOf({ aud: BILLING })],
    ['ours and a foreign audience', 'wrong_claims', () => assertionOf({ aud: [ISSUER, BILLING] })],
    ['ours twice', 'wrong_claims', () => assertionOf({ aud: [ISSUER, ISSUER] })],
    ['an audience with a slash', 'wrong_claims', () => assertionOf({ aud: `${ISSUER}/` })],
    ['an audience in capitals', 'wrong_claims', () => assertionOf({ aud: ISSUER.toUpperCase() })],
    ['a list of lists as its audience', 'wrong_claims', () => assertionOf({ aud: [[ISSUER]] })],
    ['no exp', 'wrong_claims', () => assertionOf({ exp: undefined })],
    ['exp in the past', 'wrong_claims', () => assertionOf({ exp: START - 5 })],
    ['exp too far ahead', 'wrong_claims', () => assertionOf({ exp: START + 3606 })],
    ['exp as text', 'wrong_claims', () => assertionOf({ exp: `${START + 60}` })],
    ['exp that is no number', 'wrong_claims', () => assertionOf({ exp: Number.NaN })],
    [
      'exp beyond all numbers',
      'wrong_claims',
      () => key.sign({}, JSON.stringify(ownClaims({ exp: 1 })).replace('"exp":1', '"exp":1e400')),
    ],
    ['exp 0', 'wrong_claims', () => assertionOf({ exp: 0 })],
    ['iat in the future', 'wrong_claims', () => assertionOf({ iat: START + 6 })],
    ['nbf in the future', 'wrong_claims', () => assertionOf({ nbf: START + 6 })],
    ['nbf as text', 'wrong_claims', () => assertionOf({ nbf: '0' })],
    ['no jti', 'wrong_claims', () => assertionOf({ jti: undefined })],
    ['an empty jti', 'wrong_claims', () => assertionOf({ jti: '' })],
    ['a jti that is a number', 'wrong_claims', () => assertionOf({ jti: 7 })],
    ['an endless jti', 'wrong_claims', () => assertionOf({ jti: 'j'.repeat(257) })],
  ];

  it.each(wrong)('refuses an assertion with %s: %s', async (_, reason, sign) => {
    const harness = await createKeyScene();
    const { status, body } = await postAssertion(harness, await sign(), { client_id: 'billing' });
    expect([status, body.error]).toEqual([401, 'invalid_client']);
    expect(refusals(harness)).toEqual([reason]);
  });

  it.each<[string, () => Promise<string> | string]>([
    ['an access token', () => assertionOf({}, { typ: 'at+jwt' })],
    ['a DPoP proof', () => assertionOf({}, { typ: 'dpop+jwt' })],
    ['a logout token', () => assertionOf({}, { typ: 'logout+jwt' })],
    ['a token of a kind with capitals', () => assertionOf({}, { typ: 'application/AT+JWT' })],
    ['critical extensions', () => signHmac('x', { crit: ['x'], x: 1 }, ownClaims())],
    ['an unencoded payload', () => assertionOf({}, { b64: false })],
    ['four parts', async () => `${await assertionOf()}.AA`],
    ['two parts', async () => (await assertionOf()).split('.').slice(0, 2).join('.')],
    ['no signature', async () => withPart(await assertionOf(), 2, '')],
    ['a signature with padding', async () => `${await assertionOf()}=`],
    ['a payload that is a list', () => key.sign({}, '[]')],
    ['nothing but words', () => 'not a JWT'],
    ['more than 16 KiB', () => assertionOf({ more: 'x'.repeat(16 * 1024) })],
    ['deeper JSON than anybody needs', () => key.sign({}, `{"a":${'['.repeat(2000)}${']'.repeat(2000)}}`)],
  ])('refuses what is no assertion before it asks anything: %s', async (_, sign) => {
    const harness = await createKeyScene();
    const { status, body } = await postAssertion(harness, await sign(), { client_id: 'billing' });
    expect([status, body.error]).toEqual([401, 'invalid_client']);
    expect(refusals(harness)).toEqual([]);
  });

  it('refuses the assertion of another registered client', async () => {
    const harness = await createKeyScene();
    await addService(harness.storage, {
      clientId: 'orders',
      authMethods: ['private_key_jwt'],
      jwks: { keys: [other.publicJwk] },
    });
    const own = await other.sign({}, ownClaims({ iss: 'orders', sub: 'orders' }));
    const answers = [
      await postAssertion(harness, own, { client_id: 'billing' }),
      await postAssertion(harness, await other.sign({}, ownClaims()), { client_id: 'billing' }),
      await postAssertion(harness, await other.sign({}, ownClaims({ iss: 'orders' })), {
        client_id: 'billing',
      }),
      await postAssertion(harness, await other.sign({}, ownClaims({ iss: 'orders' }))),
      await postAssertion(harness, await other.sign({}, ownClaims({ sub: 'orders' })), {
        client_id: 'orders',
      }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([401, 401, 401, 401, 401]);
    expect((await postAssertion(harness, own, { client_id: 'orders' })).status).toBe(200);
  });

  it('threat 26 (CVE-2020-15222): takes an assertion once', async () => {
    const harness = await createKeyScene();
    const assertion = await assertionOf();
    expect((await postAssertion(harness, assertion)).status).toBe(200);
    expect((await postAssertion(harness, assertion)).status).toBe(401);
    // The same jti under another signature, and as long as the assertion lives.
    harness.advance(59);
    expect((await postAssertion(harness, await assertionOf({ jti: `jti-${serial}` }))).status).toBe(401);
    expect(refusals(harness)).toEqual(['replayed_assertion', 'replayed_assertion']);
  });

  it('takes one of fifty that come at once with the same assertion', async () => {
    const harness = await createKeyScene();
    const assertion = await assertionOf();
    const answers = await Promise.all(Array.from({ length: 50 }, () => postAssertion(harness, assertion)));
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(49);
  });

  it('lets nobody use up the jti of another, nor without a signature that holds', async () => {
    const harness = await createKeyScene();
    await addService(harness.storage, {
      clientId: 'orders',
      authMethods: ['private_key_jwt'],
      jwks: { keys: [other.publicJwk] },
    });
    const claims = ownClaims();
    const forged = await other.sign({}, claims);
    expect((await postAssertion(harness, forged)).status).toBe(401);
    const theirs = await other.sign({}, { ...claims, iss: 'orders', sub: 'orders' });
    expect((await postAssertion(harness, theirs)).status).toBe(200);
    expect((await postAssertion(harness, await key.sign({}, claims))).status).toBe(200);
  });

  it('forgets no jti that could be used again, and keeps no text of it', async () => {
    const names: [string, number][] = [];
    const harness = await createKeyScene();
    const { useOnce } = harness.storage;
    harness.storage.useOnce = (name, expiresAtMs) => {
      names.push([name, expiresAtMs]);
      return useOnce(name, expiresAtMs);
    };
    await postAssertion(harness, await assertionOf({ jti: 'canary' }));
    expect(names).toEqual([[expect.stringMatching(/^[\w-]{43}$/), START_MS + 65_000]]);
  });

  it('refuses a key that is not for signatures, or too weak', async () => {
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    for (const jwk of [
      weak.publicKey.export({ format: 'jwk' }),
      { ...publicKey.export({ format: 'jwk' }), use: 'enc' },
      { ...publicKey.export({ format: 'jwk' }), key_ops: ['sign'] },
    ] as Jwk[]) {
      const harness = createKeyedHarness();
      await addService(harness.storage, { authMethods: ['private_key_jwt'], jwks: { keys: [jwk] } });
      const auth = privateKeyJwt({ key: privateKey.export({ format: 'jwk' }) });
      expect(await connect(harness, 'billing', auth)).toBe('401 invalid_client');
      expect(refusals(harness)).toContain('unknown_key');
    }
  });
});

describe('client_secret_jwt', () => {
  const METHODS = { authMethods: ['client_secret_jwt'] } as const;

  it.each<SecretAlgorithm>(['HS256', 'HS384', 'HS512'])(
    'takes what clientSecretJwt signs by %s',
    async (alg) => {
      const harness = createKeyedHarness();
      const secret = await addSecretService(harness.storage, METHODS, { keepSecret: true });
      expect(await connect(harness, 'billing', clientSecretJwt(secret, { alg }))).toBe('Bearer');
    },
  );

  it('takes any live secret of the service, and notes which it was', async () => {
    const harness = createKeyedHarness();
    const given = Array.from({ length: 4 }, () => secrets.generate());
    const sealed = given.map((secret, at) =>
      secrets.seal('billing', secret, {
        nowMs: START_MS,
        keepSecret: true,
        expiresAtMs: at === 0 ? START_MS : undefined,
      }),
    );
    await addService(harness.storage, { ...METHODS, secrets: sealed });
    const outcomes = [];
    for (const secret of given) outcomes.push(await connect(harness, 'billing', clientSecretJwt(secret)));
    expect(outcomes).toEqual(['401 invalid_client', 'Bearer', 'Bearer', 'Bearer']);
    await harness.issuer.close();
    const stored = await harness.storage.findService('billing');
    expect(stored?.secrets.map(({ lastUsedAtMs }) => lastUsedAtMs)).toEqual([
      undefined,
      START_MS,
      START_MS,
      START_MS,
    ]);
  });

  it('refuses another secret, one of another service, one that was not kept, and an empty one', async () => {
    const harness = createKeyedHarness();
    const mine = await addSecretService(harness.storage, METHODS, { keepSecret: true });
    const foreign = await addSecretService(
      harness.storage,
      { ...METHODS, clientId: 'orders' },
      { keepSecret: true },
    );
    const hashed = await addSecretService(harness.storage, { ...METHODS, clientId: 'hashed' });
    for (const [clientId, secret] of [
      ['billing', secrets.generate()],
      ['billing', foreign],
      ['hashed', hashed],
      ['hashed', ''],
      ['nobody', mine],
      ['nobody', ''],
    ] as const) {
      const assertion = signHmac(secret, { typ: 'JWT' }, ownClaims({ iss: clientId, sub: clientId }));
      expect((await postAssertion(harness, assertion)).status).toBe(401);
    }
    expect(refusals(harness)).toEqual([
      'bad_signature',
      'bad_signature',
      'bad_signature',
      'bad_signature',
      'unknown_client',
      'unknown_client',
    ]);
    expect((await postAssertion(harness, signHmac(mine, { typ: 'JWT' }, ownClaims()))).status).toBe(200);
  });

  it('takes an assertion once', async () => {
    const harness = createKeyedHarness();
    const secret = await addSecretService(harness.storage, METHODS, { keepSecret: true });
    const assertion = signHmac(secret, { typ: 'JWT' }, ownClaims());
    expect((await postAssertion(harness, assertion)).status).toBe(200);
    expect((await postAssertion(harness, assertion)).status).toBe(401);
  });
});

describe('a method that is not registered', () => {
  it('opens nothing, though the credential is right', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ed25519');
    const jwks = { keys: [publicKey.export({ format: 'jwk' }) as Jwk] };
    const methods = {
      client_secret_basic: clientSecretBasic,
      client_secret_post: clientSecretPost,
      client_secret_jwt: clientSecretJwt,
      private_key_jwt: () => privateKeyJwt({ key: privateKey.export({ format: 'jwk' }) }),
    } as const;
    const names = Object.keys(methods) as (keyof typeof methods)[];
    for (const registered of names) {
      const harness = createKeyedHarness();
      const service = { authMethods: [registered], jwks };
      const secret = await addSecretService(harness.storage, service, { keepSecret: true });
      for (const used of names) {
        const outcome = await connect(harness, 'billing', methods[used](secret));
        expect([registered, used, outcome]).toEqual([
          registered,
          used,
          registered === used ? 'Bearer' : '401 invalid_client',
        ]);
      }
    }
  });
});

describe('exactly one method (RFC 6749 section 2.3)', () => {
  it.each<[string, Record<string, string>, Record<string, string>]>([
    ['an assertion and a secret', { client_id: 'billing', client_secret: 'x' }, {}],
    ['an assertion and Basic', {}, { authorization: 'Basic YTpi' }],
    ['an assertion and another scheme', {}, { authorization: 'DPoP x' }],
    ['no type', { client_assertion_type: '' }, {}],
  ])('%s: invalid_request', async (_, parameters, headers) => {
    const harness = await createKeyScene();
    const both = { client_assertion: await assertionOf(), client_assertion_type: JWT_BEARER };
    const { status, body } = await postForm(harness, { ...GRANT, ...both, ...parameters }, headers);
    expect([status, body.error]).toEqual([400, 'invalid_request']);
  });

  it('a type without its assertion: invalid_request', async () => {
    const harness = await createKeyScene();
    const { status, body } = await postForm(harness, { ...GRANT, client_assertion_type: JWT_BEARER });
    expect([status, body.error]).toEqual([400, 'invalid_request']);
  });

  it('an assertion of another type, such as SAML: invalid_client', async () => {
    const harness = await createKeyScene();
    const saml = 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer';
    const answer = await postAssertion(harness, await assertionOf(), { client_assertion_type: saml });
    expect([answer.status, answer.body.error]).toEqual([401, 'invalid_client']);
  });
});
