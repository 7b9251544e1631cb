import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ServiceAuthError } from '../../../src/errors.ts';
import { assertSecureUrl, getJson, requestJson, retryAfterMs } from '../../../src/shared/http.ts';
import type { Fetch } from '../../../src/shared/transport.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const close of closers.splice(0)) close();
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closers.push(() => server.close().closeAllConnections());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/document`;
}

const realFetch: Fetch = (url, init) => fetch(url, init);
const get = (url: string, more: object = {}): Promise<unknown> =>
  getJson(realFetch, { url, timeoutMs: 5000, ...more });

async function errorOf(promise: Promise<unknown>): Promise<ServiceAuthError> {
  return promise.then(
    () => {
      throw new Error('no error');
    },
    (error: ServiceAuthError) => error,
  );
}

describe('answers', () => {
  it('are JSON objects with status 200', async () => {
    const url = await serve((_request, response) => void response.end('{"a":1}'));
    expect(await get(url)).toMatchObject({ json: { a: 1 } });
  });

  it.each<[string, RequestListener, string]>([
    ['of status 500', (_q, r) => void r.writeHead(500).end('{}'), 'unexpected_status'],
    [
      'that are a redirect',
      (_q, r) => void r.writeHead(307, { location: '/other' }).end(),
      'redirect_refused',
    ],
    ['that are HTML', (_q, r) => void r.end('<html>'), 'response_malformed'],
    ['that are a list', (_q, r) => void r.end('[]'), 'response_malformed'],
    ['in a wrong encoding', (_q, r) => void r.end(Buffer.from([0x7b, 0xff, 0x7d])), 'response_malformed'],
    [
      'that are announced too large',
      (_q, r) => void r.writeHead(200, { 'content-length': '2000000' }).write('{'),
      'response_too_large',
    ],
    ['that grow too large', (_q, r) => void r.end('x'.repeat(300_000)), 'response_too_large'],
    [
      'that break off',
      (q, r) => {
        r.write('{');
        setImmediate(() => q.socket.destroy());
      },
      'network_failed',
    ],
    ['that never come', (q) => void q.socket.destroy(), 'network_failed'],
  ])('%s are refused', async (_name, listener, code) => {
    expect(await errorOf(get(await serve(listener)))).toMatchObject({ name: 'ServiceAuthError', code });
  });

  it('never follow a redirect', async () => {
    const asked: (string | undefined)[] = [];
    const url = await serve((request, response) => {
      asked.push(request.url);
      response.writeHead(302, { location: '/elsewhere' }).end();
    });
    await errorOf(get(url));
    expect(asked).toEqual(['/document']);
  });
});

describe('the deadline', () => {
  it.each<[string, RequestListener]>([
    ['the headers', () => {}],
    ['the body', (_request, response) => void response.write('{')],
  ])('covers %s', async (_name, listener) => {
    expect(await errorOf(get(await serve(listener), { timeoutMs: 50 }))).toMatchObject({ code: 'timeout' });
  });

  it('holds for a transport that ignores the signal', async () => {
    vi.useFakeTimers();
    const pending = errorOf(
      requestJson(() => new Promise(() => {}), { url: 'https://a.example', timeoutMs: 3000 }),
    );
    await vi.advanceTimersByTimeAsync(3000);
    expect(await pending).toMatchObject({ code: 'timeout' });
  });
});

describe("the caller's signal", () => {
  it('ends the wait with its reason', async () => {
    const controller = new AbortController();
    const url = await serve(() => controller.abort(new Error('enough')));
    expect(await errorOf(get(url, { signal: controller.signal }))).toMatchObject({ message: 'enough' });
  });

  it('keeps anything from being sent if it was aborted before', async () => {
    const transport = vi.fn();
    const request = { url: 'https://a.example', timeoutMs: 1000, signal: AbortSignal.abort(new Error('no')) };
    expect(await errorOf(requestJson(transport, request))).toMatchObject({ message: 'no' });
    expect(transport).not.toHaveBeenCalled();
  });
});

it('errors quote nothing of queries, bodies and foreign errors', async () => {
  const canary = 'hunter2';
  const foreign = new TypeError(`fetch failed with ${canary}`, {
    cause: Object.assign(new Error(canary), { code: 'ECONNREFUSED' }),
  });
  const request = {
    url: `https://a.example/path?secret=${canary}`,
    body: `secret=${canary}`,
    timeoutMs: 1000,
  };
  const error = await errorOf(requestJson(() => Promise.reject(foreign), request));
  expect(error.message).toContain('ECONNREFUSED');
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(canary);
  const body = await serve((_request, response) => void response.end(`{"token":"${canary}"`));
  expect(inspect(await errorOf(get(body)), { depth: 10 })).not.toContain(canary);
});

describe('https', () => {
  it.each([
    'https://a.example',
    'http://localhost:4000',
    'http://127.0.0.1',
    'http://127.1.2.3',
    'http://0x7f.1',
    'http://[::1]:80',
  ])('%s is allowed', (url) => {
    expect(() => assertSecureUrl(url)).not.toThrow();
  });

  it.each([
    'http://a.example',
    'http://127.0.0.1.evil.example',
    'http://localhost.evil.example',
    'http://api.localhost',
    'http://127.0.0.1e1',
    'http://10.0.0.1',
    'http://[::2]',
    'http://user@evil.example:80@127.0.0.1.evil.example',
    'ftp://localhost',
    'data:application/json,{}',
    'nonsense',
    '',
  ])('%s is not', (url) => {
    expect(() => assertSecureUrl(url)).toThrow(expect.objectContaining({ code: 'insecure_url' }));
  });
});

it.each([
  ['7', 7000],
  ['0', 0],
  ['-5', undefined],
  ['', undefined],
  ['0x10', undefined],
  ['5, 6', undefined],
  ['999999', 3_600_000],
  ['Thu, 01 Jan 1970 00:02:00 GMT', 60_000],
  ['Thu, 01 Jan 1970 00:00:01 GMT', 0],
  ['soon', undefined],
])('Retry-After: %s', (value, expected) => {
  expect(retryAfterMs(new Headers({ 'retry-after': value }), 60_000)).toBe(expected);
});
