import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, expectTypeOf, it, vi } from 'vitest';
import { authedFetch, createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import type { AuthedFetchOptions } from '../../../src/outbound/authed-fetch-options.ts';
import {
  createClock,
  createDeferred,
  eventTypes,
  type Handler,
  rejection,
  secretCanary,
  sendJson,
  startServer,
  startTokenServer,
  tokenCanary,
} from './support.ts';

afterEach(() => {
  vi.unstubAllEnvs();
});

/** A token server, a service, and an authed fetch between them. */
async function createBench(options: Partial<AuthedFetchOptions> = {}, handle: Handler = echo) {
  const tokenServer = await startTokenServer();
  const service = await startServer(handle);
  const call = createAuthedFetch({ ...tokenServer.options, targets: [service.origin], ...options });
  return { tokenServer, service, call };
}

const echo: Handler = ({ method, headers, body }, response) =>
  sendJson(response, { method, authorization: headers.authorization, type: headers['content-type'], body });

const invalidToken = { 'www-authenticate': 'Bearer error="invalid_token"' };

const noHeaders: object = { headers: undefined };

/** Accepts one token alone, as a service that has seen a revocation. */
const acceptOnly =
  (...accepted: string[]): Handler =>
  (request, response) =>
    accepted.includes(request.headers.authorization ?? '')
      ? echo(request, response)
      : sendJson(response, { refused: true }, 401, invalidToken);

describe('authedFetch', () => {
  it('has the signature of fetch', () => {
    expectTypeOf(createAuthedFetch).returns.toExtend<typeof fetch>();
    expectTypeOf(authedFetch).toExtend<typeof fetch>();
  });

  it.each<[string, (url: string) => [string | URL | Request, RequestInit?]]>([
    ['a string', (url) => [url]],
    ['a URL', (url) => [new URL(url)]],
    ['a Request', (url) => [new Request(url)]],
    ['init', (url) => [url, {}]],
    ['undefined headers', (url) => [url, noHeaders]],
    ['headers as a record', (url) => [url, { headers: { 'x-a': '1' } }]],
    ['headers as a list', (url) => [url, { headers: [['x-a', '1']] }]],
    ['headers as Headers', (url) => [url, { headers: new Headers({ 'x-a': '1' }) }]],
    ['a Request with headers', (url) => [new Request(url, { headers: { 'x-a': '1' } })]],
    [
      'a Request and headers',
      (url) => [new Request(url, { headers: { 'x-b': '2' } }), { headers: { 'x-a': '1' } }],
    ],
  ])('sends the token with %s', async (name, input) => {
    const { service, call } = await createBench();
    const response = await call(...input(`${service.origin}/a?b=c`));
    expect(await response.json()).toMatchObject({ method: 'GET', authorization: 'Bearer token-1' });
    const [received] = service.received;
    expect(received?.url).toBe('/a?b=c');
    expect(received?.headers['x-a']).toBe(
      name.includes('headers') && name !== 'undefined headers' ? '1' : undefined,
    );
    expect(received?.headers['x-b']).toBeUndefined();
  });

  it.each<[string, (url: string) => [string | Request, RequestInit?]]>([
    ['a string body', (url) => [url, { method: 'POST', body: 'hello' }]],
    ['a Request with a body', (url) => [new Request(url, { method: 'POST', body: 'hello' })]],
    ['a Request and a body', (url) => [new Request(url, { method: 'POST' }), { body: 'hello' }]],
  ])('sends %s', async (_, input) => {
    const { service, call } = await createBench();
    const answer = await (await call(...input(service.origin))).json();
    expect(answer).toMatchObject({ method: 'POST', body: 'hello', type: 'text/plain;charset=UTF-8' });
    expect(service.received[0]?.headers['content-length']).toBe('5');
  });

  it('asks for the scope and the resource of the target, and keeps one token for each', async () => {
    const tokenServer = await startTokenServer();
    const service = await startServer(echo);
    const { origin } = service;
    const call = createAuthedFetch({
      ...tokenServer.options,
      scope: 'fallback',
      targets: [
        { origin, pathPrefix: '/orders', scope: 'orders:read', resource: 'https://orders.example' },
        { origin, pathPrefix: '/bills' },
      ],
    });
    for (const path of ['/orders/1', '/bills/1', '/orders/2', '/bills/2']) await call(`${origin}${path}`);
    expect(tokenServer.received.map(({ body }) => [...new URLSearchParams(body)].slice(1))).toEqual([
      [
        ['scope', 'orders:read'],
        ['resource', 'https://orders.example'],
      ],
      [['scope', 'fallback']],
    ]);
    expect(service.received.map(({ headers }) => headers.authorization)).toEqual([
      'Bearer token-1',
      'Bearer token-2',
      'Bearer token-1',
      'Bearer token-2',
    ]);
  });

  it('shares one token request between 1,000 concurrent first calls', async () => {
    const { tokenServer, service } = await createBench();
    const call = createAuthedFetch({
      ...tokenServer.options,
      targets: [service.origin],
      fetch: (input, init) =>
        String(input).startsWith(service.origin) ? Promise.resolve(new Response('ok')) : fetch(input, init),
    });
    await Promise.all(Array.from({ length: 1000 }, () => call(service.origin)));
    expect(tokenServer.received).toHaveLength(1);
  });

  it('passes what init says on to the transport, and leaves init as it is', async () => {
    const seen: (RequestInit | undefined)[] = [];
    const { call } = await createBench({
      targets: ['https://orders.internal'],
      fetch: (input, init) => {
        if (!String(input).startsWith('https://orders')) return fetch(input, init);
        seen.push(init);
        return Promise.resolve(new Response('ok'));
      },
    });
    const init = Object.freeze({ method: 'PUT', keepalive: true, headers: Object.freeze({ a: 'b' }) });
    await call('https://orders.internal/x', init);
    expect(seen).toEqual([
      {
        method: 'PUT',
        keepalive: true,
        headers: { a: 'b', authorization: 'Bearer token-1' },
        redirect: 'manual',
      },
    ]);
  });

  it('ends the wait for a token when the call is aborted', async () => {
    const { tokenServer, service, call } = await createBench();
    const arrived = createDeferred();
    tokenServer.next.push(() => arrived.resolve());
    const controller = new AbortController();
    const waiting = rejection(call(service.origin, { signal: controller.signal }));
    await arrived.promise;
    controller.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
    expect(service.received).toHaveLength(0);
  });

  it('does not wait for a token at all if the call is aborted already', async () => {
    const { tokenServer, service, call } = await createBench();
    tokenServer.next.push(() => {});
    const signal = AbortSignal.abort(new Error('too late'));
    expect(await rejection(call(service.origin, { signal }))).toMatchObject({ message: 'too late' });
    expect(service.received).toHaveLength(0);
  });

  it('refuses everything after close', async () => {
    const { service, call } = await createBench();
    await call(service.origin);
    call.close();
    expect(await rejection(call(service.origin))).toMatchObject({ code: 'closed' });
    expect(service.received).toHaveLength(1);
  });

  it.each<[string, (url: string) => [string | Request, RequestInit?]]>([
    ['a record', (url) => [url, { headers: { authorization: `Bearer ${tokenCanary}` } }]],
    ['a record in other case', (url) => [url, { headers: { AUTHORIZATION: `Bearer ${tokenCanary}` } }]],
    ['a list', (url) => [url, { headers: [['Authorization', `Bearer ${tokenCanary}`]] }]],
    ['Headers', (url) => [url, { headers: new Headers({ authorization: tokenCanary }) }]],
    ['a Request', (url) => [new Request(url, { headers: { authorization: tokenCanary } })]],
  ])("refuses a caller's own Authorization header in %s", async (_, input) => {
    const { service, call } = await createBench();
    const error = await rejection(call(...input(service.origin)));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toMatch(/a header authorization of its own/i);
    expect(inspect(error)).not.toContain(tokenCanary);
    expect(service.received).toHaveLength(0);
  });

  it('rejects with a TypeError for a URL that is not absolute, without showing it', async () => {
    const { call } = await createBench();
    const error = await rejection(call(`/orders?key=${secretCanary}`));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).not.toContain(secretCanary);
  });

  it('fails as the transport fails', async () => {
    const { call } = await createBench({ targets: ['http://127.0.0.1:1'] });
    const error = await rejection(call('http://127.0.0.1:1/'));
    expect(error).toBeInstanceOf(TypeError);
    expect(inspect(error, { depth: null })).not.toContain('token-1');
  });
});

describe('threat 25: a failure becomes neither a crash, nor a 401, nor a request without token', () => {
  it('rejects while no token can be had, and works again afterwards', async () => {
    const { tokenServer, service, call } = await createBench();
    tokenServer.next.push((_, response) => sendJson(response, {}, 500));
    expect(await rejection(call(service.origin))).toMatchObject({ code: 'unexpected_status', status: 500 });
    expect(service.received).toHaveLength(0);
    expect((await call(service.origin)).status).toBe(200);
    expect(service.received.map(({ headers }) => headers.authorization)).toEqual(['Bearer token-1']);
  });
});

describe('threat 21: a credential never leaves for an origin that was not named', () => {
  it('sends nothing at all to a URL that no target covers', async () => {
    const { tokenServer, call } = await createBench();
    const other = await startServer(echo);
    for (const input of [other.origin, new URL(other.origin), new Request(other.origin)]) {
      const error = await rejection(call(input));
      expect(error).toMatchObject({ code: 'untrusted_target' });
      expect(String(error)).toContain(other.origin);
    }
    expect(other.received).toHaveLength(0);
    expect(tokenServer.received).toHaveLength(0);
  });

  it('shows no query of a refused URL', async () => {
    const { call } = await createBench();
    const error = await rejection(call(`https://evil.example/?key=${secretCanary}`));
    expect(inspect(error)).not.toContain(secretCanary);
  });

  it('judges what is sent: an object that changes its mind is read once', async () => {
    const { service, call } = await createBench();
    const other = await startServer(echo);
    let reads = 0;
    const shifty = { toString: () => (reads++ === 0 ? service.origin : other.origin) } as unknown as string;
    await call(shifty);
    expect(reads).toBe(1);
    const url = new URL(service.origin);
    const pending = call(url);
    url.href = other.origin;
    await pending;
    expect(other.received).toHaveLength(0);
    expect(service.received).toHaveLength(2);
  });

  it('whatever is called and wherever it redirects: the token reaches its target alone', async () => {
    const hosts = [
      'orders.internal',
      'orders.internal.',
      'api.internal',
      'evil.example',
      'a@orders.internal',
    ];
    const path = fc.constantFrom('/api', '/api/x', '/apis', '/', '/api/..%2fx', '/api/../x', '/%61pi/x');
    const url = fc
      .tuple(
        fc.constantFrom('https:', 'http:'),
        fc.constantFrom(...hosts),
        fc.constantFrom('', ':443', ':8443'),
        path,
      )
      .map(([scheme, host, port, rest]) => `${scheme}//${host}${port}${rest}`);
    const hop = fc.tuple(fc.oneof(url, path), fc.constantFrom(301, 302, 303, 307, 308));
    const tokenEndpoint = 'https://idp.example/token';
    let reached = 0;
    await fc.assert(
      fc.asyncProperty(
        url,
        fc.array(hop, { maxLength: 4 }),
        fc.constantFrom('strip' as const, 'refuse' as const),
        fc.constantFrom('GET', 'POST'),
        async (start, hops, redirectPolicy, method) => {
          const left = [...hops];
          const call = createAuthedFetch({
            tokenEndpoint,
            clientId: 'a',
            clientSecret: 's',
            redirectPolicy,
            targets: [{ origin: 'https://orders.internal', pathPrefix: '/api' }, 'https://api.internal'],
            fetch: async (input, init) => {
              if (input === tokenEndpoint) {
                return Response.json({ access_token: tokenCanary, token_type: 'Bearer', expires_in: 60 });
              }
              const { origin, pathname, username } = new URL(String(input));
              if (JSON.stringify([...new Headers(init?.headers)]).includes(tokenCanary)) {
                reached++;
                expect(username).toBe('');
                expect(
                  origin === 'https://api.internal' ||
                    (origin === 'https://orders.internal' && /^\/api(\/(?!\.)|$)/.test(pathname)),
                ).toBe(true);
              }
              const [location, status] = left.shift() ?? [];
              return location === undefined || status === undefined
                ? new Response('end')
                : new Response(null, { status, headers: { location } });
            },
          });
          try {
            await call(start, { method });
          } catch (error) {
            expect(error).toMatchObject({
              code: expect.stringMatching(/^(untrusted_target|redirect_refused)$/),
            });
          }
        },
      ),
      { numRuns: 1500 },
    );
    expect(reached).toBeGreaterThan(100);
  });

  it('hands a URL that had to be parsed to the transport as it was judged', async () => {
    const sent: unknown[] = [];
    const { call } = await createBench({
      targets: ['https://orders.internal'],
      fetch: (input, init) => {
        if (String(input).includes('/token')) return fetch(input, init);
        sent.push(input);
        return Promise.resolve(new Response('ok'));
      },
    });
    for (const text of [
      ' https:\\\\orders.internal\\x',
      'HTTPS://ORDERS.internal:443/x',
      'https://orders.\tinternal/x',
    ]) {
      await call(text);
    }
    expect(sent).toEqual(Array(3).fill('https://orders.internal/x'));
  });

  const redirectTo =
    (location: () => string, status = 302): Handler =>
    (request, response) =>
      request.url === '/start'
        ? void response.writeHead(status, { location: location() }).end('moved')
        : echo(request, response);

  it('follows a redirect within the target with the token', async () => {
    const { service, call } = await createBench(
      {},
      redirectTo(() => '/end?x=1'),
    );
    const response = await call(`${service.origin}/start`);
    expect(await response.json()).toMatchObject({ authorization: 'Bearer token-1' });
    expect(response.url).toBe(`${service.origin}/end?x=1`);
  });

  it('refuses a redirect away from the target', async () => {
    const other = await startServer(echo);
    const { service, call } = await createBench(
      {},
      redirectTo(() => `${other.origin}/end?key=${secretCanary}`),
    );
    const error = await rejection(call(`${service.origin}/start`));
    expect(error).toMatchObject({ code: 'redirect_refused' });
    expect(String(error)).toContain(other.origin);
    expect(String(error)).not.toContain(secretCanary);
    expect(other.received).toHaveLength(0);
  });

  it("follows it without anything that proves who calls under 'strip'", async () => {
    const other = await startServer(echo);
    const { service, call } = await createBench(
      { redirectPolicy: 'strip' },
      redirectTo(() => `${other.origin}/end`),
    );
    const headers = { cookie: 'a=b', 'proxy-authorization': 'y', 'x-kept': 'z' };
    const response = await call(`${service.origin}/start`, { headers });
    expect(response.status).toBe(200);
    expect(service.received[0]?.headers).toMatchObject({ ...headers, authorization: 'Bearer token-1' });
    const [received] = other.received;
    expect(received?.headers['x-kept']).toBe('z');
    for (const name of ['authorization', 'cookie', 'dpop', 'proxy-authorization']) {
      expect(received?.headers).not.toHaveProperty(name);
    }
  });

  it('never gives the token back once the call has left its target', async () => {
    const other = await startServer((_, response) => {
      response.writeHead(302, { location: `${service.origin}/end` }).end();
    });
    const bench = await createBench(
      { redirectPolicy: 'strip' },
      redirectTo(() => other.origin),
    );
    const { service, call } = bench;
    expect(await (await call(`${service.origin}/start`)).json()).not.toHaveProperty('authorization');
  });

  it('treats another target as another place, though it is named too', async () => {
    const other = await startServer(echo);
    const tokenServer = await startTokenServer();
    const service = await startServer(redirectTo(() => other.origin));
    const targets = [{ origin: service.origin, scope: 'a' }, other.origin];
    const call = createAuthedFetch({ ...tokenServer.options, targets });
    expect(await rejection(call(`${service.origin}/start`))).toMatchObject({ code: 'redirect_refused' });
  });

  it('treats another path prefix as another place', async () => {
    const tokenServer = await startTokenServer();
    const service = await startServer((request, response) =>
      request.url === '/api/start'
        ? void response.writeHead(302, { location: '/admin' }).end()
        : echo(request, response),
    );
    const targets = [{ origin: service.origin, pathPrefix: '/api' }];
    const call = createAuthedFetch({ ...tokenServer.options, targets });
    expect(await rejection(call(`${service.origin}/api/start`))).toMatchObject({ code: 'redirect_refused' });
    expect(service.received).toHaveLength(1);
  });

  it("treats another origin as another place even under '*'", async () => {
    const other = await startServer(echo);
    const { service, call } = await createBench(
      { targets: '*', redirectPolicy: 'strip' },
      redirectTo(() => other.origin),
    );
    expect((await call(`${service.origin}/start`)).status).toBe(200);
    expect(other.received[0]?.headers).not.toHaveProperty('authorization');
  });

  it.each([
    'http://orders.internal/x',
    'http://127.0.0.1:9/x',
    'ftp://files.example/x',
    'https://user:password@other.example/x',
    'https://',
  ])('refuses to follow from https to %s under every policy', async (location) => {
    for (const redirectPolicy of ['strip', 'refuse'] as const) {
      const sent: string[] = [];
      const { call } = await createBench({
        targets: ['https://orders.internal'],
        redirectPolicy,
        fetch: (input, init) => {
          if (String(input).includes('/token')) return fetch(input, init);
          sent.push(String(input));
          return Promise.resolve(new Response(null, { status: 302, headers: { location } }));
        },
      });
      const error = await rejection(call('https://orders.internal/start'));
      expect(error).toMatchObject({ code: 'redirect_refused' });
      expect(String(error)).not.toContain('password@');
      expect(sent).toEqual(['https://orders.internal/start']);
    }
  });

  it('refuses a redirect that the runtime hides', async () => {
    const opaque = Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' });
    const { call } = await createBench({
      targets: ['https://orders.internal'],
      fetch: (input, init) =>
        String(input).includes('/token') ? fetch(input, init) : Promise.resolve(opaque),
    });
    expect(await rejection(call('https://orders.internal/'))).toMatchObject({ code: 'redirect_refused' });
  });
});

describe('redirects as in the Fetch standard', () => {
  const at =
    (status: number, location: string | undefined = '/end'): Handler =>
    (request, response) =>
      request.url === '/start'
        ? void response.writeHead(status, location === undefined ? {} : { location }).end()
        : echo(request, response);

  it.each([
    [301, 'POST', 'GET', ''],
    [302, 'POST', 'GET', ''],
    [303, 'POST', 'GET', ''],
    [303, 'PUT', 'GET', ''],
    [301, 'PUT', 'PUT', 'hello'],
    [302, 'DELETE', 'DELETE', 'hello'],
    [307, 'POST', 'POST', 'hello'],
    [308, 'PATCH', 'PATCH', 'hello'],
    [307, 'post', 'POST', 'hello'],
  ])('%i after %s becomes %s with "%s"', async (status, method, expectedMethod, body) => {
    const { service, call } = await createBench({}, at(status));
    const headers = { 'content-type': 'text/x', 'x-a': '1' };
    const response = await call(`${service.origin}/start`, { method, body: 'hello', headers });
    expect(await response.json()).toEqual({
      method: expectedMethod,
      body,
      authorization: 'Bearer token-1',
      ...(body !== '' && { type: 'text/x' }),
    });
    expect(service.received[1]?.headers['x-a']).toBe('1');
  });

  it('keeps HEAD at 303', async () => {
    const { service, call } = await createBench({}, at(303));
    await call(`${service.origin}/start`, { method: 'HEAD' });
    expect(service.received.map(({ method }) => method)).toEqual(['HEAD', 'HEAD']);
  });

  it('keeps method and headers of a Request', async () => {
    const { service, call } = await createBench({}, at(307));
    await call(new Request(`${service.origin}/start`, { method: 'DELETE', headers: { 'x-a': '1' } }));
    expect(service.received[1]).toMatchObject({ method: 'DELETE', url: '/end', headers: { 'x-a': '1' } });
  });

  it('refuses to repeat a stream, or the body of a Request', async () => {
    const { service, call } = await createBench({}, at(307));
    const url = `${service.origin}/start`;
    const stream = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as RequestInit;
    expect(await rejection(call(url, stream))).toMatchObject({ code: 'redirect_refused' });
    const request = new Request(url, { method: 'POST', body: 'x' });
    expect(await rejection(call(request))).toMatchObject({ code: 'redirect_refused' });
    expect(service.received.map((received) => received.url)).toEqual(['/start', '/start']);
  });

  it('follows a stream where the body is dropped', async () => {
    const { service, call } = await createBench({}, at(303));
    const stream = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as RequestInit;
    const response = await call(`${service.origin}/start`, stream);
    expect(await response.json()).toMatchObject({ method: 'GET', body: '' });
  });

  it.each([300, 304])('gives back %i, which is no redirect to follow', async (status) => {
    const { service, call } = await createBench({}, at(status));
    expect((await call(`${service.origin}/start`)).status).toBe(status);
  });

  it('gives back a redirect without location', async () => {
    const { service, call } = await createBench({}, (_, response) => void response.writeHead(302).end());
    expect((await call(`${service.origin}/start`)).status).toBe(302);
  });

  it("gives back every redirect with redirect: 'manual', rejects with 'error'", async () => {
    const { service, call } = await createBench({}, at(302, 'https://elsewhere.example/'));
    const url = `${service.origin}/start`;
    const manual = await call(url, { redirect: 'manual' });
    expect([manual.status, manual.headers.get('location')]).toEqual([302, 'https://elsewhere.example/']);
    expect((await call(new Request(url, { redirect: 'manual' }))).status).toBe(302);
    expect(await rejection(call(url, { redirect: 'error' }))).toMatchObject({ code: 'redirect_refused' });
    expect(await rejection(call(new Request(url, { redirect: 'error' })))).toMatchObject({
      code: 'redirect_refused',
    });
  });

  it('follows twenty redirects, not one more', async () => {
    const countdown: Handler = ({ url }, response) => {
      const left = Number(url.slice(1));
      if (left === 0) response.end('arrived');
      else response.writeHead(302, { location: `/${left - 1}` }).end();
    };
    const { service, call } = await createBench({}, countdown);
    expect(await (await call(`${service.origin}/20`)).text()).toBe('arrived');
    expect(await rejection(call(`${service.origin}/21`))).toMatchObject({ code: 'redirect_refused' });
  });
});

describe('a token that is refused with invalid_token', () => {
  it('is replaced once, and the call repeated once', async () => {
    const { tokenServer, service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    const response = await call(service.origin, { method: 'POST', body: 'hello' });
    expect(await response.json()).toMatchObject({ authorization: 'Bearer token-2', body: 'hello' });
    expect(service.received).toHaveLength(2);
    expect(tokenServer.received).toHaveLength(2);
    expect(tokenServer.events).toContainEqual(
      expect.objectContaining({ type: 'retry', reason: 'invalid_token', origin: service.origin }),
    );
  });

  it('leads to one token request for 100 parallel refusals', async () => {
    const { tokenServer, service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    await call.tokens.getToken();
    const all = await Promise.all(Array.from({ length: 100 }, () => call(service.origin)));
    expect(all.map(({ status }) => status)).toEqual(Array(100).fill(200));
    expect(tokenServer.received).toHaveLength(2);
  });

  it('costs no request if another call has replaced it in the meantime', async () => {
    const held = createDeferred();
    const arrived = createDeferred();
    const { tokenServer, service, call } = await createBench({}, async (request, response) => {
      if (request.url === '/slow' && request.headers.authorization === 'Bearer token-1') {
        arrived.resolve();
        await held.promise;
      }
      return acceptOnly('Bearer token-2')(request, response);
    });
    const slow = call(`${service.origin}/slow`);
    await arrived.promise;
    await call(`${service.origin}/quick`);
    held.resolve();
    expect((await slow).status).toBe(200);
    expect(tokenServer.received).toHaveLength(2);
  });

  it.each<[string, () => RequestInit, string]>([
    ['URLSearchParams', () => ({ body: new URLSearchParams({ a: 'b' }) }), 'a=b'],
    ['a Blob', () => ({ body: new Blob(['blob']) }), 'blob'],
    ['an ArrayBuffer', () => ({ body: new TextEncoder().encode('buffer').buffer }), 'buffer'],
    ['a view', () => ({ body: new TextEncoder().encode('view') }), 'view'],
  ])('a body of %s is sent again', async (_, init, expected) => {
    const { service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    const response = await call(service.origin, { method: 'POST', ...init() });
    expect(await response.json()).toMatchObject({ body: expected });
    expect(service.received).toHaveLength(2);
  });

  it('a FormData is sent again', async () => {
    const { service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    const body = new FormData();
    body.set('field', 'content');
    const response = await call(service.origin, { method: 'POST', body });
    expect((await response.json()).body).toContain('content');
  });

  it('a Request without body is sent again', async () => {
    const { service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    expect((await call(new Request(service.origin, { method: 'DELETE' }))).status).toBe(200);
    expect(service.received.map(({ method }) => method)).toEqual(['DELETE', 'DELETE']);
  });

  it('the body of a Request is not: the refusal is the answer', async () => {
    const { tokenServer, service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    const response = await call(new Request(service.origin, { method: 'POST', body: 'x' }));
    expect(response.status).toBe(401);
    expect(await response.json()).toEqual({ refused: true });
    expect(service.received).toHaveLength(1);
    expect(tokenServer.received).toHaveLength(1);
  });

  it('a stream is not either', async () => {
    const { service, call } = await createBench({}, acceptOnly('Bearer token-2'));
    const init = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as RequestInit;
    expect((await call(service.origin, init)).status).toBe(401);
    expect(service.received).toHaveLength(1);
  });

  it.each([
    ['no challenge', 401, {}],
    ['no error', 401, { 'www-authenticate': 'Bearer' }],
    ['another error', 401, { 'www-authenticate': 'Bearer error="invalid_request"' }],
    ['another scheme', 401, { 'www-authenticate': 'Basic error="invalid_token"' }],
    ['another status', 403, invalidToken],
  ])('nothing is repeated for %s', async (_, status, headers) => {
    const { tokenServer, service, call } = await createBench({}, (_request, response) =>
      sendJson(response, { kept: true }, status, headers),
    );
    const response = await call(service.origin);
    expect([response.status, await response.json()]).toEqual([status, { kept: true }]);
    expect(service.received).toHaveLength(1);
    expect(tokenServer.received).toHaveLength(1);
  });

  it('gives back the refusal, unread, if no other token can be had', async () => {
    const { tokenServer, service, call } = await createBench({}, acceptOnly());
    await call.tokens.getToken();
    tokenServer.next.push((_, response) => sendJson(response, { error: 'invalid_client' }, 401));
    const response = await call(service.origin);
    expect([response.status, await response.json()]).toEqual([401, { refused: true }]);
    expect(service.received).toHaveLength(1);
  });

  it('gives back the refusal if the server gives the same token again', async () => {
    const { tokenServer, service, call } = await createBench({}, acceptOnly());
    for (let i = 0; i < 2; i++) {
      tokenServer.next.push((_, response) =>
        sendJson(response, { access_token: 'same', token_type: 'Bearer', expires_in: 600 }),
      );
    }
    const response = await call(service.origin);
    expect([response.status, await response.json()]).toEqual([401, { refused: true }]);
    expect(service.received).toHaveLength(1);
    expect(eventTypes(tokenServer.events)).not.toContain('retry');
  });

  it('a service that refuses every token does not make every call a token request', async () => {
    const clock = createClock();
    const { tokenServer, service, call } = await createBench({ now: clock.now }, acceptOnly());
    for (let calls = 0; calls < 10; calls++) expect((await call(service.origin)).status).toBe(401);
    expect(tokenServer.received).toHaveLength(2);
    expect(service.received).toHaveLength(11);
    clock.advance(10_000);
    await call(service.origin);
    expect(tokenServer.received).toHaveLength(3);
  });

  it('is replaced each time if the new one helps', async () => {
    const accepted = new Set<string | undefined>();
    const { tokenServer, service, call } = await createBench({}, (request, response) =>
      accepted.has(request.headers.authorization)
        ? echo(request, response)
        : sendJson(response, {}, 401, invalidToken),
    );
    for (const token of ['Bearer token-2', 'Bearer token-3', 'Bearer token-4']) {
      accepted.clear();
      accepted.add(token);
      expect((await call(service.origin)).status).toBe(200);
    }
    expect(tokenServer.received).toHaveLength(4);
  });

  it('rejects with the reason of the signal if that is aborted while a new token is asked for', async () => {
    const { tokenServer, service, call } = await createBench({}, acceptOnly());
    await call.tokens.getToken();
    const arrived = createDeferred();
    tokenServer.next.push(() => arrived.resolve());
    const controller = new AbortController();
    const waiting = rejection(call(service.origin, { signal: controller.signal }));
    await arrived.promise;
    controller.abort(new Error('enough'));
    expect(await waiting).toMatchObject({ message: 'enough' });
  });

  it('is replaced after a redirect as well', async () => {
    const { service, call } = await createBench({}, (request, response) =>
      request.url === '/start'
        ? void response.writeHead(302, { location: '/end' }).end()
        : acceptOnly('Bearer token-2')(request, response),
    );
    expect((await call(`${service.origin}/start`)).status).toBe(200);
    expect(service.received.map(({ url, headers }) => [url, headers.authorization])).toEqual([
      ['/start', 'Bearer token-1'],
      ['/end', 'Bearer token-1'],
      ['/end', 'Bearer token-2'],
    ]);
  });
});

describe('explain', () => {
  it('says which target, which token, and what went wrong last', async () => {
    const clock = createClock();
    const tokenServer = await startTokenServer({ now: clock.now, random: () => 0, scope: 'a' });
    const service = await startServer(echo);
    const targets = [{ origin: service.origin, pathPrefix: '/api', resource: 'https://orders.example' }];
    const call = createAuthedFetch({ ...tokenServer.options, targets });
    const url = `${service.origin}/api/orders`;
    const target = {
      origin: service.origin,
      pathPrefix: '/api',
      scope: 'a',
      resources: ['https://orders.example'],
      dpop: false,
    };
    expect(call.explain(`${service.origin}/other`)).toEqual({
      target: undefined,
      token: undefined,
      lastError: undefined,
    });
    expect(call.explain('no URL').target).toBeUndefined();
    expect(call.explain(url)).toEqual({ target, token: undefined, lastError: undefined });

    tokenServer.next.push((_, response) => sendJson(response, { error: 'invalid_scope' }, 400));
    await rejection(call(url));
    expect(call.explain(url).lastError).toMatchObject({
      at: clock.now(),
      code: 'token_request_rejected',
      status: 400,
      oauthError: 'invalid_scope',
    });

    // The same request would be refused again: for ten seconds nobody asks.
    await rejection(call(url));
    expect(tokenServer.received).toHaveLength(1);
    clock.advance(10_000);
    await call(url);
    clock.advance(5000);
    expect(call.explain(new URL(url))).toEqual({
      target,
      token: {
        ageMs: 5000,
        obtainedAt: clock.now() - 5000,
        refreshAt: clock.now() + 535_000,
        expiresAt: clock.now() + 595_000,
        scope: 'a',
        tokenType: 'Bearer',
      },
      lastError: undefined,
    });
  });

  it('threat 27: shows neither token nor secret, and neither does the function itself', async () => {
    const { tokenServer, service, call } = await createBench();
    tokenServer.next.push((_, response) =>
      sendJson(response, { access_token: tokenCanary, token_type: 'Bearer', expires_in: 60 }),
    );
    await call(service.origin);
    for (const value of [call.explain(service.origin), call, tokenServer.events]) {
      const shown = inspect(value, { depth: null, showHidden: true, getters: true }) + JSON.stringify(value);
      expect(shown).not.toContain(tokenCanary);
      expect(shown).not.toContain(secretCanary);
    }
  });
});

describe('options of createAuthedFetch', () => {
  const good = { issuer: 'https://idp.example', clientId: 'a', clientSecret: 's' };

  it.each<[object, string]>([
    [
      { targets: ['https://a.example'], target: 'x' },
      'unknown option target in options; did you mean targets?',
    ],
    [
      { targets: ['https://a.example'], redirectPolicy: 'follow' },
      "redirectPolicy must be one of 'refuse', 'strip'",
    ],
    [{ targets: ['https://a.example'], clientSecret: '' }, 'clientSecret must be a non-empty string'],
    [{ targets: 'https://a.example' }, 'targets must be a non-empty list'],
    [{}, 'targets is required; give it or set SERVICE_AUTH_TARGETS'],
    [{ resource: 'urn:orders' }, 'targets must be given where resource is not exactly one http(s) URL'],
    [{ resource: ['https://a.example', 'https://b.example'] }, 'targets must be given where resource is not'],
  ])('%j: %s', (options, message) => {
    vi.stubEnv('SERVICE_AUTH_TARGETS', '');
    vi.stubEnv('SERVICE_AUTH_RESOURCE', '');
    const create = (): unknown => createAuthedFetch({ ...good, ...options });
    expect(create).toThrow(TypeError);
    expect(create).toThrow(`createAuthedFetch: ${message}`);
  });

  it('takes the target from a resource that is a URL', async () => {
    const tokenServer = await startTokenServer();
    const service = await startServer(echo);
    vi.stubEnv('SERVICE_AUTH_TARGETS', 'https://elsewhere.example');
    const call = createAuthedFetch({ ...tokenServer.options, resource: `${service.origin}/api` });
    expect((await call(`${service.origin}/api/x`)).status).toBe(200);
    expect(new URLSearchParams(tokenServer.received[0]?.body).get('resource')).toBe(`${service.origin}/api`);
    expect(await rejection(call(`${service.origin}/other`))).toMatchObject({ code: 'untrusted_target' });
    expect(await rejection(call('https://elsewhere.example'))).toMatchObject({ code: 'untrusted_target' });
  });
});

describe('an audience of the environment', () => {
  it('is asked for as the scope is: where the targets are of the environment, too', async () => {
    const tokenServer = await startTokenServer();
    const service = await startServer(echo);
    const asked = (): string | null => new URLSearchParams(tokenServer.received.at(-1)?.body).get('audience');
    vi.stubEnv('SERVICE_AUTH_TOKEN_AUDIENCE', 'https://orders.example');
    vi.stubEnv('SERVICE_AUTH_TARGETS', service.origin);
    vi.stubEnv('SERVICE_AUTH_RESOURCE', '');
    await createAuthedFetch(tokenServer.options)(service.origin);
    expect(asked()).toBe('https://orders.example');
    await createAuthedFetch({ ...tokenServer.options, targets: [service.origin] })(service.origin);
    expect({ asked: asked(), requests: tokenServer.received.length }).toEqual({ asked: null, requests: 2 });
  });
});

describe('authedFetch from the environment', () => {
  it('is made at first use and made anew after close', async () => {
    const service = await startServer(echo);
    const issuer = await startServer((request, response) =>
      request.method === 'GET'
        ? sendJson(response, { issuer: issuer.origin, token_endpoint: `${issuer.origin}/token` })
        : sendJson(response, { access_token: 'env-token', token_type: 'Bearer', expires_in: 60 }),
    );
    vi.stubEnv('SERVICE_AUTH_TARGETS', '');
    vi.stubEnv('SERVICE_AUTH_RESOURCE', '');
    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', '');
    vi.stubEnv('SERVICE_AUTH_ISSUER', issuer.origin);
    vi.stubEnv('SERVICE_AUTH_CLIENT_ID', 'env-client');
    const error = await rejection(authedFetch(service.origin));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain('SERVICE_AUTH_CLIENT_SECRET');

    vi.stubEnv('SERVICE_AUTH_CLIENT_SECRET', 'env-secret');
    vi.stubEnv('SERVICE_AUTH_SCOPE', 'orders:read');
    vi.stubEnv('SERVICE_AUTH_TARGETS', `https://other.example  ${service.origin}`);
    expect(await (await authedFetch(service.origin)).json()).toMatchObject({
      authorization: 'Bearer env-token',
    });
    expect(await authedFetch.tokens.getToken()).toMatchObject({
      accessToken: 'env-token',
      scope: 'orders:read',
    });
    expect(authedFetch.explain('https://other.example/x').target?.origin).toBe('https://other.example');

    authedFetch.close();
    vi.stubEnv('SERVICE_AUTH_TARGETS', '');
    vi.stubEnv('SERVICE_AUTH_RESOURCE', 'https://third.example/api');
    expect(authedFetch.explain('https://other.example/x').target).toBeUndefined();
    expect(authedFetch.explain('https://third.example/api/x').target?.resources).toEqual([
      'https://third.example/api',
    ]);
    authedFetch.close();
  });
});
