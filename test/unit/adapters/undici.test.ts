/** What only undici knows; what calls do in general is in test/contract/outbound.test.ts. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, Client, type Dispatcher, interceptors, MockAgent, Pool } from 'undici';
import { describe, expect, expectTypeOf, it, onTestFinished } from 'vitest';
import { type AuthInterceptorOptions, authInterceptor } from '../../../adapters/undici.ts';
import { proofOf, startDpopScene } from '../../contract/outbound-dpop.ts';
import {
  createDeferred,
  type Handler,
  rejection,
  secretCanary,
  sendJson,
  startServer,
  startTokenServer,
} from '../outbound/support.ts';

const echo: Handler = ({ method, url, headers, body }, response) =>
  sendJson(response, { method, url, authorization: headers.authorization, body });

const invalidToken = { 'www-authenticate': 'Bearer error="invalid_token"' };

const acceptOnly =
  (token: string, refusal: object = { refused: true }): Handler =>
  (request, response) =>
    request.headers.authorization === `Bearer ${token}`
      ? echo(request, response)
      : sendJson(response, refusal, 401, {
          ...invalidToken,
          'content-length': `${JSON.stringify(refusal).length}`,
        });

/** Ends with the test. */
function ending<T extends Dispatcher>(dispatcher: T): T {
  onTestFinished(() => dispatcher.destroy());
  return dispatcher;
}

async function createBench(handle: Handler = echo, options: AuthInterceptorOptions = {}) {
  const tokenServer = await startTokenServer();
  const service = await startServer(handle);
  const auth = authInterceptor({ ...tokenServer.options, targets: [service.origin], ...options });
  const agent = ending(new Agent()).compose(auth);
  return {
    tokenServer,
    service,
    auth,
    agent,
    get: { origin: service.origin, path: '/', method: 'GET' } as const,
  };
}

async function jsonOf({ body }: Dispatcher.ResponseData): Promise<unknown> {
  return body.json();
}

describe('options', () => {
  it('is an interceptor', () => {
    expectTypeOf(authInterceptor).returns.toExtend<Dispatcher.DispatcherComposeInterceptor>();
  });

  it.each<[string, object]>([
    ['unknown option redirectPolicy', { redirectPolicy: 'strip' }],
    ['unknown option target ', { target: 'https://a.example' }],
    ['origin must be an origin', { origin: 'https://a.example/path' }],
    ['origin must be an origin', { origin: 'a.example' }],
    ['targets must be a non-empty list', { targets: [] }],
  ])('a mistake is a TypeError at creation: %s', async (message, mistake) => {
    const options = {
      tokenEndpoint: 'https://idp.example/token',
      clientId: 'billing',
      clientSecret: secretCanary,
      targets: ['https://a.example'],
      ...mistake,
    };
    expect(() => authInterceptor(options)).toThrow(TypeError);
    expect(() => authInterceptor(options)).toThrow(`authInterceptor: ${message.trim()}`);
  });
});

it('what follows a 401 is sent in the context of its call, whoever opened the connection', async () => {
  const flow = new AsyncLocalStorage<string>();
  const sent: string[] = [];
  let refusals = 0;
  const handle: Handler = (request, response) => {
    const isRefused = request.url === '/second' && refusals++ === 0;
    if (isRefused) sendJson(response, {}, 401, { ...invalidToken, 'content-length': '2' });
    else echo(request, response);
  };
  const { service, auth } = await createBench(handle, {
    onEvent: ({ type }) => type === 'token.requested' && sent.push(`token in ${flow.getStore()}`),
  });
  const observed: Dispatcher.DispatcherComposeInterceptor = (dispatch) => (options, handler) => {
    sent.push(`${options.path} in ${flow.getStore()}`);
    return dispatch(options, handler);
  };
  const client = ending(new Client(service.origin)).compose(observed, auth);
  const call = (path: string) =>
    flow.run(path, async () =>
      (await client.request({ origin: service.origin, path, method: 'GET' })).body.json(),
    );
  await call('/first');
  await call('/second');
  expect(sent).toEqual([
    'token in /first',
    '/first in /first',
    '/second in /second',
    'token in /second',
    '/second in /second',
  ]);
});

describe('where requests go', () => {
  it('a Pool needs the option origin, and serves no other one', async () => {
    const { service, tokenServer } = await createBench();
    const other = await startServer(echo);
    const targets = [service.origin, other.origin];
    const { origin } = service;
    const without = ending(new Pool(origin)).compose(authInterceptor({ ...tokenServer.options, targets }));
    expect(await rejection(without.request({ path: '/', method: 'GET' }))).toMatchObject({
      code: 'call_invalid',
      message: expect.stringContaining(
        'authInterceptor: a request names no origin; for a Pool or Client set the option origin',
      ),
    });
    const pool = ending(new Pool(origin)).compose(
      authInterceptor({ ...tokenServer.options, targets, origin }),
      interceptors.redirect({ maxRedirections: 3 }),
    );
    expect(await jsonOf(await pool.request({ path: '/a', method: 'GET' }))).toMatchObject({
      authorization: 'Bearer token-1',
    });
    // A Pool would send this to its own origin, with the token of the other.
    const error = await rejection(pool.request({ origin: other.origin, path: '/', method: 'GET' }));
    expect(error).toMatchObject({ code: 'untrusted_target' });
    expect(service.received).toHaveLength(1);
  });

  it.each([
    ['a path without slash', 'orders'],
    ['a URL as path, as for a proxy', 'https://other.example/'],
    ['a user in the path', '@other.example/'],
  ])('refuses %s', async (_, path) => {
    const { service, agent, get } = await createBench();
    expect(await rejection(agent.request({ ...get, path }))).toBeInstanceOf(TypeError);
    expect(service.received).toHaveLength(0);
  });

  it('refuses a tunnel', async () => {
    const { service, agent } = await createBench();
    const connecting = agent.connect({ origin: service.origin, path: 'other.example:443' });
    expect(await rejection(connecting)).toBeInstanceOf(TypeError);
  });

  it('takes two slashes at the start of a path for a path', async () => {
    const { service, agent, get } = await createBench();
    const answer = await agent.request({ ...get, path: '//other.example/x' });
    expect(await jsonOf(answer)).toMatchObject({ url: '//other.example/x' });
    expect(service.received).toHaveLength(1);
  });

  it('sends a path as it was judged', async () => {
    const tokenServer = await startTokenServer();
    const service = await startServer(echo);
    const targets = [{ origin: service.origin, pathPrefix: '/api' }];
    const agent = ending(new Agent()).compose(authInterceptor({ ...tokenServer.options, targets }));
    const send = (path: string): Promise<Dispatcher.ResponseData> =>
      agent.request({ origin: service.origin, path, method: 'GET' });
    expect(await jsonOf(await send('/x/../api/a?b=c'))).toMatchObject({ url: '/api/a?b=c' });
    expect(await rejection(send('/api/../admin'))).toMatchObject({ code: 'untrusted_target' });
    expect(await rejection(send('/api/..%2fadmin'))).toMatchObject({ code: 'untrusted_target' });
    expect(service.received.map(({ url }) => url)).toEqual(['/api/a?b=c']);
  });

  it('knows an origin in every form that undici takes', async () => {
    const { service, agent, get } = await createBench();
    for (const origin of [service.origin, `${service.origin}/`, new URL(service.origin)]) {
      expect((await agent.request({ ...get, origin })).statusCode).toBe(200);
    }
    expect(service.received.map(({ url }) => url)).toEqual(['/', '/', '/']);
  });

  it('adds the query that is given apart', async () => {
    const { agent, get } = await createBench();
    expect(await jsonOf(await agent.request({ ...get, query: { a: 'b' } }))).toMatchObject({ url: '/?a=b' });
  });
});

describe('header fields', () => {
  it.each<[string, Dispatcher.DispatchOptions['headers']]>([
    ['a record', { 'X-A': '1' }],
    ['a list', ['X-A', '1']],
    ['pairs', new Map([['X-A', '1']])],
    ['Headers', new Headers({ 'X-A': '1' })],
    ['entries', Object.entries({ 'X-A': '1' }) as Iterable<[string, string]>],
  ])('are kept as %s', async (_, headers) => {
    const { service, agent, get } = await createBench();
    await agent.request({ ...get, headers: headers ?? null });
    expect(service.received[0]?.headers).toMatchObject({ 'x-a': '1', authorization: 'Bearer token-1' });
  });

  it.each<[string, Dispatcher.DispatchOptions['headers']]>([
    ['a record', { AUTHORIZATION: 'x' }],
    ['a list', ['X-A', '1', 'Authorization', 'x']],
    ['pairs', new Map([['dpop', 'x']])],
    ['Headers', new Headers({ DPoP: 'x' })],
    ['entries', Object.entries({ 'X-A': '1', dpop: 'x' }) as Iterable<[string, string]>],
  ])('that prove who calls are refused in %s', async (_, headers) => {
    const { service, agent, get } = await createBench();
    const error = await rejection(agent.request({ ...get, headers: headers ?? null }));
    expect(error).toMatchObject({
      name: 'TypeError',
      code: 'call_invalid',
      message: expect.stringContaining(
        'authInterceptor: the request has an Authorization or DPoP header of its own',
      ),
    });
    expect(service.received).toHaveLength(0);
  });

  it('whose value happens to be such a name are no matter', async () => {
    const { service, agent, get } = await createBench();
    await agent.request({ ...get, headers: ['x-a', 'dpop', 'vary', 'authorization'] });
    expect(service.received[0]?.headers).toMatchObject({ 'x-a': 'dpop', vary: 'authorization' });
  });
});

describe('dispatching', () => {
  it('happens in the same tick where the token is in memory', async () => {
    const { auth, get } = await createBench();
    await auth.tokens.getToken();
    const seen: unknown[] = [];
    const dispatch = auth((options) => {
      seen.push(options.headers);
      return false;
    });
    expect(dispatch({ ...get, headers: { a: 'b' } }, {})).toBe(false);
    expect(seen).toEqual([{ a: 'b', authorization: 'Bearer token-1' }]);
  });

  it('leaves the options of the caller as they are', async () => {
    const { agent, get } = await createBench();
    const options = Object.freeze({ ...get, headers: Object.freeze({ a: 'b' }) });
    expect((await agent.request(options)).statusCode).toBe(200);
  });

  it('tells what the next dispatcher throws, now or later', async () => {
    const { auth, get } = await createBench();
    const throwing = (): boolean => {
      throw new Error('no dispatcher');
    };
    const errors = await Promise.all(
      [1, 2].map(async (round) => {
        const late = createDeferred<Error>();
        if (round === 2) await auth.tokens.getToken();
        try {
          auth(throwing)(get, { onRequestStart() {}, onResponseError: (_, error) => late.resolve(error) });
        } catch (error) {
          return error;
        }
        return late.promise;
      }),
    );
    expect(errors.map(String)).toEqual(['Error: no dispatcher', 'Error: no dispatcher']);
  });

  it('works with stream, pipeline and upgrade', async () => {
    const { service, agent, get } = await createBench();
    const { Writable } = await import('node:stream');
    let text = '';
    const sink = new Writable({
      write(chunk, _, done) {
        text += chunk;
        done();
      },
    });
    await agent.stream(get, () => sink);
    expect(JSON.parse(text)).toMatchObject({ authorization: 'Bearer token-1' });

    const pipeline = agent.pipeline({ ...get, method: 'POST' }, ({ body }) => body);
    pipeline.end('hello');
    const chunks: Buffer[] = [];
    for await (const chunk of pipeline) chunks.push(chunk);
    expect(JSON.parse(Buffer.concat(chunks).toString())).toMatchObject({ body: 'hello' });
    expect(service.received).toHaveLength(2);
  });

  it('upgrades with the token', async () => {
    const server = createServer().on('upgrade', ({ headers }, socket) => {
      socket.end(
        `HTTP/1.1 101 Switching\r\nupgrade: test\r\nconnection: upgrade\r\n\r\n${headers.authorization}`,
      );
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    onTestFinished(() => void server.close());
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { tokenServer } = await createBench();
    const options = { ...tokenServer.options, targets: [origin], origin };
    const client = ending(new Client(origin)).compose(authInterceptor(options));
    const { socket } = await client.upgrade({ path: '/', protocol: 'test' });
    let text = '';
    for await (const chunk of socket) text += chunk;
    expect(text).toBe('Bearer token-1');
  });

  it('exchanges tokens for calls on behalf of somebody', async () => {
    const { auth, service, tokenServer, get } = await createBench();
    const agent = ending(new Agent()).compose(auth.onBehalfOf('the token of somebody'));
    expect((await agent.request(get)).statusCode).toBe(200);
    const form = new URLSearchParams(tokenServer.received[0]?.body);
    expect(form.get('subject_token')).toBe('the token of somebody');
    expect(service.received[0]?.headers.authorization).toBe('Bearer token-1');
  });
});

describe('composed with others', () => {
  it('dns before it resolves names of targets; behind it nothing is sent', async () => {
    const tokenServer = await startTokenServer();
    const service = await startServer(echo);
    const { port } = new URL(service.origin);
    const origin = `http://orders.internal:${port}`;
    const targets = [{ origin, allowInsecure: true }];
    const dns = interceptors.dns({
      lookup: (_, __, done) => done(null, [{ address: '127.0.0.1', ttl: 60, family: 4 }]),
    });
    const auth = authInterceptor({ ...tokenServer.options, targets });
    const get = { origin, path: '/', method: 'GET' } as const;
    expect((await ending(new Agent()).compose(dns, auth).request(get)).statusCode).toBe(200);
    expect(service.received[0]?.headers).toMatchObject({
      host: `orders.internal:${port}`,
      authorization: 'Bearer token-1',
    });
    const wrong = ending(new Agent()).compose(auth, dns);
    expect(await rejection(wrong.request(get))).toMatchObject({ code: 'untrusted_target' });
    expect(service.received).toHaveLength(1);
  });

  it('retry behind it leads every attempt through it: each has a proof of its own', async () => {
    let attempts = 0;
    const scene = await startDpopScene((_, response) => sendJson(response, {}, ++attempts < 3 ? 503 : 200));
    const { origin } = scene.service;
    const auth = authInterceptor({
      tokenEndpoint: `${scene.issuer.origin}/token`,
      clientId: 'billing',
      clientSecret: secretCanary,
      dpop: true,
      targets: [origin],
    });
    const retry = interceptors.retry({ minTimeout: 1, timeoutFactor: 1 });
    const agent = ending(new Agent()).compose(auth, retry);
    expect((await agent.request({ origin, path: '/', method: 'GET' })).statusCode).toBe(200);
    const ids = scene.service.received.map((request) => proofOf(request).jti);
    // One of them was for the nonce.
    expect(new Set(ids).size).toBe(4);
  });

  it('retry does not repeat what was refused before it was sent', async () => {
    const { auth, tokenServer } = await createBench();
    const agent = ending(new Agent()).compose(auth, interceptors.retry({ minTimeout: 60_000 }));
    const call = agent.request({ origin: 'https://other.example', path: '/', method: 'GET' });
    expect(await rejection(call)).toMatchObject({ code: 'untrusted_target' });
    expect(tokenServer.received).toHaveLength(0);
  });

  it('redirect before it follows nothing, since it would take the token along', async () => {
    const { auth, service, get } = await createBench((_, response) => {
      response.writeHead(302, { location: '/end' }).end();
    });
    const agent = ending(new Agent()).compose(interceptors.redirect({ maxRedirections: 3 }), auth);
    expect((await agent.request(get)).statusCode).toBe(302);
    expect(service.received).toHaveLength(1);
  });

  it('a MockAgent, which does not know how to wait, is given the same answers', async () => {
    const { tokenServer } = await createBench();
    const mock = new MockAgent();
    onTestFinished(() => mock.close());
    mock.disableNetConnect();
    const origin = 'https://orders.internal';
    const service = mock.get(origin);
    service.intercept({ path: '/' }).reply(401, 'refused', { headers: invalidToken });
    service.intercept({ path: '/' }).reply(200, ({ headers }) => JSON.stringify(headers));
    const agent = mock.compose(authInterceptor({ ...tokenServer.options, targets: [origin] }));
    const get = { origin, path: '/', method: 'GET' } as const;
    expect(await jsonOf(await agent.request(get))).toMatchObject({ authorization: 'Bearer token-2' });

    service.intercept({ path: '/' }).reply(401, 'refused', { headers: invalidToken });
    tokenServer.next.push((_, response) => sendJson(response, { error: 'unauthorized_client' }, 400));
    const { statusCode, body } = await agent.request(get);
    expect([statusCode, await body.text()]).toEqual([401, 'refused']);
  });
});

describe('an answer that is not the last', () => {
  async function countConnections(refusal: object): Promise<number> {
    const tokenServer = await startTokenServer();
    const service = await startServer(acceptOnly('token-2', refusal));
    const { origin } = service;
    const client = ending(new Client(origin));
    let connections = 0;
    client.on('connect', () => connections++);
    const composed = client.compose(authInterceptor({ ...tokenServer.options, targets: [origin], origin }));
    expect((await composed.request({ path: '/', method: 'GET' })).statusCode).toBe(200);
    expect(service.received).toHaveLength(2);
    return connections;
  }

  it('is read to its end if it is short, and its connection kept', async () => {
    expect(await countConnections({ refused: true })).toBe(1);
  });

  it('is cut off if it is long', async () => {
    expect(await countConnections({ refused: 'x'.repeat(100_000) })).toBe(2);
  });

  it('may break off while a new token is asked for', async () => {
    const [asked, broken] = [createDeferred(), createDeferred()];
    const { tokenServer, auth, agent, get, service } = await createBench((request, response) => {
      if (request.headers.authorization === 'Bearer token-2') return echo(request, response);
      response.writeHead(401, { ...invalidToken, 'content-length': '10' }).write('half');
      response.on('close', () => broken.resolve());
      void asked.promise.then(() => response.destroy());
    });
    await auth.tokens.getToken();
    tokenServer.next.push(async (_, response) => {
      asked.resolve();
      await broken.promise;
      sendJson(response, { access_token: 'token-2', token_type: 'Bearer', expires_in: 600 });
    });
    expect((await agent.request(get)).statusCode).toBe(200);
    expect(service.received).toHaveLength(2);
  });
});

it('fields that can be read once only are sent all the same', async () => {
  const { agent, get, service } = await createBench();
  const headers = new Map([['x-a', '1']]).entries();
  await (await agent.request({ ...get, headers })).body.dump();
  expect(service.received[0]?.headers).toMatchObject({ 'x-a': '1', authorization: 'Bearer token-1' });
});

it('an abort ends the call although the connection of the answer that is held back is gone', async () => {
  const isGone = createDeferred<void>();
  const isAsked = createDeferred<void>();
  const { agent, get, tokenServer } = await createBench((_request, response) => {
    response.writeHead(401, { ...invalidToken, 'content-length': '100' }).write('x');
    response.socket?.once('close', () => isGone.resolve());
    void isAsked.promise.then(() => response.socket?.resetAndDestroy());
  });
  tokenServer.next.push(
    (_request, response) =>
      sendJson(response, { access_token: 'first', token_type: 'Bearer', expires_in: 600 }),
    () => isAsked.resolve(),
  );
  const controller = new AbortController();
  const call = rejection(agent.request({ ...get, signal: controller.signal }));
  await isGone.promise;
  controller.abort();
  expect(await call).toMatchObject({ name: 'AbortError' });
});

it.each<[string, () => unknown]>([
  ['no options', () => authInterceptor(null as never)],
  ['an origin that is no text', () => authInterceptor({ origin: Symbol('x') as never })],
])('a mistake is named: %s', (_name, make) => {
  expect(make).toThrow(/^authInterceptor: /);
});
