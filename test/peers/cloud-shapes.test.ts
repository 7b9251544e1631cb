/** Endpoints that look at requests, and answer, as cloud vendors document theirs. */
import { generateKeyPair, jwtVerify, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import {
  clientSecretBasic,
  clientSecretPost,
  createAuthedFetch,
  createTokenClient,
  federatedAssertion,
  privateKeyJwt,
  type TokenClientOptions,
} from '../../src/index.ts';
import { createNetwork, type Reply, type Sent } from '../unit/outbound/in-process.ts';
import { createClock, rejection, secretCanary } from '../unit/outbound/support.ts';

const clientId = 'djc98u3jiedmi283eu928';

/** What the endpoint got, in a form that leaves nothing out. */
function shapeOf(sent: Sent | undefined): object {
  if (sent === undefined) return {};
  const { method, headers, form } = sent;
  return {
    method,
    type: headers.get('content-type'),
    accept: headers.get('accept'),
    authorization: headers.get('authorization'),
    form: [...form].sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

const basicOf = (id: string, secret: string): string => `Basic ${btoa(`${id}:${secret}`)}`;
const isFormPost = ({ method, headers }: Sent): boolean =>
  method === 'POST' && headers.get('content-type') === 'application/x-www-form-urlencoded';

function metadata(issuer: string, tokenEndpoint: string): Reply {
  return () =>
    Response.json({
      issuer,
      token_endpoint: tokenEndpoint,
      jwks_uri: new URL('/jwks', tokenEndpoint).href,
      response_types_supported: ['code'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
    });
}

const notFound: Reply = () => new Response('Not Found', { status: 404 });

describe('Auth0', () => {
  // Its issuer ends with a slash, and its metadata is that of OpenID Connect alone.
  const issuer = 'https://billing.eu.auth0.example/';
  const audience = 'https://orders.example/';

  function createTenant(options: Partial<TokenClientOptions> = {}, secrets = [secretCanary]) {
    const network = createNetwork({
      '/.well-known/openid-configuration': metadata(issuer, `${issuer}oauth/token`),
      '/oauth/token'(sent) {
        const { form, headers } = sent;
        const fail = (status: number, error: string, error_description: string): Response =>
          Response.json({ error, error_description }, { status });
        if (!isFormPost(sent)) return fail(400, 'invalid_request', 'The body is not a form');
        if (form.get('grant_type') !== 'client_credentials')
          return fail(403, 'unauthorized_client', 'Grant type');
        if (headers.has('authorization')) return fail(401, 'access_denied', 'Unauthorized');
        if (form.get('client_id') !== clientId) return fail(401, 'access_denied', 'Unauthorized');
        if (!secrets.includes(form.get('client_secret') ?? ''))
          return fail(401, 'access_denied', 'Unauthorized');
        if (form.get('audience') !== audience) {
          return fail(403, 'access_denied', `Service not found: ${form.get('audience')}`);
        }
        return Response.json({
          access_token: 'eyJ.auth0.token',
          scope: 'read:orders write:orders',
          expires_in: 86_400,
          token_type: 'Bearer',
        });
      },
      '*': notFound,
    });
    const tokens = createTokenClient({
      issuer,
      clientId,
      clientAuth: clientSecretPost(secretCanary),
      audience,
      ...options,
      fetch: network.fetch,
    });
    return { network, tokens };
  }

  it('gets the audience parameter and the credentials in the body, and nothing else', async () => {
    const { tokens, network } = createTenant();
    const token = await tokens.getToken();
    expect(token.accessToken).toBe('eyJ.auth0.token');
    expect(token.scope).toBe('read:orders write:orders');
    expect(network.sent.map(({ url }) => url)).toEqual([
      'https://billing.eu.auth0.example/.well-known/oauth-authorization-server',
      'https://billing.eu.auth0.example/.well-known/openid-configuration',
      'https://billing.eu.auth0.example/oauth/token',
    ]);
    expect(shapeOf(network.to('/oauth/token')[0])).toEqual({
      method: 'POST',
      type: 'application/x-www-form-urlencoded',
      accept: 'application/json',
      authorization: null,
      form: [
        ['audience', audience],
        ['client_id', clientId],
        ['client_secret', secretCanary],
        ['grant_type', 'client_credentials'],
      ],
    });
  });

  it('with `discovery` its other metadata is not looked for', async () => {
    const { tokens, network } = createTenant({ discovery: 'openid-configuration' });
    await tokens.getToken();
    expect(network.sent).toHaveLength(2);
  });

  it('a wrong secret, which it calls access_denied, is read again and of several the next one is used', async () => {
    const { tokens, network } = createTenant({ clientAuth: clientSecretPost(['newer', secretCanary]) });
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
    expect(network.to('/oauth/token')).toHaveLength(2);
    const wrong = createTenant({ clientAuth: clientSecretPost('wrong') });
    for (let call = 0; call < 3; call++) {
      expect(await rejection(wrong.tokens.getToken())).toMatchObject({
        code: 'token_request_rejected',
        oauthError: 'access_denied',
        status: 401,
      });
    }
    expect(wrong.network.to('/oauth/token')).toHaveLength(1);
  });

  it('an audience that it does not know is a typed refusal, for which no secret is to blame', async () => {
    const { tokens, network } = createTenant({ audience: 'https://nobody.example/' });
    expect(await rejection(tokens.getToken())).toMatchObject({ oauthError: 'access_denied', status: 403 });
    expect(network.to('/oauth/token')).toHaveLength(1);
  });

  it('its organization parameter goes with extraParameters', async () => {
    const { tokens, network } = createTenant({ extraParameters: { organization: 'org_1' } });
    await tokens.getToken();
    expect(network.to('/oauth/token')[0]?.form.get('organization')).toBe('org_1');
  });

  it('its 429 says nothing of Retry-After: the next call tries again, further ones are slowed down', async () => {
    const network = createNetwork({
      '/oauth/token': () => {
        const body = { error: 'too_many_requests', error_description: 'Global limit has been reached' };
        return Response.json(body, { status: 429, headers: { 'x-ratelimit-remaining': '0' } });
      },
    });
    const { now } = createClock();
    const tokens = createTokenClient({
      tokenEndpoint: `${issuer}oauth/token`,
      clientId,
      clientAuth: clientSecretPost(secretCanary),
      now,
      fetch: network.fetch,
    });
    for (let call = 0; call < 50; call++) {
      expect(await rejection(tokens.getToken())).toMatchObject({ code: 'unexpected_status', status: 429 });
    }
    expect(network.sent).toHaveLength(3);
  });
});

describe('Microsoft Entra', () => {
  const tenant = 'https://login.entra.example/8eaef023-2b34-4da1-9baa-8bc8c9d6a490';
  const issuer = `${tenant}/v2.0`;
  const scope = 'api://orders/.default';
  const trace = {
    timestamp: '2026-01-09 02:02:12Z',
    trace_id: '255d1aef-8c98-452f-ac51-23d051240864',
    correlation_id: 'fb3d2015-bc17-4bb9-bb85-30c5cf1aaaa7',
  };
  const fail = (status: number, error: string, code: number, secret = ''): Response => {
    const error_description = `AADSTS${code}: something is wrong with ${secret}.\r\nTrace ID: ${trace.trace_id}`;
    return Response.json({ error, error_description, error_codes: [code], ...trace }, { status });
  };

  type Check = (sent: Sent) => boolean | Promise<boolean>;
  const hasSecret: Check = ({ form }) => form.get('client_secret') === secretCanary;

  function createTenant(
    options: Partial<TokenClientOptions>,
    check: Check = hasSecret,
    members: object = {},
  ) {
    const network = createNetwork({
      '/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/v2.0/.well-known/openid-configuration': metadata(
        issuer,
        `${tenant}/oauth2/v2.0/token`,
      ),
      async '/8eaef023-2b34-4da1-9baa-8bc8c9d6a490/oauth2/v2.0/token'(sent) {
        const { form } = sent;
        if (!isFormPost(sent) || form.has('resource')) return fail(400, 'invalid_request', 901002);
        if (form.get('client_id') !== clientId) return fail(400, 'unauthorized_client', 700016);
        if (!(await check(sent))) {
          return fail(401, 'invalid_client', 7000215, form.get('client_secret') ?? '');
        }
        if (!form.get('scope')?.endsWith('/.default')) return fail(400, 'invalid_scope', 1002012);
        return Response.json({
          token_type: 'Bearer',
          expires_in: 3599,
          ext_expires_in: 3599,
          access_token: 'eyJ.entra.token',
          ...members,
        });
      },
      '*': notFound,
    });
    const clock = createClock();
    const tokens = createTokenClient({
      issuer,
      clientId,
      scope,
      clientAuth: clientSecretPost(secretCanary),
      now: clock.now,
      ...options,
      fetch: network.fetch,
    });
    return { network, tokens, clock };
  }

  it('gets the scope with /.default, and no resource', async () => {
    const { tokens, network, clock } = createTenant({});
    const token = await tokens.getToken();
    expect(token.accessToken).toBe('eyJ.entra.token');
    expect(token).toMatchObject({ scope, expiresAt: clock.now() + 3_599_000 });
    expect(shapeOf(network.sent.at(-1))).toMatchObject({
      authorization: null,
      form: [
        ['client_id', clientId],
        ['client_secret', secretCanary],
        ['grant_type', 'client_credentials'],
        ['scope', scope],
      ],
    });
  });

  it.each([
    ['expires_in as a text, as its older endpoint has it', { expires_in: '3599', expires_on: '1388452167' }],
    ['refresh_in, not_before and other members', { refresh_in: 1800, not_before: '1', resource: 'x' }],
    ['ext_expires_in that is longer', { ext_expires_in: 262_800 }],
  ])('%s', async (_, members) => {
    const { tokens, clock } = createTenant({}, hasSecret, members);
    expect((await tokens.getToken()).expiresAt).toBe(clock.now() + 3_599_000);
  });

  it.each<[string, Partial<TokenClientOptions>, object]>([
    [
      'a wrong secret',
      { clientAuth: clientSecretPost('wrong-secret') },
      { oauthError: 'invalid_client', status: 401 },
    ],
    ['a scope of another kind', { scope: 'orders.read' }, { oauthError: 'invalid_scope', status: 400 }],
    ['another client', { clientId: 'x' }, { oauthError: 'unauthorized_client', status: 400 }],
    ['a resource', { resource: 'api://orders' }, { oauthError: 'invalid_request', status: 400 }],
  ])('%s: typed, and its description is not repeated', async (_, options, expected) => {
    const { tokens } = createTenant(options);
    const error = await rejection(tokens.getToken());
    expect(error).toMatchObject({ code: 'token_request_rejected', ...expected });
    expect(String(error)).not.toMatch(/AADSTS|Trace ID|secret-|wrong-secret/);
  });

  it('an assertion for its token endpoint instead of a secret', async () => {
    const { privateKey, publicKey } = await generateKeyPair('PS256', { extractable: true });
    const { tokens, network } = createTenant(
      {
        clientAuth: privateKeyJwt({ key: privateKey, alg: 'PS256', kid: 'thumbprint', audience: 'endpoint' }),
      },
      async ({ form }) => {
        const { payload } = await jwtVerify(form.get('client_assertion') ?? '', publicKey, {
          audience: `${tenant}/oauth2/v2.0/token`,
          issuer: clientId,
          subject: clientId,
          currentDate: new Date(createClock().now()),
        });
        return typeof payload.jti === 'string' && !form.has('client_secret');
      },
    );
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
    expect(network.sent.at(-1)?.form.get('client_assertion_type')).toBe(
      'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    );
  });

  it('the token of a workload instead of a secret', async () => {
    const { privateKey } = await generateKeyPair('RS256');
    const workload = await new SignJWT({})
      .setProtectedHeader({ alg: 'RS256' })
      .setSubject('system:serviceaccount:shop:billing')
      .setAudience('api://AzureADTokenExchange')
      .setExpirationTime(createClock().now() / 1000 + 600)
      .sign(privateKey);
    const { tokens } = createTenant(
      { clientAuth: federatedAssertion(() => workload) },
      ({ form }) => form.get('client_assertion') === workload && !form.has('client_secret'),
    );
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
  });
});

describe('Amazon Cognito', () => {
  // Issuer and token endpoint have nothing in common; the metadata joins them.
  const issuer = 'https://cognito-idp.eu-west-1.aws.example/eu-west-1_AbCdEf123';
  const tokenEndpoint = 'https://billing.auth.eu-west-1.cognito.example/oauth2/token';
  const secret = 'abcdef01234567890';
  const scopes = ['https://orders.example/read', 'orders/write'];

  function createPool(options: Partial<TokenClientOptions> = {}) {
    const network = createNetwork({
      '/eu-west-1_AbCdEf123/.well-known/openid-configuration': metadata(issuer, tokenEndpoint),
      '/oauth2/token'(sent) {
        const { form, headers } = sent;
        const fail = (error: string): Response => Response.json({ error }, { status: 400 });
        if (!isFormPost(sent)) return fail('invalid_request');
        if (headers.get('authorization') !== basicOf(clientId, secret)) return fail('invalid_client');
        if (form.has('client_secret')) return fail('invalid_request');
        if (form.get('grant_type') !== 'client_credentials') return fail('unsupported_grant_type');
        const asked = (form.get('scope') ?? '').split(' ').filter((name) => name !== '');
        if (!asked.every((name) => scopes.includes(name))) return fail('invalid_scope');
        return Response.json({ access_token: 'eyJ.cognito.token', expires_in: 3600, token_type: 'Bearer' });
      },
      '*': notFound,
    });
    const tokens = createTokenClient({
      issuer,
      clientId,
      clientSecret: secret,
      scope: scopes,
      ...options,
      fetch: network.fetch,
    });
    return { network, tokens };
  }

  it('gets Basic alone, and scopes with slashes as they are', async () => {
    const { tokens, network } = createPool();
    const token = await tokens.getToken();
    expect(token.scope).toBe('https://orders.example/read orders/write');
    expect(shapeOf(network.sent.at(-1))).toEqual({
      method: 'POST',
      type: 'application/x-www-form-urlencoded',
      accept: 'application/json',
      authorization: 'Basic ZGpjOTh1M2ppZWRtaTI4M2V1OTI4OmFiY2RlZjAxMjM0NTY3ODkw',
      form: [
        ['grant_type', 'client_credentials'],
        ['scope', 'https://orders.example/read orders/write'],
      ],
    });
    expect(network.sent.at(-1)?.url).toBe(tokenEndpoint);
  });

  it.each<[string, Partial<TokenClientOptions>, string]>([
    [
      'the secret in the body',
      { clientSecret: undefined, clientAuth: clientSecretPost(secret) },
      'invalid_client',
    ],
    ['a wrong secret', { clientSecret: 'wrong' }, 'invalid_client'],
    ['a scope that it does not know', { scope: 'orders/delete' }, 'invalid_scope'],
  ])('%s is a refusal with status 400', async (_, options, oauthError) => {
    const { tokens, network } = createPool(options);
    for (let call = 0; call < 3; call++) {
      expect(await rejection(tokens.getToken())).toMatchObject({
        code: 'token_request_rejected',
        oauthError,
        status: 400,
      });
    }
    expect(network.to('/oauth2/token')).toHaveLength(1);
  });

  it('a secret that was rotated is found among several, although the refusal has status 400', async () => {
    const { tokens } = createPool({ clientSecret: ['newer', secret] });
    expect((await tokens.getToken()).accessToken).toBe('eyJ.cognito.token');
  });

  it('raw and encoded Basic are the same for its ids and secrets', async () => {
    const clientAuth = clientSecretBasic(secret, { encoding: 'raw' });
    const { tokens } = createPool({ clientSecret: undefined, clientAuth });
    expect((await tokens.getToken()).tokenType).toBe('Bearer');
  });
});

it('one service calls three vendors, each target with what its vendor wants', async () => {
  const network = createNetwork({
    '/token': ({ form }) =>
      Response.json({
        access_token: `for-${form.get('scope')}-${form.get('resource')}`.replace(' ', '_'),
        expires_in: '60',
        token_type: 'bearer',
      }),
    '*': ({ headers }) => new Response(headers.get('authorization')),
  });
  const call = createAuthedFetch({
    tokenEndpoint: 'https://idp.example/token',
    clientId,
    clientSecret: secretCanary,
    targets: [
      { origin: 'https://entra.example', scope: 'api://x/.default' },
      { origin: 'https://cognito.example', scope: ['a/b', 'a/c'] },
      { origin: 'https://auth0.example', resource: 'https://x.example' },
    ],
    fetch: network.fetch,
  });
  const sent = await Promise.all(
    ['entra', 'cognito', 'auth0'].map(async (name) => (await call(`https://${name}.example/`)).text()),
  );
  expect(sent).toEqual([
    'Bearer for-api://x/.default-null',
    'Bearer for-a/b_a/c-null',
    'Bearer for-null-https://x.example',
  ]);
});
