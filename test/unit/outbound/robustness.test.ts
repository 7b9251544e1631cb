/** Faults that a hostile reading of the outbound side has found; each stays mended. */
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { tlsFetch } from '../../../adapters/tls-fetch.ts';
import {
  type ClientAuth,
  clientSecretBasic,
  createAuthedFetch,
  createMemoryTokenStore,
  createTokenClient,
  federatedAssertion,
  privateKeyJwt,
  secretFile,
} from '../../../src/index.ts';
import { ReceivedToken } from '../../../src/outbound/access-token.ts';
import { type Handler, sendJson, startServer, startTokenServer } from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

const SECRET = 'canary-secret-7b1f';
const PEM = `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----`;

describe('threat 27: a secret in the wrong place is not shown', () => {
  const make = (options: object): unknown =>
    createTokenClient({
      tokenEndpoint: 'https://idp.example/token',
      clientId: 'a',
      clientSecret: 's',
      ...options,
    });
  it.each<[string, () => unknown]>([
    ['a key instead of options', () => privateKeyJwt(PEM as never)],
    ['a key as alg', () => privateKeyJwt({ key: {} as CryptoKey, alg: PEM as never })],
    ['an unreadable endpoint of another form', () => make({ tokenEndpoint: `https:user:${SECRET}@h o/` })],
    ['an endpoint with a query', () => make({ tokenEndpoint: `ftp://idp.example/?key=${SECRET}` })],
    [
      'an issuer with a query',
      () => make({ tokenEndpoint: undefined, issuer: `https://a.example/?${SECRET}` }),
    ],
    ['a key in the place of its path', () => secretFile(PEM)],
    ['a key in the place of an assertion’s path', () => federatedAssertion({ file: PEM })],
    ['a key in the place of a certificate’s path', () => tlsFetch({ certFile: '/tls.crt', keyFile: PEM })],
    ['a fetch that is none', () => make({ fetch: SECRET })],
    ['a secret as options of Basic', () => clientSecretBasic('id', SECRET as never)],
    ['a secret instead of options', () => createTokenClient(SECRET as never)],
    ['parameters as a text', () => make({ extraParameters: `api_key=${SECRET}` })],
    ['parameters as a list', () => make({ extraParameters: [`api_key=${SECRET}`] })],
    ['an unreadable endpoint', () => make({ tokenEndpoint: `https://user:${SECRET}@ho st/token` })],
    [
      'an unreadable issuer',
      () => make({ tokenEndpoint: undefined, issuer: `https://user:${SECRET}@ho st` }),
    ],
    [
      'an unreadable target',
      () =>
        createAuthedFetch({
          tokenEndpoint: 'https://idp.example/token',
          clientId: 'a',
          clientSecret: 's',
          targets: [`https://user:${SECRET}@ho st`],
        }),
    ],
  ])('%s', (_name, work) => {
    expect(work).toThrow(TypeError);
    expect(work).not.toThrow(SECRET);
  });

  it('a token instead of options', async () => {
    const tokens = createTokenClient({
      tokenEndpoint: 'https://i.example',
      clientId: 'a',
      clientSecret: 's',
    });
    await expect(tokens.getToken(SECRET as never)).rejects.not.toThrow(SECRET);
    expect(() => tokens.invalidate(SECRET as never)).not.toThrow(SECRET);
  });

  it('an access token, even where inspection calls getters', () => {
    const token = new ReceivedToken({ accessToken: SECRET, tokenType: 'Bearer', expiresAt: 1, scope: 'a' });
    const text = inspect({ token }, { showHidden: true, getters: true, depth: 9 });
    expect(text).toContain("scope: 'a'");
    expect(text).not.toContain(SECRET);
  });
});

describe('credentials stay with whom they belong to', () => {
  it('a secret that was meant to be given is not replaced by that of the environment', () => {
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', SECRET);
    const options = { tokenEndpoint: 'https://partner.example/token', clientId: 'partner' };
    const message = /clientSecret is (?:undefined|required); SERVICE_AUTH_CLIENT_SECRET (?:does not|serves)/;
    for (const id of ['', 'billing']) {
      vi.stubEnv('SERVICE_AUTH_CLIENT_ID', id);
      expect(() => createTokenClient({ ...options, clientSecret: undefined })).toThrow(message);
      expect(() => createTokenClient(options)).toThrow(message);
    }
    const { clientId: _, ...server } = options;
    expect(() => createTokenClient({ ...server, clientSecret: undefined })).toThrow(message);
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', 'partner');
    expect(() => createTokenClient(options)).not.toThrow();
  });

  it.each(['127.0.0.1e1', '127...', '127.0.0.-5', '127.0.0.0b1'])('%s is a name, not loopback', (host) => {
    const options = { tokenEndpoint: `http://${host}/token`, clientId: 'a', clientSecret: 's' };
    expect(() => createTokenClient(options)).toThrow('tokenEndpoint must be an https URL');
  });

  it('a client authentication that is any thenable is waited for', async () => {
    const server = await startTokenServer();
    const later: ClientAuth = ({ headers }) =>
      ({
        // biome-ignore lint/suspicious/noThenProperty: that is what is tested
        then(resolve: () => void) {
          headers.authorization = 'Basic late';
          resolve();
        },
      }) as Promise<void>;
    const { clientSecret: _, ...options } = server.options;
    await createTokenClient({ ...options, clientAuth: later }).getToken();
    expect(server.received[0]?.headers.authorization).toBe('Basic late');
  });

  it.each([
    '/api/..%20/x',
    '/api/..%00/x',
    '/api/%20../x',
    '/api/..%00b/x',
    '/api/..%2500/x',
    '/api/..%09;a/x',
  ])('a path that some server may read as climbing gets no token: %s', async (path) => {
    const server = await startTokenServer();
    const authedFetch = createAuthedFetch({
      ...server.options,
      targets: [{ origin: 'https://orders.example', pathPrefix: '/api' }],
    });
    await expect(authedFetch(`https://orders.example${path}`)).rejects.toMatchObject({
      code: 'untrusted_target',
    });
    expect(server.received).toEqual([]);
  });
});

describe('time that goes back', () => {
  it('makes no pause longer', async () => {
    let now = 10_000_000_000;
    const server = await startTokenServer({ now: () => now, random: () => 0.5 });
    const tokens = createTokenClient(server.options);
    for (let at = 0; at < 4; at++) {
      server.next.push((_request, response) => sendJson(response, {}, 503));
      await tokens.getToken().catch(() => {});
      now += 5000;
    }
    await expect(tokens.getToken()).resolves.toBeDefined();
    tokens.invalidate();
    for (let at = 0; at < 4; at++) {
      server.next.push((_request, response) => sendJson(response, {}, 503, { 'retry-after': '60' }));
      await tokens.getToken().catch(() => {});
      now += at < 3 ? 60_000 : 0;
    }
    server.next.length = 0;
    now -= 3_600_000;
    await expect(tokens.getToken()).resolves.toMatchObject({ tokenType: 'Bearer' });
  });

  it('does not make a token last longer', async () => {
    let now = 10_000_000_000;
    const server = await startTokenServer({ now: () => now });
    const tokens = createTokenClient(server.options);
    const first = await tokens.getToken();
    now -= 3_600_000;
    expect((await tokens.getToken()).accessToken).toBe(first.accessToken);
    await vi.waitFor(async () => expect((await tokens.getToken()).accessToken).not.toBe(first.accessToken));
    expect(server.received).toHaveLength(2);
  });
});

describe('many who wait', () => {
  it('under one signal, or for many tokens, cause no warning', async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): void => void warnings.push(warning);
    process.on('warning', listen);
    const server = await startTokenServer();
    const tokens = createTokenClient(server.options);
    const { signal } = new AbortController();
    await Promise.all(Array.from({ length: 40 }, (_, at) => tokens.getToken({ scope: `s${at}`, signal })));
    await Promise.all(Array.from({ length: 40 }, () => tokens.getToken({ forceRefresh: true, signal })));
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings).toEqual([]);
  });

  it('closing ends a discovery under way', async () => {
    let asked: () => void = () => {};
    const isAsked = new Promise<void>((resolve) => {
      asked = resolve;
    });
    const server = await startServer(() => asked());
    const tokens = createTokenClient({ issuer: server.origin, clientId: 'a', clientSecret: 's' });
    const result = tokens.getToken().catch((error: unknown) => error);
    await isAsked;
    tokens.close();
    expect(await result).toMatchObject({ code: 'closed' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(server.received.map(({ url }) => url)).toEqual(['/.well-known/oauth-authorization-server']);
  });
});

describe('a refused token', () => {
  const refuse = { 'www-authenticate': 'Bearer error="invalid_token"' };

  it('is replaced for the next call, where a call cannot be sent again', async () => {
    const tokenServer = await startTokenServer();
    const orders = await startServer(({ headers }, response) => {
      const isGood = headers.authorization !== 'Bearer token-1';
      response.writeHead(isGood ? 200 : 401, isGood ? {} : refuse).end();
    });
    const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
    const post = (): Promise<Response> =>
      authedFetch(new Request(orders.origin, { method: 'POST', body: 'once' }));
    expect((await post()).status).toBe(401);
    await vi.waitFor(async () => expect((await post()).status).toBe(200));
    expect(tokenServer.received).toHaveLength(2);
  });

  it('is not renewed again and again, where new ones are refused too', async () => {
    const tokenServer = await startTokenServer();
    const orders = await startServer((_request, response) => void response.writeHead(401, refuse).end());
    const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
    const post = (): Promise<Response> =>
      authedFetch(new Request(orders.origin, { method: 'POST', body: 'once' }));
    await post();
    await vi.waitFor(() => expect(tokenServer.received).toHaveLength(2));
    for (let at = 0; at < 5; at++) expect((await post()).status).toBe(401);
    expect(tokenServer.received).toHaveLength(2);
  });

  it('of one path does not keep another path from a new one', async () => {
    const tokenServer = await startTokenServer();
    let revoked = new Set<string | undefined>();
    const orders = await startServer(({ url, headers }, response) => {
      const isGood = url === '/good' && !revoked.has(headers.authorization);
      response.writeHead(isGood ? 200 : 401, isGood ? {} : refuse).end();
    });
    const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
    expect((await authedFetch(`${orders.origin}/bad`)).status).toBe(401);
    // Another token than the one that was got in vain.
    await authedFetch.tokens.getToken({ forceRefresh: true });
    revoked = new Set(['Bearer token-3']);
    expect((await authedFetch(`${orders.origin}/good`)).status).toBe(200);
  });
});

it('a signal of many has nothing left of calls that are over', async () => {
  const server = await startTokenServer();
  const tokens = createTokenClient(server.options);
  const { signal } = new AbortController();
  const add = vi.spyOn(signal, 'addEventListener');
  const remove = vi.spyOn(signal, 'removeEventListener');
  await Promise.all(Array.from({ length: 5 }, () => tokens.getToken({ forceRefresh: true, signal })));
  expect(add).toHaveBeenCalledTimes(1);
  expect(remove).toHaveBeenCalledTimes(1);
});

it('a closed client gives the refusal of a call that cannot be sent again', async () => {
  const tokenServer = await startTokenServer();
  const orders = await startServer((_request, response) => {
    authedFetch.close();
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
  });
  const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
  const request = new Request(orders.origin, { method: 'POST', body: 'once' });
  expect((await authedFetch(request)).status).toBe(401);
});

it('a signal that is taken away does not end the call', async () => {
  const tokenServer = await startTokenServer();
  const orders = await startServer((_request, response) => void response.end());
  const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
  const request = new Request(orders.origin, { signal: AbortSignal.abort() });
  expect((await authedFetch(request, { signal: null })).status).toBe(200);
});

it('an injected fetch that followed a redirect is not believed', async () => {
  const answer = new Response(JSON.stringify({ access_token: 'a', token_type: 'Bearer' }));
  Object.defineProperty(answer, 'redirected', { value: true });
  const options = { tokenEndpoint: 'https://idp.example/token', clientId: 'a', clientSecret: 's' };
  const tokens = createTokenClient({ ...options, fetch: async () => answer });
  await expect(tokens.getToken()).rejects.toMatchObject({ code: 'redirect_refused' });
});

it('what the caller changes while a token is fetched is not sent', async () => {
  const tokenServer = await startTokenServer();
  const orders = await startServer((_request, response) => void response.end());
  const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
  const init: RequestInit = { method: 'POST', body: 'as it was' };
  const call = authedFetch(orders.origin, init);
  init.method = 'DELETE';
  init.body = 'changed';
  await call;
  expect(orders.received).toMatchObject([{ method: 'POST', body: 'as it was' }]);
});

describe('tokens that instances share', () => {
  const shared = { storeKey: 'k'.repeat(32) };

  it('that were forgotten do not come back from the store', async () => {
    const server = await startTokenServer();
    const tokens = createTokenClient({ ...server.options, ...shared, store: createMemoryTokenStore() });
    const seen = new Set<string>();
    const take = async (): Promise<string> => {
      const { accessToken } = await tokens.getToken();
      seen.add(accessToken);
      return accessToken;
    };
    await take();
    tokens.invalidate();
    const accessToken = await take();
    tokens.invalidate({ accessToken });
    await take();
    expect(seen.size).toBe(3);
  });

  it('are taken out of the store for all, as soon as one instance forgets them', async () => {
    const server = await startTokenServer();
    const options = { ...server.options, ...shared, store: createMemoryTokenStore() };
    const one = createTokenClient(options);
    const first = await one.getToken();
    one.invalidate();
    await vi.waitFor(async () => {
      const other = createTokenClient(options);
      expect((await other.getToken()).accessToken).not.toBe(first.accessToken);
    });
  });

  it('do not serve who asks for a new one', async () => {
    const server = await startTokenServer();
    const options = { ...server.options, ...shared, store: createMemoryTokenStore() };
    const first = await createTokenClient(options).getToken();
    const forced = await createTokenClient(options).getToken({ forceRefresh: true });
    expect(forced.accessToken).not.toBe(first.accessToken);
    expect(server.received).toHaveLength(2);
  });
});

it.each<[string, (url: string) => RequestInit]>([
  ['a Request', (url) => new Request(url, { method: 'POST', body: 'hello' })],
  [
    'an object with getters',
    () =>
      new (class {
        get method() {
          return 'DELETE';
        }
      })(),
  ],
])('%s as init is sent as fetch sends it', async (_name, init) => {
  const tokenServer = await startTokenServer();
  const orders = await startServer((_request, response) => void response.end());
  const authedFetch = createAuthedFetch({ ...tokenServer.options, targets: [orders.origin] });
  await fetch(orders.origin, init(orders.origin));
  await authedFetch(orders.origin, init(orders.origin));
  const [native, ours] = orders.received.map(({ method, body }) => ({ method, body }));
  expect(ours).toEqual(native);
});

it('a service that asks for nonces in between does not get a new token for every call', async () => {
  const tokenServer = await startTokenServer();
  let answers = 0;
  const orders = await startServer((_request, response) => {
    answers++;
    const isNonce = answers % 2 === 0;
    const error = isNonce ? 'use_dpop_nonce' : 'invalid_token';
    const headers = {
      'www-authenticate': `DPoP error="${error}"`,
      ...(isNonce && { 'dpop-nonce': `n${answers}` }),
    };
    response.writeHead(401, headers).end();
  });
  tokenServer.next.push(...Array.from({ length: 20 }, (_, at) => boundToken(`bound-${at}`)));
  const authedFetch = createAuthedFetch({ ...tokenServer.options, dpop: true, targets: [orders.origin] });
  for (let calls = 0; calls < 10; calls++) expect((await authedFetch(orders.origin)).status).toBe(401);
  expect(tokenServer.received.length).toBeLessThanOrEqual(3);
});

function boundToken(accessToken: string): Handler {
  return (_request, response) =>
    sendJson(response, { access_token: accessToken, token_type: 'DPoP', expires_in: 600 });
}

describe('on whose behalf', () => {
  it.each([undefined, null, '', ' ', {}, { token: '' }, 7])(
    '%j names nobody, and no call is made',
    async (nobody) => {
      const server = await startTokenServer();
      const authedFetch = createAuthedFetch({ ...server.options, targets: [server.origin] });
      expect(() => authedFetch.onBehalfOf(nobody as never)).toThrow(/^onBehalfOf: subjectToken must be/);
      expect(server.received).toEqual([]);
    },
  );

  it('explain says what a target asks for, whoever calls', async () => {
    const server = await startTokenServer();
    const target = { origin: server.origin, scope: 'a b', resource: 'https://orders.example' };
    const asks = createAuthedFetch({
      ...server.options,
      dpop: true,
      targets: [{ ...target, onBehalfOf: () => undefined }],
    });
    const expected = { scope: 'a b', resources: ['https://orders.example'] };
    expect(asks.explain(server.origin).target).toMatchObject({ ...expected, dpop: true });
    const plain = createAuthedFetch({ ...server.options, targets: [target] });
    const child = plain.onBehalfOf('token of a caller');
    await child(server.origin);
    expect(child.explain(server.origin)).toMatchObject({ target: expected, token: { tokenType: 'Bearer' } });
    expect(plain.explain(server.origin).token).toBeUndefined();
  });
});

it('what a client authentication of one’s own says may be wrong is in the message', async () => {
  const server = await startTokenServer();
  const { clientSecret: _, ...options } = server.options;
  const clientAuth: ClientAuth = ({ form, clientId }) => {
    form.set('client_id', clientId);
    return { credential: 'one', hint: 'is the gateway’s key registered?' };
  };
  server.next.push((_request, response) => sendJson(response, { error: 'invalid_client' }, 401));
  const tokens = createTokenClient({ ...options, clientAuth });
  await expect(tokens.getToken()).rejects.toThrow('is the gateway’s key registered?');
});
