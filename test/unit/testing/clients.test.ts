import { Hono } from 'hono';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { requireServiceAuth } from '../../../adapters/hono.ts';
import { createTestIssuer, type TestIssuerOptions, type TestService } from '../../../adapters/testing.ts';
import { withServiceAuth } from '../../../adapters/web.ts';
import { createAuthedFetch, createTokenClient, createVerifier, privateKeyJwt } from '../../../src/index.ts';
import { rejection } from '../outbound/support.ts';

const ORDERS = 'https://orders.internal';
const target = { origin: ORDERS, scope: 'orders:read', resource: 'https://service.test' };

/** A test issuer and, behind it, orders: protected by it, and called through it. */
function createShop(options: TestIssuerOptions = {}) {
  const orders: { app?: TestService } = {};
  const issuer = createTestIssuer({
    services: { [ORDERS]: (request) => answerOf(orders.app, request) },
    ...options,
  });
  const app = new Hono();
  app.get('/orders', requireServiceAuth({ ...issuer.verifierOptions(), scope: 'orders:read' }), (c) =>
    c.json({ client: c.var.caller.clientId, scheme: c.var.caller.scheme }),
  );
  orders.app = app;
  return issuer;
}

function answerOf(app: TestService | undefined, request: Request): Response | Promise<Response> {
  if (app === undefined) throw new Error('orders has not been made');
  return typeof app === 'function' ? app(request) : app.fetch(request);
}

describe('an authed fetch', () => {
  it.each([
    [false, 'Bearer'],
    [true, 'DPoP'],
  ] as const)('calls a service without a port (bound: %s)', async (dpop, scheme) => {
    const issuer = createShop();
    const authedFetch = createAuthedFetch(
      issuer.clientOptions({ clientId: 'billing', targets: [target], dpop }),
    );
    const answers = await Promise.all(
      [1, 2, 3].map(async () => (await authedFetch(`${ORDERS}/orders?page=2`)).json()),
    );
    expect(answers).toEqual([1, 2, 3].map(() => ({ client: 'billing', scheme })));
    expect(issuer.requests.token).toMatchObject([
      {
        clientId: 'billing',
        authentication: 'client_secret_basic',
        grantType: 'client_credentials',
        scope: 'orders:read',
        resource: ['https://service.test'],
        status: 200,
      },
    ]);
    expect(issuer.requests.services).toMatchObject(
      [1, 2, 3].map(() => ({ method: 'GET', url: `${ORDERS}/orders`, status: 200, scheme })),
    );
  });

  it('renews its token ahead of time, by the clock of the test', async () => {
    const issuer = createShop();
    const authedFetch = createAuthedFetch(issuer.clientOptions({ targets: [target] }));
    await authedFetch(`${ORDERS}/orders`);
    issuer.advance({ seconds: 839 });
    await authedFetch(`${ORDERS}/orders`);
    expect(issuer.requests.token).toHaveLength(1);
    issuer.advance({ seconds: 1 });
    await authedFetch(`${ORDERS}/orders`);
    await vi.waitFor(() => expect(issuer.requests.token).toMatchObject([{ status: 200 }, { status: 200 }]));
  });

  it('says which services there are where it calls another one', async () => {
    const issuer = createShop();
    const authedFetch = createAuthedFetch(issuer.clientOptions({ targets: ['https://stock.internal'] }));
    await expect(authedFetch('https://stock.internal/items')).rejects.toThrow(
      'nothing answers at https://stock.internal; known are https://issuer.test, https://orders.internal. ' +
        "Give services: { 'https://stock.internal': app } to createTestIssuer, or otherFetch: fetch for real requests",
    );
  });

  it('calls everything else by the other fetch, if a test gives one', async () => {
    const otherFetch = vi.fn(async () => new Response('from elsewhere'));
    const issuer = createTestIssuer({ otherFetch });
    const authedFetch = createAuthedFetch(issuer.clientOptions({ targets: ['https://stock.internal'] }));
    expect(await (await authedFetch('https://stock.internal/items')).text()).toBe('from elsewhere');
    expect(otherFetch).toHaveBeenCalledOnce();
  });

  it('calls on behalf of whoever called', async () => {
    const issuer = createShop({ audience: 'https://gateway.test' });
    const behind = createVerifier(issuer.verifierOptions({ audience: ORDERS }));
    const authedFetch = createAuthedFetch({
      ...issuer.clientOptions({ clientId: 'gateway', targets: [{ ...target, resource: ORDERS }] }),
      fetch: async (input, init) => {
        const request = new Request(input, init);
        if (!request.url.startsWith(ORDERS)) return issuer.fetch(request);
        const outcome = await behind.authenticate(request);
        return Response.json(
          outcome.ok ? { sub: outcome.caller?.subject, act: outcome.caller?.claims.act } : {},
        );
      },
    });
    const { accessToken } = await issuer.mint({ subject: 'user-7', scope: 'orders:read' });
    const answer = await authedFetch.onBehalfOf(accessToken)(`${ORDERS}/orders`);
    expect(await answer.json()).toEqual({ sub: 'user-7', act: { sub: 'gateway' } });
    expect(issuer.requests.token.map(({ grantType }) => grantType?.split(':').at(-1))).toEqual([
      'token-exchange',
    ]);
  });
});

describe('clients', () => {
  it('may do what all their options ask for, together', async () => {
    const issuer = createTestIssuer();
    const read = createTokenClient(issuer.clientOptions({ clientId: 'billing', scope: 'orders:read' }));
    expect(await read.getToken()).toMatchObject({ scope: 'orders:read' });
    const write = createTokenClient(issuer.clientOptions({ clientId: 'billing', scope: ['orders:write'] }));
    expect(await write.getToken()).toMatchObject({ scope: 'orders:write' });
    expect(await read.getToken({ scope: 'orders:write', forceRefresh: true })).toMatchObject({
      scope: 'orders:write',
    });
    expect(await rejection(read.getToken({ scope: 'admin' }))).toMatchObject({ oauthError: 'invalid_scope' });
  });

  it('are registered just so where the options name them', async () => {
    const issuer = createTestIssuer({
      clients: [
        { clientId: 'billing', scopes: ['orders:read'], tokenFormat: 'opaque', accessTokenSeconds: 60 },
      ],
    });
    const client = createTokenClient(issuer.clientOptions({ clientId: 'billing' }));
    const token = await client.getToken();
    expect(token).toMatchObject({ expiresAt: issuer.now() + 60_000, scope: 'orders:read' });
    expect(token.accessToken).not.toContain('.');
    const greedy = createTokenClient(issuer.clientOptions({ clientId: 'billing', scope: 'admin' }));
    expect(await rejection(greedy.getToken())).toMatchObject({ oauthError: 'invalid_scope' });
  });

  it('authenticate in a way of their own', async () => {
    const { publicKey, privateKey } = await crypto.subtle.generateKey(
      { name: 'ECDSA', namedCurve: 'P-256' },
      true,
      ['sign', 'verify'],
    );
    const jwk = { ...(await crypto.subtle.exportKey('jwk', publicKey)), kid: 'billing-1', kty: 'EC' };
    const issuer = createTestIssuer({ clients: [{ clientId: 'billing', jwks: { keys: [jwk] } }] });
    const clientAuth = privateKeyJwt({ key: privateKey, kid: 'billing-1' });
    await createTokenClient(issuer.clientOptions({ clientId: 'billing', clientAuth })).getToken();
    expect(issuer.requests.token).toMatchObject([
      { clientId: 'billing', authentication: 'client_assertion', status: 200 },
    ]);
  });

  it('are refused with a wrong secret', async () => {
    const issuer = createTestIssuer();
    const options = { ...issuer.clientOptions({ clientId: 'billing' }), clientSecret: 'another-secret' };
    expect(await rejection(createTokenClient(options).getToken())).toMatchObject({
      oauthError: 'invalid_client',
    });
    expect(issuer.requests.token.at(-1)).toMatchObject({
      status: 401,
      error: 'invalid_client',
      clientId: 'billing',
    });
  });
});

describe('programs that read the environment', () => {
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  it('are tested through the global fetch', async () => {
    const issuer = createTestIssuer({ services: { [ORDERS]: (request) => handler(request) } });
    const asked = { clientId: 'billing', scope: 'orders:read', targets: [ORDERS] };
    for (const [name, value] of Object.entries(issuer.environment({ ...asked, resource: issuer.audience }))) {
      vi.stubEnv(name, value);
    }
    const before = globalThis.fetch;
    const replaced = issuer.replaceGlobalFetch();
    const handler = withServiceAuth((_request, caller) => Response.json({ client: caller.clientId }), {
      scope: 'orders:read',
    });
    try {
      const authedFetch = createAuthedFetch({
        scope: 'orders:read',
        resource: issuer.audience,
        targets: [ORDERS],
      });
      expect(await (await authedFetch(`${ORDERS}/orders`)).json()).toEqual({ client: 'billing' });
    } finally {
      replaced.restore();
    }
    expect(globalThis.fetch).toBe(before);
  });

  it('reach everything else as before', async () => {
    const elsewhere = vi.spyOn(globalThis, 'fetch').mockImplementation(async () => new Response('elsewhere'));
    const issuer = createTestIssuer();
    const replaced = issuer.replaceGlobalFetch();
    expect(await (await fetch('https://stock.internal')).text()).toBe('elsewhere');
    expect((await fetch(`${issuer.issuer}/jwks`)).status).toBe(200);
    replaced[Symbol.dispose]();
    expect(elsewhere).toHaveBeenCalledOnce();
    elsewhere.mockRestore();
  });
});

it.each<[TestIssuerOptions, string]>([
  [{ audiance: 'x' } as TestIssuerOptions, 'unknown option audiance in options; did you mean audience?'],
  [
    { services: { 'https://issuer.test': fetch } },
    'services must be origins such as https://orders.internal',
  ],
  [{ services: { 'orders.internal': fetch } }, 'services must be origins'],
  [
    { services: { [ORDERS]: {} as TestService } },
    "services['https://orders.internal'] must be a function of a Request",
  ],
  [{ issuer: 'http://idp.example' }, 'issuer must be an https URL'],
  [{ clients: [{ clientId: 'a b' }] }, 'services[0] could not be created: clientId'],
  [
    { clients: [{ clientId: 'a', clientSecret: 'short' }] },
    'clientSecret must be 32 to 1000 visible ASCII characters',
  ],
  [{ otherFetch: 'fetch' as never }, 'otherFetch must be a function'],
])('mistakes are named: %o', (options, message) => {
  expect(() => createTestIssuer(options)).toThrow(TypeError);
  expect(() => createTestIssuer(options)).toThrow(message);
});
