import * as oauth from 'oauth4webapi';
import { customFetch, discovery } from 'openid-client';
import { describe, expect, it } from 'vitest';
import { createTokenClient } from '../../../../src/index.ts';
import { clientAuthenticationMethods } from '../../../../src/issuer/clients/client-authentication.ts';
import { createHarness, ISSUER } from '../harness.ts';

describe('metadata (RFC 8414, OpenID Connect Discovery)', () => {
  it.each([
    [
      'https://idp.example',
      'https://idp.example',
      ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
    ],
    [
      'https://idp.example/',
      'https://idp.example',
      ['/.well-known/oauth-authorization-server', '/.well-known/openid-configuration'],
    ],
    [
      'https://idp.example/tenant/a',
      'https://idp.example/tenant/a',
      ['/.well-known/oauth-authorization-server/tenant/a', '/tenant/a/.well-known/openid-configuration'],
    ],
    [
      'https://idp.example/tenant/',
      'https://idp.example/tenant',
      ['/.well-known/oauth-authorization-server/tenant', '/tenant/.well-known/openid-configuration'],
    ],
  ])('of %s', async (issuer, base, paths) => {
    const harness = createHarness({ issuer });
    const methods = [...clientAuthenticationMethods];
    expect(methods).toContain('client_secret_basic');
    for (const path of paths) {
      const { status, headers, body } = await harness.call(path);
      expect(status).toBe(200);
      expect(headers.get('content-type')).toBe('application/json');
      expect(headers.get('cache-control')).toBe('public, max-age=300');
      expect(body).toMatchObject({
        issuer,
        token_endpoint: `${base}/token`,
        jwks_uri: `${base}/jwks`,
        introspection_endpoint: `${base}/introspect`,
        revocation_endpoint: `${base}/revoke`,
        grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:token-exchange'],
        response_types_supported: [],
        token_endpoint_auth_methods_supported: methods,
        introspection_endpoint_auth_methods_supported: methods,
        revocation_endpoint_auth_methods_supported: methods,
        dpop_signing_alg_values_supported: ['ES256', 'EdDSA', 'Ed25519', 'ES384', 'ES512', 'PS256', 'RS256'],
        tls_client_certificate_bound_access_tokens: true,
      });
    }
  });

  it('names algorithms of signatures only, for whatever is signed', async () => {
    const { call } = createHarness({ signingAlgorithm: 'EdDSA' });
    const { body } = await call('/.well-known/oauth-authorization-server');
    for (const endpoint of ['token', 'introspection', 'revocation']) {
      const algorithms = body[`${endpoint}_endpoint_auth_signing_alg_values_supported`];
      expect(algorithms).toEqual(expect.arrayContaining(['ES256', 'EdDSA', 'RS256', 'HS256']));
      expect(algorithms).not.toContain('none');
    }
    expect(body.introspection_signing_alg_values_supported).toEqual(['EdDSA']);
  });

  it('names endpoints that are there, under the path of the issuer', async () => {
    const harness = createHarness({ issuer: 'https://idp.example/tenant' });
    const { body } = await harness.call('/tenant/.well-known/openid-configuration');
    expect((await harness.call(body.jwks_uri)).status).toBe(200);
    for (const name of ['token_endpoint', 'introspection_endpoint', 'revocation_endpoint']) {
      expect((await harness.post(body[name], {})).status).toBe(401);
    }
    for (const path of [
      '/token',
      '/jwks',
      '/.well-known/oauth-authorization-server',
      '/tenant',
      '/tenantx/jwks',
    ]) {
      expect((await harness.call(path)).status).toBe(404);
    }
  });

  it('threat 20: what host the request names changes nothing', async () => {
    const { issuer } = createHarness();
    const headers = {
      'x-forwarded-host': 'evil.example',
      forwarded: 'host=evil.example',
      host: 'evil.example',
    };
    const request = new Request('https://evil.example/.well-known/oauth-authorization-server', { headers });
    const text = await (await issuer.fetch(request)).text();
    expect(text).toContain('https://idp.example/token');
    expect(text).not.toContain('evil');
  });
});

describe('the metadata, read by other libraries', () => {
  it.each(['https://idp.example', 'https://idp.example/', 'https://idp.example/tenant/a'])(
    '%s: oauth4webapi and openid-client take it for this issuer, and for no other',
    async (issuer) => {
      const { issuer: server } = createHarness({ issuer });
      const transport = (url: string, { method, headers }: { method: string; headers: HeadersInit }) =>
        server.fetch(new Request(url, { method, headers }));
      for (const algorithm of ['oauth2', 'oidc'] as const) {
        const discover = () =>
          oauth.discoveryRequest(new URL(issuer), { algorithm, [oauth.customFetch]: transport });
        const metadata = await oauth.processDiscoveryResponse(new URL(issuer), await discover());
        expect(metadata.issuer).toBe(issuer);
        const other = new URL('https://other.example');
        await expect(oauth.processDiscoveryResponse(other, await discover())).rejects.toThrow(/issuer/);
        const configuration = await discovery(new URL(issuer), 'billing', 'secret', undefined, {
          algorithm,
          [customFetch]: transport,
        });
        expect(configuration.serverMetadata()).toMatchObject({ issuer, jwks_uri: metadata.jwks_uri });
        expect(configuration.serverMetadata().supportsPKCE()).toBe(false);
      }
    },
  );

  it("this project's token client finds the token endpoint by it", async () => {
    const harness = createHarness();
    const tokens = createTokenClient({
      issuer: ISSUER,
      ...(await harness.register()),
      now: () => harness.nowSeconds() * 1000,
      fetch: (url, init) => harness.issuer.fetch(new Request(url, init)),
    });
    const { accessToken } = await tokens.getToken();
    expect((await harness.verify(accessToken)).payload.iss).toBe(ISSUER);
    tokens.close();
  });
});

describe('health', () => {
  it('is asked at the root, whatever the path of the issuer', async () => {
    const { call } = createHarness({ issuer: 'https://idp.example/tenant' });
    expect((await call('/healthz')).body).toEqual({ status: 'ok' });
    expect((await call('/readyz')).body).toEqual({ status: 'ready' });
  });
});

describe('paths and methods', () => {
  it.each([
    '/',
    '/nothing',
    '/token/',
    '//token',
    '/admin',
    '/admin/services/',
    '/admin/services/a/b',
    '/admin/services/%zz',
  ])('%s is not there', async (path) => {
    const { issuer } = createHarness();
    const response = await issuer.fetch(new Request(`https://idp.example${path}`));
    expect(response.status).toBe(404);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    expect(await response.json()).toMatchObject({ status: 404, title: 'Not Found' });
  });

  it.each([
    ['GET', '/token', 'POST'],
    ['DELETE', '/introspect', 'POST'],
    ['PUT', '/revoke', 'POST'],
    ['POST', '/jwks', 'GET, HEAD'],
    ['OPTIONS', '/healthz', 'GET, HEAD'],
    ['PATCH', '/admin/services', 'GET, HEAD, POST'],
    ['POST', '/admin/services/x', 'GET, HEAD, PATCH, DELETE'],
    ['constructor', '/jwks', 'GET, HEAD'],
  ])('%s %s is 405 with what is allowed', async (method, path, allow) => {
    const { status, headers, body } = await createHarness().call(path, { method });
    expect(status).toBe(405);
    expect(headers.get('allow')).toBe(allow);
    expect(body).toMatchObject({ status: 405, title: 'Method Not Allowed' });
  });

  it.each(['/jwks', '/.well-known/oauth-authorization-server', '/healthz'])(
    'HEAD %s is GET without a body',
    async (path) => {
      const { call } = createHarness();
      const [head, get] = [await call(path, { method: 'HEAD' }), await call(path)];
      expect(head.status).toBe(200);
      expect(head.text).toBe('');
      expect([...head.headers]).toEqual([...get.headers]);
    },
  );
});

describe('what fails inside', () => {
  it('is a 503 that says nothing, and an event that names the error alone', async () => {
    const harness = createHarness();
    const service = await harness.register();
    const findService = () => Promise.reject(new RangeError(`canary ${service.clientSecret}`));
    const broken = createHarness({ storage: { ...harness.storage, findService } });
    const { status, headers, text } = await broken.post(
      '/token',
      { grant_type: 'client_credentials' },
      service,
    );
    expect(status).toBe(503);
    expect(headers.get('retry-after')).toBe('1');
    expect(text).not.toContain('canary');
    expect(broken.events).toEqual([
      {
        type: 'issuer.request_failed',
        method: 'POST',
        path: '/token',
        errorName: 'RangeError',
        at: expect.any(Number),
      },
    ]);
  });

  it('a system error is named by its code, too', async () => {
    const harness = createHarness();
    const failure = Object.assign(new Error('canary'), { code: 'ECONNREFUSED' });
    const findService = () => Promise.reject(failure);
    const broken = createHarness({ storage: { ...harness.storage, findService } });
    await broken.post('/token', { grant_type: 'client_credentials' }, await harness.register());
    expect(broken.events).toMatchObject([{ errorName: 'Error', errorCode: 'ECONNREFUSED' }]);
    expect(JSON.stringify(broken.events)).not.toContain('canary');
  });

  it('a listener that throws changes nothing', async () => {
    const onEvent = () => {
      throw new Error('listener');
    };
    const harness = createHarness({ onEvent });
    expect(await harness.token(await harness.register())).toEqual(expect.any(String));
  });

  it('a closed issuer answers 503', async () => {
    const { issuer, call } = createHarness();
    await issuer.close();
    expect((await call('/jwks')).status).toBe(503);
  });
});
