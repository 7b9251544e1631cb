/** The protected resource metadata (RFC 9728), the same from every adapter, and where challenges name it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createVerifier, type ProtectedResourceOptions } from '../../src/index.ts';
import { parseChallenges } from '../../src/outbound/challenges.ts';
import { createDpopClient, hashOf } from '../helpers/dpop.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';
import { letIn, metadataTransports } from './metadata-transports.ts';
import { metadataUrl, publicUrl } from './routes.ts';
import type { Got, Sent, Transport } from './transport.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const good = await mint(key);
const bound = await mint(key, { cnf: { jkt: client.jkt } });

const wellKnown = '/.well-known/oauth-protected-resource';
const about = { authorizationServers: ['https://idp.example', 'https://partner.example'] };
const whole: ProtectedResourceOptions = {
  ...about,
  resource: 'https://orders.example',
  scopesSupported: ['orders:read', 'orders:write'],
  dpopSigningAlgValuesSupported: ['ES256', 'EdDSA'],
  dpopBoundAccessTokensRequired: false,
  tlsClientCertificateBoundAccessTokens: true,
  resourceName: 'Orders',
  resourceDocumentation: 'https://orders.example/docs',
};
/** Where each document is, and the identifier that it is of. */
const documents = [
  [wellKnown, whole.resource],
  [`${wellKnown}/api/v1`, 'https://orders.example/api/v1'],
  [`${wellKnown}/ends/`, 'https://orders.example/ends/'],
  [`${wellKnown}/tenants?id=1`, 'https://orders.example/tenants?id=1'],
  [`${wellKnown}/a%20b`, 'https://orders.example/a%20b'],
  [`${wellKnown}/v1:beta/*`, 'https://orders.example/v1:beta/*'],
  [`${wellKnown}/it's~(a)+b,c;d=e@f`, "https://orders.example/it's~(a)+b,c;d=e@f"],
] as const;

const verifier = createVerifier({
  issuer: { issuer, jwks: { keys: [key.publicJwk] } },
  audience,
  now: () => nowMs,
  publicUrl,
  resourceMetadata: metadataUrl,
});

const bearerMembers = {
  authorization_servers: about.authorizationServers,
  bearer_methods_supported: ['header'],
};

function check({ status, headers }: Got): void {
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('application/json');
  expect(headers['cache-control']).toBe('max-age=3600');
  // Clients in browsers read it too, and there is nothing in it that is not public.
  expect(headers['access-control-allow-origin']).toBe('*');
  expect(headers['access-control-allow-credentials']).toBeUndefined();
  expect(headers['www-authenticate']).toBeUndefined();
}

/** Requests that are refused, each in another way. */
const refused: readonly (readonly [string, number, Omit<Sent, 'method' | 'path'>])[] = [
  ['no credentials', 401, { authorization: undefined }],
  ['credentials of another scheme', 401, { authorization: 'Basic YTpi' }],
  ['a malformed token', 400, { authorization: 'Bearer "a"' }],
  ['a token that is none', 401, { authorization: 'Bearer abc' }],
  ['an expired token', 401, { authorization: `Bearer ${await mint(key, { exp: nowSeconds - 60 })}` }],
  ['a token for another audience', 401, { authorization: `Bearer ${await mint(key, { aud: 'elsewhere' })}` }],
  ['a bound token as Bearer', 401, { authorization: `Bearer ${bound}` }],
  ['an unbound token as DPoP', 401, { authorization: `DPoP ${good}` }],
  ['a bound token without proof', 401, { authorization: `DPoP ${bound}` }],
  ['a proof that is none', 401, { authorization: `DPoP ${bound}`, dpop: 'a.b.c' }],
  [
    'a proof for another URL',
    401,
    {
      authorization: `DPoP ${bound}`,
      dpop: await client.prove({ ath: hashOf(bound), htu: `${publicUrl}/b` }),
    },
  ],
];

describe.each(Object.entries(metadataTransports))('%s', (_name, make) => {
  let transport: Transport;
  beforeAll(async () => {
    transport = await make({
      documents: documents.map(([, resource]) =>
        resource === whole.resource ? whole : { ...about, resource },
      ),
      verifier,
    });
  });
  afterAll(() => transport.close());

  const send = (method: string, path: string, more: Partial<Sent> = {}): Promise<Got> =>
    transport.send({ method, path, authorization: undefined, ...more });

  it('GET gives every member under its registered name', async () => {
    const got = await send('GET', wellKnown);
    check(got);
    expect(JSON.parse(got.body)).toEqual({
      ...bearerMembers,
      resource: 'https://orders.example',
      scopes_supported: ['orders:read', 'orders:write'],
      dpop_signing_alg_values_supported: ['ES256', 'EdDSA'],
      dpop_bound_access_tokens_required: false,
      tls_client_certificate_bound_access_tokens: true,
      resource_name: 'Orders',
      resource_documentation: 'https://orders.example/docs',
    });
  });

  it.each(documents.slice(1))(
    'GET %s is the document of %s, with nothing that was not said',
    async (path, resource) => {
      const got = await send('GET', path);
      check(got);
      expect(JSON.parse(got.body)).toEqual({ ...bearerMembers, resource });
    },
  );

  it('HEAD has the headers of GET', async () => {
    const [head, get] = [await send('HEAD', wellKnown), await send('GET', wellKnown)];
    check(head);
    // Without a server the body is there still.
    expect(['', get.body]).toContain(head.body);
  });

  it('a query of the request does not count, nor do credentials, good or bad', async () => {
    check(await send('GET', `${wellKnown}?a=b`));
    check(await send('GET', wellKnown, { authorization: `Bearer ${good}` }));
    check(await send('GET', wellKnown, { authorization: 'Bearer abc' }));
  });

  it('a query of the resource does count', async () => {
    expect((await send('GET', `${wellKnown}/tenants?id=2`)).status).toBe(401);
    expect((await send('GET', `${wellKnown}/tenants`)).status).toBe(401);
  });

  it('OPTIONS is what browsers ask before they read it from elsewhere', async () => {
    for (const authorization of [undefined, `Bearer ${good}`]) {
      const { status, headers, body } = await send('OPTIONS', wellKnown, { authorization });
      expect({ status, body }).toEqual({ status: 200, body: '' });
      expect(headers).toMatchObject({
        allow: 'GET, HEAD, OPTIONS',
        'access-control-allow-origin': '*',
        'access-control-allow-methods': 'GET, HEAD',
        'access-control-allow-headers': '*',
      });
      expect(headers['access-control-allow-credentials']).toBeUndefined();
    }
  });

  it.each(['POST', 'PUT', 'PATCH', 'DELETE'])(
    '%s is not allowed, with a token or without',
    async (method) => {
      for (const authorization of [undefined, `Bearer ${good}`]) {
        const got = await send(method, wellKnown, { authorization });
        expect(got).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD, OPTIONS' }, body: '' });
      }
    },
  );

  it.each([
    `${wellKnown}/`,
    `${wellKnown}/api`,
    `${wellKnown}/api/v1/`,
    `${wellKnown}/API/v1`,
    `${wellKnown}/ends`,
    `${wellKnown}-x`,
    `/api/v1${wellKnown}`,
    '/.well-known/oauth-authorization-server',
    '/',
  ])('%s is another path, and protected like all', async (path) => {
    expect((await send('GET', path)).status).toBe(401);
    const got = await send('GET', path, { authorization: `Bearer ${good}` });
    expect(got).toMatchObject({ status: 200, body: letIn });
  });

  it.each(refused)('%s: every challenge says where the document is', async (_name, status, credentials) => {
    const { headers, ...got } = await send('GET', '/orders', credentials);
    expect(got.status).toBe(status);
    const challenges = parseChallenges(headers['www-authenticate'] ?? '');
    expect(challenges.map(({ scheme }) => scheme)).toEqual(['bearer', 'dpop']);
    const named = challenges.map(({ parameters }) => parameters.get('resource_metadata'));
    expect(named).toEqual([metadataUrl, metadataUrl]);
  });

  it('and the document is where they say', async () => {
    const { headers } = await send('GET', '/orders');
    const [challenge] = parseChallenges(headers['www-authenticate'] ?? '');
    const url = challenge?.parameters.get('resource_metadata') ?? '';
    const { body } = await send('GET', new URL(url).pathname);
    expect(JSON.parse(body)).toMatchObject({ resource: new URL(url).origin });
  });
});
