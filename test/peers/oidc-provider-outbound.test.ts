/** The outbound side against the oidc-provider package: every way to authenticate, DPoP with nonces, resources. */
import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { calculateJwkThumbprint, decodeJwt, exportJWK, importX509 } from 'jose';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { tlsFetch } from '../../adapters/tls-fetch.ts';
import {
  type ClientAuth,
  clientSecretBasic,
  clientSecretJwt,
  clientSecretPost,
  createAuthedFetch,
  createTokenClient,
  createVerifier,
  privateKeyJwt,
  type ServiceAuthEvent,
  type TokenClient,
  type TokenClientOptions,
  tlsClientAuth,
  type Verifier,
} from '../../src/index.ts';
import {
  billing,
  clientKeyAlgorithms,
  jwtResource,
  type OidcProvider,
  opaqueResource,
  orders,
  ordersByKey,
  ordersByPost,
  startOidcProvider,
} from '../helpers/oidc-provider.ts';
import { type Certificate, createAuthority, createCertificate } from '../helpers/tls.ts';

const billingByHmac = {
  id: 'billing-hmac',
  secret: 'a secret of billing that is long enough for HS512 too: it has 64+ bytes',
};
const directory = mkdtempSync(join(tmpdir(), 'outbound-'));
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}

const hmacClient = (id: string, alg: 'HS256' | 'HS512') => ({
  client_id: id,
  client_secret: billingByHmac.secret,
  token_endpoint_auth_method: 'client_secret_jwt' as const,
  token_endpoint_auth_signing_alg: alg,
});

let provider: OidcProvider;
let withNonces: OidcProvider;
beforeAll(async () => {
  provider = await startOidcProvider({
    clients: [hmacClient(billingByHmac.id, 'HS256'), hmacClient('billing-hmac-512', 'HS512')],
  });
  withNonces = await startOidcProvider({ dpopNonces: true });
});
afterAll(() => Promise.all([provider.close(), withNonces.close()]));

const tokenRequests = ({ requests }: OidcProvider): number =>
  requests.filter((line) => line === 'POST /token').length;

function clientOf(
  clientId: string,
  clientAuth: ClientAuth,
  more: Partial<TokenClientOptions> = {},
): TokenClient {
  return createTokenClient({
    issuer: provider.issuer,
    clientId,
    clientAuth,
    scope: 'orders:read',
    resource: jwtResource,
    ...more,
  });
}

async function rejection(promise: Promise<unknown>): Promise<unknown> {
  return promise.then(
    () => {
      throw new Error('it did not reject');
    },
    (error: unknown) => error,
  );
}

describe('client authentication', () => {
  const keyOf = (alg: string) => provider.clientKeys.find((key) => key.alg === alg) ?? {};
  const ways: [string, string, () => ClientAuth][] = [
    ['client_secret_basic', billing.id, () => clientSecretBasic(billing.secret)],
    ['client_secret_post', ordersByPost.id, () => clientSecretPost(ordersByPost.secret)],
    ['client_secret_jwt, HS256', billingByHmac.id, () => clientSecretJwt(billingByHmac.secret)],
    [
      'client_secret_jwt, HS512',
      'billing-hmac-512',
      () => clientSecretJwt(billingByHmac.secret, { alg: 'HS512' }),
    ],
    [
      'client_secret_jwt for the endpoint',
      billingByHmac.id,
      () => clientSecretJwt(billingByHmac.secret, { audience: 'endpoint' }),
    ],
    ...clientKeyAlgorithms.map((alg): [string, string, () => ClientAuth] => [
      `private_key_jwt, ${alg}`,
      ordersByKey,
      () => privateKeyJwt({ key: { ...keyOf(alg), kty: keyOf(alg).kty ?? '' } }),
    ]),
    [
      'private_key_jwt for the endpoint',
      ordersByKey,
      () => privateKeyJwt({ key: { ...keyOf('ES256'), kty: 'EC' }, audience: 'endpoint' }),
    ],
    [
      'private_key_jwt for an audience by name',
      ordersByKey,
      () => privateKeyJwt({ key: { ...keyOf('ES256'), kty: 'EC' }, audience: `${provider.issuer}/token` }),
    ],
  ];

  it.each(ways)('%s', async (_, clientId, clientAuth) => {
    const tokens = clientOf(clientId, clientAuth());
    const { accessToken, tokenType, scope } = await tokens.getToken();
    expect(decodeJwt(accessToken)).toMatchObject({ client_id: clientId, aud: jwtResource });
    expect([tokenType, scope]).toEqual(['Bearer', 'orders:read']);
    // Each assertion is used once; a server that remembers them accepts the next one too.
    const next = await tokens.getToken({ forceRefresh: true });
    expect(next.accessToken).not.toBe(accessToken);
    tokens.close();
  });

  it.each<[string, string, () => ClientAuth]>([
    ['a wrong secret in Basic', billing.id, () => clientSecretBasic('wrong secret, with / and %')],
    ['a wrong secret in the body', ordersByPost.id, () => clientSecretPost('wrong secret, with / and %')],
    ['the wrong method', billingByHmac.id, () => clientSecretPost(billingByHmac.secret)],
    ['an unknown client', 'nobody', () => clientSecretBasic(billing.secret)],
    [
      'an assertion under a wrong secret',
      billingByHmac.id,
      () => clientSecretJwt('another secret that is as long as it has to be'),
    ],
    [
      'an assertion for somebody else',
      billingByHmac.id,
      () => clientSecretJwt(billingByHmac.secret, { audience: 'https://other.example' }),
    ],
    [
      'an assertion of the past',
      billingByHmac.id,
      () => clientSecretJwt(billingByHmac.secret, { now: () => Date.now() - 3_600_000 }),
    ],
  ])('%s is invalid_client, and says so once', async (_, clientId, clientAuth) => {
    const before = tokenRequests(provider);
    const error = await rejection(clientOf(clientId, clientAuth()).getToken());
    expect(error).toMatchObject({
      name: 'ServiceAuthError',
      code: 'token_request_rejected',
      oauthError: 'invalid_client',
      status: 401,
    });
    expect(inspect(error, { showHidden: true })).not.toMatch(/secret of|wrong secret|eyJ/);
    expect(tokenRequests(provider) - before).toBe(1);
  });

  it('a secret where the two Basic encodings differ: the error says that it may be that', async () => {
    const raw = clientOf(billing.id, clientSecretBasic(billing.secret, { encoding: 'raw' }));
    const error = await rejection(raw.getToken());
    expect(error).toMatchObject({
      code: 'token_request_rejected',
      oauthError: 'invalid_request',
      status: 400,
    });
    expect(String(error)).toContain("try without { encoding: 'raw' }");
    expect(inspect(error, { showHidden: true })).not.toContain(billing.secret);
  });

  it('a clock of ours that is an hour off: the assertion is made again by the time of the server', async () => {
    const off = (): number => Date.now() - 3_600_000;
    const tokens = clientOf(billingByHmac.id, clientSecretJwt(billingByHmac.secret), { now: off });
    const before = tokenRequests(provider);
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
    expect(tokenRequests(provider) - before).toBe(2);
    await tokens.getToken({ forceRefresh: true });
    expect(tokenRequests(provider) - before).toBe(3);
  });

  it('a resource that the server does not know is a typed refusal, told from memory meanwhile', async () => {
    const tokens = clientOf(billing.id, clientSecretBasic(billing.secret));
    const before = tokenRequests(provider);
    for (let call = 0; call < 3; call++) {
      expect(await rejection(tokens.getToken({ resource: 'https://unknown.example' }))).toMatchObject({
        code: 'token_request_rejected',
        oauthError: 'invalid_target',
        status: 400,
      });
    }
    expect(tokenRequests(provider) - before).toBe(1);
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
  });

  it('a scope that is not for this client is not granted, and the token says so', async () => {
    const tokens = clientOf(billing.id, clientSecretBasic(billing.secret));
    const { scope } = await tokens.getToken({ scope: 'orders:read orders:delete' });
    expect(scope).toBe('orders:read');
  });
});

describe('mutual TLS (RFC 8705)', () => {
  let secured: OidcProvider;
  let caFile: string;
  let good: Certificate;
  let selfSigned: Certificate;

  beforeAll(async () => {
    const authority = await createAuthority();
    const server = await authority.issue('ip:127.0.0.1');
    [good, selfSigned] = [await authority.issue('billing.internal'), await createCertificate('billing.self')];
    caFile = write('ca.pem', authority.cert);
    write('good.crt', good.cert);
    write('good.key', good.key);
    const other = await authority.issue('other.internal');
    write('other.crt', other.cert);
    write('other.key', other.key);
    const foreign = await (await createAuthority('other.example')).issue('billing.internal');
    write('foreign.crt', foreign.cert);
    write('foreign.key', foreign.key);
    write('self.crt', selfSigned.cert);
    write('self.key', selfSigned.key);
    const x5c = [new X509Certificate(selfSigned.cert).raw.toString('base64')];
    const jwk = await exportJWK(await importX509(selfSigned.cert, 'ES256', { extractable: true }));
    secured = await startOidcProvider({
      tls: { key: server.key, cert: server.cert, ca: authority.cert },
      clients: [
        {
          client_id: 'billing-tls',
          token_endpoint_auth_method: 'tls_client_auth',
          tls_client_auth_san_dns: 'billing.internal',
          tls_client_certificate_bound_access_tokens: true,
        },
        {
          client_id: 'billing-self',
          token_endpoint_auth_method: 'self_signed_tls_client_auth',
          jwks: { keys: [{ ...jwk, kty: 'EC', x5c }] },
        },
      ],
    });
  });
  afterAll(() => secured.close());

  const tokensOf = (clientId: string, name: string): TokenClient =>
    createTokenClient({
      issuer: secured.issuer,
      clientId,
      clientAuth: tlsClientAuth(),
      resource: jwtResource,
      fetch: tlsFetch({
        certFile: join(directory, `${name}.crt`),
        keyFile: join(directory, `${name}.key`),
        caFile,
      }),
    });

  it.each([
    ['tls_client_auth', 'billing-tls', 'good'],
    ['self_signed_tls_client_auth', 'billing-self', 'self'],
  ])('%s: the certificate of the connection is all that is needed', async (_, clientId, name) => {
    const { accessToken } = await tokensOf(clientId, name).getToken();
    expect(decodeJwt(accessToken)).toMatchObject({ client_id: clientId, iss: secured.issuer });
  });

  it('the token is bound to the certificate', async () => {
    const { accessToken } = await tokensOf('billing-tls', 'good').getToken();
    const thumbprint = createHash('sha256').update(new X509Certificate(good.cert).raw).digest('base64url');
    expect(decodeJwt(accessToken)).toMatchObject({ cnf: { 'x5t#S256': thumbprint } });
  });

  it.each([
    ['a certificate with another name', 'billing-tls', 'other'],
    ['a certificate of another authority', 'billing-tls', 'foreign'],
    ['a certificate that is not the registered one', 'billing-self', 'good'],
  ])('%s is invalid_client', async (_, clientId, name) => {
    expect(await rejection(tokensOf(clientId, name).getToken())).toMatchObject({
      code: 'token_request_rejected',
      oauthError: 'invalid_client',
      status: 401,
    });
  });

  it('a server of an authority that is not known gets nothing', async () => {
    const tokens = createTokenClient({
      issuer: secured.issuer,
      clientId: 'billing-tls',
      clientAuth: tlsClientAuth(),
      fetch: tlsFetch({ certFile: join(directory, 'good.crt'), keyFile: join(directory, 'good.key') }),
    });
    const before = secured.requests.length;
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'network_failed' });
    expect(secured.requests).toHaveLength(before);
  });
});

describe('resource indicators (RFC 8707)', () => {
  it('each resource has a token of its own, opaque or JWT as the server has it', async () => {
    const tokens = clientOf(billing.id, clientSecretBasic(billing.secret), { resource: undefined });
    const [jwt, opaque] = await Promise.all(
      [jwtResource, opaqueResource].map((resource) => tokens.getToken({ resource })),
    );
    expect(decodeJwt(jwt?.accessToken ?? '').aud).toBe(jwtResource);
    expect(opaque?.accessToken).not.toContain('.');
    const before = tokenRequests(provider);
    await tokens.getToken({ resource: jwtResource });
    expect(tokenRequests(provider)).toBe(before);
  });
});

describe('DPoP with nonces on the token endpoint and on the resource', () => {
  let server: Server;
  let origin: string;
  let verifier: Verifier;
  const seen: number[] = [];

  beforeAll(async () => {
    server = createServer(async ({ method = '', url = '', headers }, response) => {
      const fields = new Headers(
        Object.entries(headers).map(([name, value]): [string, string] => [name, String(value)]),
      );
      const outcome = await verifier.authenticate({ method, url, headers: fields });
      const status = outcome.ok ? 200 : outcome.rejection.status;
      seen.push(status);
      response.writeHead(status, outcome.ok ? { ...outcome.headers } : { ...outcome.rejection.headers });
      response.end(outcome.ok ? JSON.stringify(outcome.caller.confirmation) : outcome.rejection.body);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    verifier = createVerifier({
      issuer: {
        issuer: withNonces.issuer,
        introspection: { clientId: orders.id, clientSecret: orders.secret },
      },
      audience: [jwtResource, opaqueResource],
      publicUrl: origin,
      dpop: { mode: 'required', nonce: { secret: 'x'.repeat(32) } },
    });
  });
  afterAll(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  it.each([
    ['ES256', jwtResource],
    ['EdDSA', jwtResource],
    ['ES256', opaqueResource],
  ] as const)('%s for %s: one more attempt at each, then none', async (algorithm, resource) => {
    const events: ServiceAuthEvent[] = [];
    const call = createAuthedFetch({
      issuer: withNonces.issuer,
      clientId: billing.id,
      clientSecret: billing.secret,
      dpop: { algorithm },
      targets: [{ origin, scope: 'orders:read', resource }],
      onEvent: (event) => events.push(event),
    });
    const before = tokenRequests(withNonces);
    seen.length = 0;
    const first = await call(`${origin}/orders?page=1`, { method: 'POST', body: 'x' });
    expect(first.status).toBe(200);
    expect(await first.json()).toEqual({ jkt: expect.stringMatching(/^[\w-]{43}$/) });
    expect(seen).toEqual([401, 200]);
    expect(tokenRequests(withNonces) - before).toBe(2);
    const all = await Promise.all(
      Array.from({ length: 50 }, (_, index) => call(`${origin}/orders/${index}`)),
    );
    expect(all.every(({ status }) => status === 200)).toBe(true);
    expect(seen).toHaveLength(52);
    await call.tokens.getToken({ resource, forceRefresh: true });
    expect(tokenRequests(withNonces) - before).toBe(3);
    expect(events.filter(({ type }) => type === 'retry')).toHaveLength(1);
    call.close();
  });

  it('a key of the program: the token is bound to it', async () => {
    const keyPair = await crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, [
      'sign',
      'verify',
    ]);
    const tokens = createTokenClient({
      issuer: withNonces.issuer,
      clientId: billing.id,
      clientSecret: billing.secret,
      resource: jwtResource,
      dpop: { keyPair },
    });
    const { accessToken, tokenType } = await tokens.getToken();
    expect(tokenType).toBe('DPoP');
    expect(decodeJwt(accessToken)).toMatchObject({
      cnf: { jkt: await calculateJwkThumbprint(await exportJWK(keyPair.publicKey)) },
    });
  });

  it('a bound token that is stolen is of no use as Bearer', async () => {
    const tokens = createTokenClient({
      issuer: withNonces.issuer,
      clientId: billing.id,
      clientSecret: billing.secret,
      resource: jwtResource,
      dpop: true,
    });
    const { accessToken } = await tokens.getToken();
    const response = await fetch(`${origin}/orders`, { headers: { authorization: `Bearer ${accessToken}` } });
    expect(response.status).toBe(401);
  });
});
