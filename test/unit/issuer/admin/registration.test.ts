import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BILLING, ISSUER, ORDERS } from '../harness.ts';
import { create, createAdminHarness } from './support.ts';

const asJwk = { format: 'jwk' } as const;
const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const KEY = { ...publicKey.export(asJwk), kid: 'first' };
const PRIVATE_KEY = privateKey.export(asJwk);
const JWKS = { keys: [KEY] };
const rsa = (modulusLength: number) => generateKeyPairSync('rsa', { modulusLength }).publicKey.export(asJwk);
const CLUSTER = { issuer: 'https://cluster.example', subject: 'system:serviceaccount:shop:billing' };
const SECRETS = ['client_secret_basic', 'client_secret_post'];

describe('methods of authentication', () => {
  it.each<[string, object, readonly string[], boolean]>([
    ['nothing', {}, SECRETS, true],
    ['keys', { jwks: JWKS }, ['private_key_jwt'], false],
    ['the address of keys', { jwksUri: 'https://billing.example/jwks' }, ['private_key_jwt'], false],
    ['a certificate', { tlsClientAuth: { sanDns: 'billing.example' } }, ['tls_client_auth'], false],
    [
      'keys and a certificate',
      { jwks: JWKS, tlsClientAuth: { sanDns: 'billing.example' } },
      ['private_key_jwt', 'tls_client_auth'],
      false,
    ],
    ['an identity elsewhere', { federatedIdentities: [CLUSTER] }, [], false],
    ['a method', { authMethods: ['client_secret_jwt'] }, ['client_secret_jwt'], true],
    [
      'a method and keys',
      { authMethods: ['private_key_jwt', 'client_secret_basic', 'private_key_jwt'], jwks: JWKS },
      ['private_key_jwt', 'client_secret_basic'],
      true,
    ],
  ])('of %s', async (_, input, methods, hasSecret) => {
    const { status, body } = await create(createAdminHarness(), input);
    expect([status, body.authMethods]).toEqual([201, methods]);
    expect(body.clientSecret !== undefined).toBe(hasSecret);
    expect(body.secrets.length).toBe(hasSecret ? 1 : 0);
  });

  it('the secret itself is kept, encrypted, for client_secret_jwt alone', async () => {
    const harness = createAdminHarness();
    await create(harness, { clientId: 'usual' });
    await create(harness, { clientId: 'jwt', authMethods: ['client_secret_jwt'] });
    const sealed = async (clientId: string) =>
      (await harness.storage.findService(clientId))?.secrets.map((secret) => typeof secret.sealed);
    expect([await sealed('usual'), await sealed('jwt')]).toEqual([['undefined'], ['string']]);
  });
});

it('takes every member, and shows what it took', async () => {
  const input = {
    clientId: 'billing',
    name: 'Billing',
    description: 'sends invoices',
    scopes: ['read'],
    resources: [ORDERS],
    serves: [BILLING],
    authMethods: ['private_key_jwt', 'tls_client_auth'],
    tokenFormat: 'opaque',
    accessTokenSeconds: 60,
    dpopBound: true,
    certificateBound: true,
    jwks: { keys: [KEY, { ...rsa(2048), alg: 'PS256', use: 'sig' }] },
    tlsClientAuth: { subjectDn: 'CN=billing,O=Example' },
    federatedIdentities: [{ ...CLUSTER, audience: 'https://idp.example/', jwks: JWKS }],
  };
  const { body } = await create(createAdminHarness(), input);
  expect(body).toMatchObject(input);
});

it('of a key it keeps the members that it knows', async () => {
  const jwks = { keys: [{ ...KEY, x5c: ['AAAA'], note: 'ours' }] };
  expect((await create(createAdminHarness(), { jwks })).body.jwks).toEqual(JWKS);
});

describe('refused, with the place and no more', () => {
  it.each<[string, object, string]>([
    ['keys twice', { jwks: JWKS, jwksUri: 'https://billing.example/jwks' }, 'jwksUri'],
    ['private_key_jwt without keys', { authMethods: ['private_key_jwt'] }, 'authMethods'],
    ['keys without private_key_jwt', { authMethods: SECRETS, jwks: JWKS }, 'jwks'],
    [
      'an address without private_key_jwt',
      { authMethods: SECRETS, jwksUri: 'https://billing.example/jwks' },
      'jwksUri',
    ],
    ['tls_client_auth without a name', { authMethods: ['tls_client_auth'] }, 'authMethods'],
    [
      'a name without tls_client_auth',
      { authMethods: SECRETS, tlsClientAuth: { sanDns: 'a.example' } },
      'tlsClientAuth',
    ],
    ['no way to authenticate', { authMethods: [] }, 'authMethods'],
    ['a method that there is not', { authMethods: ['none'] }, 'authMethods.0'],
    ['no keys', { jwks: { keys: [] } }, 'jwks.keys'],
    ['a private key', { jwks: { keys: [{ ...KEY, d: PRIVATE_KEY.d }] } }, 'jwks.keys.0'],
    ['a private RSA member', { jwks: { keys: [{ ...rsa(2048), qi: 'AAAA' }] } }, 'jwks.keys.0'],
    ['a key of HMAC', { jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }, 'jwks.keys.0.kty'],
    ['a weak RSA key', { jwks: { keys: [rsa(1024)] } }, 'jwks.keys.0'],
    ['a point off the curve', { jwks: { keys: [{ ...KEY, x: KEY.y }] } }, 'jwks.keys.0'],
    ['a key for encryption', { jwks: { keys: [{ ...KEY, use: 'enc' }] } }, 'jwks.keys.0.use'],
    ['a key of another algorithm', { jwks: { keys: [{ ...KEY, alg: 'HS256' }] } }, 'jwks.keys.0'],
    ['more than keys', { jwks: { keys: [KEY], url: 'https://a.example' } }, 'jwks'],
    ['keys over plain http', { jwksUri: 'http://billing.example/jwks' }, 'jwksUri'],
    ['keys with a password', { jwksUri: 'https://a:b@billing.example/jwks' }, 'jwksUri'],
    ['keys of a file', { jwksUri: 'file:///etc/passwd' }, 'jwksUri'],
    ['two names', { tlsClientAuth: { sanDns: 'a.example', sanIp: '10.0.0.1' } }, 'tlsClientAuth'],
    ['no name', { tlsClientAuth: {} }, 'tlsClientAuth'],
    ['a name that is none', { tlsClientAuth: { subjectDn: 'billing' } }, 'tlsClientAuth.subjectDn'],
    ['an address that is none', { tlsClientAuth: { sanIp: '10.0.0.256' } }, 'tlsClientAuth.sanIp'],
    [
      'an issuer over plain http',
      { federatedIdentities: [{ ...CLUSTER, issuer: 'http://cluster.example' }] },
      'federatedIdentities.0.issuer',
    ],
    [
      'an issuer with a query',
      { federatedIdentities: [{ ...CLUSTER, issuer: 'https://cluster.example?a' }] },
      'federatedIdentities.0.issuer',
    ],
    [
      'an identity of nobody',
      { federatedIdentities: [{ issuer: 'https://cluster.example' }] },
      'federatedIdentities.0.subject',
    ],
    [
      'keys of an issuer twice',
      { federatedIdentities: [{ ...CLUSTER, jwks: JWKS, jwksUri: 'https://cluster.example/jwks' }] },
      'federatedIdentities.0.jwksUri',
    ],
    ['tokens that live no time', { accessTokenSeconds: 0 }, 'accessTokenSeconds'],
    ['tokens that live too long', { accessTokenSeconds: 86_401 }, 'accessTokenSeconds'],
    ['half seconds', { accessTokenSeconds: 1.5 }, 'accessTokenSeconds'],
    ['another format', { tokenFormat: 'saml' }, 'tokenFormat'],
    ['a truth that is a text', { dpopBound: 'true' }, 'dpopBound'],
    ['null', { description: null }, 'description'],
  ])('%s', async (_, input, path) => {
    const harness = createAdminHarness();
    const { status, text, body } = await create(harness, input);
    expect([status, body.code]).toEqual([400, 'invalid_input']);
    expect(body.errors.map((fault: { path: string }) => fault.path)).toEqual([path]);
    expect(body.errors[0].message).not.toBe('');
    expect(text).not.toContain(PRIVATE_KEY.d);
    expect(text).not.toContain('c2VjcmV0');
    expect(await harness.storage.listServices({ limit: 10 })).toEqual([]);
    expect(await harness.storage.listAudit({ limit: 10 })).toEqual([]);
  });

  it('plain http serves loopback addresses', async () => {
    const jwksUri = 'http://127.0.0.1:4000/jwks';
    const federatedIdentities = [{ ...CLUSTER, issuer: 'http://localhost:4001' }];
    expect((await create(createAdminHarness(), { jwksUri, federatedIdentities })).status).toBe(201);
  });

  it('what is served must be known, too, and the issuer is', async () => {
    const harness = createAdminHarness({ resources: [ORDERS] });
    const { body } = await create(harness, { serves: [BILLING] });
    expect(body.errors).toEqual([{ path: 'serves', message: 'has a resource that is not known here' }]);
    expect((await create(harness, { resources: [ORDERS, ISSUER] })).status).toBe(201);
    await harness.admin('POST', '/admin/resources', { resource: BILLING });
    expect((await create(harness, { serves: [BILLING] })).status).toBe(201);
  });
});
