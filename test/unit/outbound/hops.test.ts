/** What goes to the transport, hop by hop, and what is said where a call or a redirect is refused. */
import { describe, expect, it } from 'vitest';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import type { AuthedFetchOptions } from '../../../src/outbound/authed-fetch-options.ts';
import { type FetchFunction, firstHop } from '../../../src/outbound/hop.ts';
import { challenge, tokenAnswer } from './in-process.ts';
import { createDeferred, mistake, rejection } from './support.ts';

const orders = 'https://orders.internal';
const start = `${orders}/start`;
const authorization = 'Bearer token-1';

const to = (location: string, status = 302): Response =>
  new Response(null, { status, headers: { location } });

/** Calls whose answers come in this order, then `good` for ever; what the transport was given is kept. */
function createBench(replies: readonly Response[] = [], options: Partial<AuthedFetchOptions> = {}) {
  const left = [...replies];
  const passed: Parameters<FetchFunction>[] = [];
  let tokens = 0;
  const call = createAuthedFetch({
    tokenEndpoint: 'https://idp.example/token',
    clientId: 'billing',
    clientSecret: 's',
    targets: [orders],
    ...options,
    fetch: async (input, init) => {
      if (String(input) === 'https://idp.example/token') return tokenAnswer(`token-${++tokens}`);
      passed.push([input, init]);
      return left.shift() ?? new Response('good');
    },
  });
  return { call, passed };
}

/** A response that says when its body is let go. */
function watched(status: number, headers: Record<string, string>) {
  let canceled = 0;
  const body = new ReadableStream({
    cancel() {
      canceled++;
      throw new Error('the connection is gone already');
    },
  });
  return { response: new Response(body, { status, headers }), canceled: () => canceled };
}

const refused = (message: string): unknown =>
  expect.objectContaining({ name: 'ServiceAuthError', code: 'redirect_refused', message });

describe('a call that cannot be made', () => {
  it.each<[string, HeadersInit, string]>([
    ['a record', { Authorization: 'x' }, 'Authorization'],
    ['a record', { 'X-Other': 'x', DPoP: 'x' }, 'DPoP'],
    ['a list', [['Authorization', 'x']], 'authorization'],
    ['Headers', new Headers({ DPoP: 'x' }), 'dpop'],
  ])('has in %s a header of its own: %j', async (_, headers, name) => {
    const { call, passed } = createBench();
    const message = `authedFetch: the call has a header ${name} of its own; leave it out`;
    expect(await rejection(call(start, { headers }))).toEqual(mistake(message, 'call_invalid'));
    expect(await rejection(call(new Request(start), { headers }))).toEqual(mistake(message, 'call_invalid'));
    expect(passed).toEqual([]);
  });

  it('takes headers of as many letters', async () => {
    const { call, passed } = createBench();
    const headers = { 'x-authorizing': 'a', date: 'b', authorizations: 'c', 'x-dpop': 'd' };
    await call(start, { headers });
    expect(passed).toStrictEqual([[start, { headers: { ...headers, authorization }, redirect: 'manual' }]]);
  });

  it('has a URL that is not absolute, or that no target covers', async () => {
    const { call, passed } = createBench();
    const message = 'authedFetch: the URL must be absolute';
    expect(await rejection(call('/start'))).toEqual(mistake(message, 'call_invalid'));
    expect(await rejection(call('https://evil.example/x?key=1'))).toMatchObject({
      code: 'untrusted_target',
      message: [
        'no target covers https://evil.example/x; nothing was sent.',
        'Name its origin in targets or SERVICE_AUTH_TARGETS',
      ].join(' '),
    });
    expect(passed).toEqual([]);
  });
});

describe('what a call is read as', () => {
  it.each([
    ...['delete', 'get', 'head', 'options', 'post', 'put'].map((name) => [name, name.toUpperCase()]),
    ...['patch', 'forget', 'getter'].map((name) => [name, name]),
  ])('method %s: %s', (method, expected) => {
    expect(firstHop('x', start, { method })).toMatchObject({ method: expected });
  });

  it.each<[string, () => [string | Request, RequestInit?], boolean]>([
    ['nothing', () => [start], true],
    ['null', () => [start, { body: null }], true],
    ['a text', () => [start, { body: 'x' }], true],
    ['an empty text', () => [start, { body: '' }], true],
    ['a form', () => [start, { body: new URLSearchParams('a=b') }], true],
    ['form data', () => [start, { body: new FormData() }], true],
    ['a blob', () => [start, { body: new Blob(['x']) }], true],
    ['a buffer', () => [start, { body: new ArrayBuffer(1) }], true],
    ['bytes', () => [start, { body: new Uint8Array(1) }], true],
    ['a stream', () => [start, { body: new ReadableStream() }], false],
    ['a Request without', () => [new Request(start)], true],
    ['a Request with one', () => [new Request(start, { method: 'POST', body: 'x' })], false],
    ['that of init', () => [new Request(start, { method: 'POST', body: 'x' }), { body: 'y' }], true],
  ])('body of %s: again %s', (_, input, replayable) => {
    expect(firstHop('x', ...input())).toMatchObject({ replayable });
  });

  it('what a Request has, unless init says otherwise', () => {
    const { signal } = new AbortController();
    const other = new AbortController().signal;
    const request = new Request(start, { method: 'PUT', headers: { a: 'b' }, signal });
    expect(firstHop('x', request, undefined)).toMatchObject({
      href: start,
      request,
      init: undefined,
      method: 'PUT',
      headers: request.headers,
      signal: request.signal,
    });
    const init = { method: 'post', headers: { c: 'd' }, signal: other };
    expect(firstHop('x', request, init)).toMatchObject({ init, method: 'POST', headers: { c: 'd' } });
    expect(firstHop('x', request, init).signal).toBe(other);
    expect(firstHop('x', request, { signal: null }).signal).toBeUndefined();
    expect(firstHop('x', start, undefined)).toMatchObject({ method: 'GET', request: undefined });
  });

  it('members that init has from its class are kept, as fetch keeps them', () => {
    class Init {
      get method(): string {
        return 'PUT';
      }
      get duplex(): string {
        return 'half';
      }
      readonly keepalive = true;
    }
    const { init } = firstHop('x', start, new Init());
    expect(init).toStrictEqual({ method: 'PUT', duplex: 'half', keepalive: true });
    const bare: RequestInit = Object.assign(Object.create(null), { method: 'PUT' });
    expect(firstHop('x', start, bare).init).toStrictEqual({ method: 'PUT' });
  });
});

describe('the hop after a redirect', () => {
  const bodyHeaders = {
    'content-encoding': 'identity',
    'content-language': 'en',
    'content-location': '/x',
    'content-type': 'text/plain',
    'content-length': '5',
  };

  it.each([
    [301, 'POST', 'GET'],
    [302, 'POST', 'GET'],
    [303, 'POST', 'GET'],
    [303, 'PUT', 'GET'],
    [303, 'HEAD', 'HEAD'],
    [303, 'GET', 'GET'],
    [301, 'PUT', 'PUT'],
    [302, 'DELETE', 'DELETE'],
    [307, 'POST', 'POST'],
    [308, 'POST', 'POST'],
    [302, 'post', 'GET'],
    [302, 'patch', 'patch'],
  ])('%i makes of %s a %s', async (status, method, expected) => {
    const { call, passed } = createBench([to('/end', status)]);
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const signal = new AbortController().signal;
    const headers = { ...bodyHeaders, 'x-kept': 'z' };
    await call(start, { method, headers, signal, keepalive: true, ...(hasBody && { body: 'hello' }) });
    const [url, init] = passed[1] ?? [];
    const { headers: sent, ...others } = init ?? {};
    const isDropped = expected === 'GET' && method !== 'GET';
    expect(url).toBe(`${orders}/end`);
    expect(others).toStrictEqual({
      method: expected,
      signal,
      keepalive: true,
      redirect: 'manual',
      ...(hasBody && !isDropped && { body: 'hello' }),
    });
    expect(Object.fromEntries(new Headers(sent))).toEqual({
      ...(!isDropped && bodyHeaders),
      'x-kept': 'z',
      authorization,
    });
  });

  it('of a bare call is as bare', async () => {
    const { call, passed } = createBench([to('/a'), to('/b', 307)]);
    await call(start);
    await call(start, { body: null });
    const next = { method: 'GET', headers: { authorization }, redirect: 'manual' };
    expect(passed.slice(0, 3)).toStrictEqual([
      [start, { headers: { authorization }, redirect: 'manual' }],
      [`${orders}/a`, next],
      [`${orders}/b`, next],
    ]);
    const without = createBench([to('/a')]);
    await without.call(start, { body: null });
    expect(without.passed[1]).toStrictEqual([`${orders}/a`, next]);
  });

  it('of a stream is refused only while the stream would be sent', async () => {
    const post = () => ({ method: 'POST', body: new ReadableStream(), duplex: 'half' }) as RequestInit;
    const { call, passed } = createBench([to('/a', 303), to('/b', 307)]);
    expect((await call(start, post())).status).toBe(200);
    const next = { method: 'GET', headers: { authorization }, redirect: 'manual', duplex: 'half' };
    expect(passed.slice(1)).toStrictEqual([
      [`${orders}/a`, next],
      [`${orders}/b`, next],
    ]);
    const again = createBench([to('/a', 307)]);
    expect(await rejection(again.call(`${start}?key=1`, post()))).toEqual(
      refused(`${start} redirects, but the body cannot be sent again`),
    );
    expect(again.passed).toHaveLength(1);
  });

  it('has the signal and the headers of a Request', async () => {
    const { call, passed } = createBench([to('/a', 307)]);
    const request = new Request(start, { headers: { a: 'b' }, signal: new AbortController().signal });
    await call(request);
    const [first, second] = passed;
    expect([first?.[0], second?.[0]]).toEqual([request, `${orders}/a`]);
    expect(second?.[1]?.signal).toBe(request.signal);
    expect(Object.fromEntries(new Headers(second?.[1]?.headers))).toEqual({ a: 'b', authorization });
  });

  it("is the transport's no more, whichever way the call says so", async () => {
    const manual = new Request(start, { redirect: 'manual' });
    const error = new Request(start, { redirect: 'error' });
    const first = createBench([to('/a'), to('/b')]);
    expect((await first.call(manual)).status).toBe(302);
    expect((await first.call(manual, { redirect: 'follow' })).status).toBe(200);
    expect(first.passed.map(([, init]) => init?.redirect)).toEqual(['manual', 'manual', 'manual']);
    for (const [input, init] of [[error], [start, { redirect: 'error' }]] as const) {
      expect(await rejection(createBench([to('/a')]).call(input, init))).toEqual(
        refused(`${start} redirects, and the call does not allow that`),
      );
    }
  });
});

describe('a redirect that is refused', () => {
  const strip = { redirectPolicy: 'strip' } as const;
  const local = 'http://127.0.0.1:8080';

  it.each<[string, Partial<AuthedFetchOptions>, string, string]>([
    [start, {}, 'https://b.example/x?key=1', 'redirects away from its target, to https://b.example/x'],
    [start, {}, 'https://', 'redirects to no URL'],
    [start, strip, 'http://b.example/', 'redirects to something else than https'],
    [start, strip, 'ftp://b.example/', 'redirects to something else than https'],
    [
      `${local}/x`,
      { ...strip, targets: [local] },
      'ftp://b.example/',
      'redirects to something else than https',
    ],
    [start, strip, 'https://user@b.example/', 'redirects to a URL with a user in it'],
    [start, strip, 'https://:password@b.example/', 'redirects to a URL with a user in it'],
  ])('from %s with %j to %s', async (from, options, location, reason) => {
    const { call, passed } = createBench([to(location)], options);
    expect(await rejection(call(`${from}?key=1`))).toEqual(refused(`${from} ${reason}`));
    expect(passed).toHaveLength(1);
  });

  it.each(['http://b.example/', 'https://b.example/'])('from plain http to %s is not', async (location) => {
    const { call, passed } = createBench([to(location)], { ...strip, targets: [local] });
    const headers = { cookie: 'a', dpops: 'b', host: 'c' };
    expect((await call(local, { headers })).status).toBe(200);
    expect(Object.fromEntries(new Headers(passed[1]?.[1]?.headers))).toEqual({ dpops: 'b' });
  });

  it('is hidden, or one too many', async () => {
    const hidden = Object.defineProperty(new Response(), 'type', { value: 'opaqueredirect' });
    expect(await rejection(createBench([hidden]).call(start))).toEqual(
      refused(`${start} redirects, and this runtime hides where`),
    );
    const endless = createBench(Array.from({ length: 21 }, (_, at) => to(`/${at}`)));
    expect(await rejection(endless.call(start))).toEqual(refused(`${orders}/19 redirects too often`));
    expect(endless.passed).toHaveLength(21);
  });
});

it("under '*' the token stays at its origin", async () => {
  const { call, passed } = createBench([to('/a'), to('https://b.example/'), to(`${orders}/c`)], {
    targets: '*',
    redirectPolicy: 'strip',
  });
  await call(start);
  const tokens = passed.map(([url, init]) => [url, new Headers(init?.headers).get('authorization')]);
  expect(tokens).toEqual([
    [start, authorization],
    [`${orders}/a`, authorization],
    ['https://b.example/', null],
    [`${orders}/c`, null],
  ]);
});

describe('answers that nobody reads are let go', () => {
  it('before a redirect is followed, and before one is refused', async () => {
    const followed = watched(302, { location: '/end' });
    expect((await createBench([followed.response]).call(start)).status).toBe(200);
    const unread = watched(302, { location: 'https://' });
    await rejection(createBench([unread.response]).call(start));
    expect([followed.canceled(), unread.canceled()]).toEqual([1, 1]);
  });

  it('before a call is repeated, and where that ends with its signal', async () => {
    const headers = { 'www-authenticate': 'Bearer error="invalid_token"' };
    const repeated = watched(401, headers);
    expect((await createBench([repeated.response]).call(start)).status).toBe(200);
    expect(repeated.canceled()).toBe(1);

    const waiting = watched(401, headers);
    const asked = createDeferred();
    const controller = new AbortController();
    let tokens = 0;
    const aborted = createAuthedFetch({
      tokenEndpoint: 'https://idp.example/token',
      clientId: 'billing',
      clientSecret: 's',
      targets: [orders],
      fetch: (input) => {
        if (String(input) === start) return Promise.resolve(waiting.response);
        if (++tokens === 1) return Promise.resolve(tokenAnswer('t'));
        asked.resolve();
        return new Promise<Response>(() => {});
      },
    });
    const pending = rejection(aborted(start, { signal: controller.signal }));
    await asked.promise;
    controller.abort(new Error('enough'));
    expect(await pending).toMatchObject({ message: 'enough' });
    expect(waiting.canceled()).toBe(1);
  });

  it('but not the one that is the answer', async () => {
    const final = watched(401, { 'www-authenticate': 'Bearer error="insufficient_scope"' });
    const response = await createBench([final.response]).call(start);
    expect([response.status, final.canceled()]).toEqual([401, 0]);
  });
});

it('a signal ends the wait for the one on whose behalf a call is made', async () => {
  const controller = new AbortController();
  const { call, passed } = createBench([challenge('Bearer')], {
    targets: [{ origin: orders, onBehalfOf: () => new Promise<string>(() => {}) }],
  });
  const pending = rejection(call(start, { signal: controller.signal }));
  controller.abort(new Error('enough'));
  expect(await pending).toMatchObject({ message: 'enough' });
  expect(passed).toEqual([]);
});
