import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Agent, getGlobalDispatcher, interceptors, MockAgent, setGlobalDispatcher } from 'undici';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { requestBytes } from '../../../src/shared/http.ts';
import { createPooledTransport } from '../../../src/shared/pooled-transport.ts';
import type { TransportAnswer } from '../../../src/shared/transport.ts';

let server: Server;
let url: string;
let connections: number;
let closed: Promise<void>;

beforeEach(async () => {
  connections = 0;
  server = createServer();
  closed = new Promise((resolve) => {
    server.on('connection', (socket) => {
      connections++;
      socket.on('close', () => resolve());
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/asked?for=this`;
});

afterEach(() => {
  server.closeAllConnections();
  server.close();
});

const transport = createPooledTransport(undefined);

function send(changes: object = {}): Promise<TransportAnswer> {
  const headers = { 'x-test': 'y' };
  return transport({ url, body: 'token=x', headers, maxBytes: 100, interrupted: never, ...changes });
}

const never = new Promise<never>(() => {});

const textOf = ({ bytes }: TransportAnswer): string => new TextDecoder().decode(bytes);

describe('createPooledTransport on Node with undici', () => {
  it('threat 21: follows no redirect, even where the program made its dispatcher follow them', async () => {
    const program = getGlobalDispatcher();
    const follows = new Agent().compose(interceptors.redirect({ maxRedirections: 5 }));
    setGlobalDispatcher(follows);
    let stolen = 0;
    const stranger = createServer((_request, response) => {
      stolen++;
      response.end('{"active":true}');
    });
    try {
      await new Promise<void>((resolve) => stranger.listen(0, '127.0.0.1', resolve));
      const { port } = stranger.address() as AddressInfo;
      server.on('request', (_request, response) => {
        response.writeHead(307, { location: `http://127.0.0.1:${port}/` }).end();
      });
      expect(await send()).toMatchObject({ status: 307, redirected: true });
      expect(stolen).toBe(0);
    } finally {
      setGlobalDispatcher(program);
      stranger.close();
    }
  });

  it('posts, and brings status, headers and body', async () => {
    let seen: unknown[] = [];
    server.on('request', async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      const { host: _host, connection: _connection, ...headers } = request.headers;
      seen = [request.method, request.url, headers, body];
      response.setHeader('x-many', ['a', 'b']);
      response.statusCode = 203;
      response.write('half ');
      response.end('and half');
    });
    const answer = await send();
    expect(seen).toEqual([
      'POST',
      '/asked?for=this',
      { 'accept-encoding': 'identity', 'content-length': '7', 'x-test': 'y' },
      'token=x',
    ]);
    expect([answer.status, answer.redirected, textOf(answer)]).toEqual([203, false, 'half and half']);
    expect([answer.headers.get('x-many'), answer.headers.get('x-none')]).toEqual(['a, b', null]);
  });

  it('gets where there is no body', async () => {
    server.on('request', (request, response) => response.end(request.method));
    expect(textOf(await send({ body: undefined }))).toBe('GET');
  });

  it('keeps connections', async () => {
    server.on('request', (_request, response) => response.end('ok'));
    for (let count = 0; count < 20; count++) await send();
    // One that was used a moment ago may not be free yet.
    expect(connections).toBeLessThanOrEqual(2);
  });

  it.each([301, 302, 303, 307, 308])('reports the redirect %i, and does not follow it', async (status) => {
    const asked: unknown[] = [];
    server.on('request', (request, response) => {
      asked.push(request.url);
      response.writeHead(status, { location: '/elsewhere' }).end();
    });
    expect(await send()).toMatchObject({ status, redirected: true, bytes: undefined });
    expect(asked).toEqual(['/asked?for=this']);
  });

  it('reads no more than allowed, whether the length was said or not', async () => {
    server.on('request', (_request, response) => {
      response.writeHead(200, { 'content-length': 101 });
      response.write('x');
    });
    expect((await send()).bytes).toBeUndefined();
    server.removeAllListeners('request');
    server.on('request', (_request, response) => void response.write('x'.repeat(101)));
    expect((await send()).bytes).toBeUndefined();
    server.removeAllListeners('request');
    server.on('request', (_request, response) => response.end('x'.repeat(100)));
    expect((await send()).bytes).toHaveLength(100);
  });

  it('an abort ends the connection, before the answer and within its body', async () => {
    for (const start of ['', 'half']) {
      let interrupt: (reason: Error) => void = () => {};
      const interrupted = new Promise<never>((_, reject) => {
        interrupt = reject;
      });
      server.removeAllListeners('request');
      server.on('request', (_request, response) => {
        if (start !== '') response.write(start);
        interrupt(new Error('enough'));
      });
      await expect(send({ interrupted })).rejects.toThrow();
    }
    await closed;
  });

  it('a deadline ends the connection too', async () => {
    server.on('request', () => {});
    await expect(requestBytes(transport, { url, body: 'x', timeoutMs: 50 })).rejects.toMatchObject({
      code: 'timeout',
    });
    await closed;
  });

  it.each([
    ['is cut off', 'HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf'],
    ['is no HTTP', 'hello\r\n\r\n'],
    ['is nothing', ''],
  ])('an answer that %s is a network failure', async (_name, text) => {
    server.removeAllListeners('request');
    server.on('connection', (socket) => socket.once('data', () => socket.end(text)));
    await expect(requestBytes(transport, { url, body: 'x', timeoutMs: 5000 })).rejects.toMatchObject({
      code: 'network_failed',
    });
  });

  it('nobody there is a network failure that names the code', async () => {
    server.close();
    await new Promise((resolve) => server.on('close', resolve));
    await expect(requestBytes(transport, { url, body: 'x', timeoutMs: 5000 })).rejects.toThrow(
      /ECONNREFUSED/,
    );
  });

  it("uses the program's own dispatcher of undici, such as a proxy", async () => {
    const before = getGlobalDispatcher();
    const agent = new MockAgent();
    agent.disableNetConnect();
    agent.get('https://idp.example').intercept({ path: '/introspect', method: 'POST' }).reply(200, 'mocked');
    setGlobalDispatcher(agent);
    try {
      expect(textOf(await send({ url: 'https://idp.example/introspect' }))).toBe('mocked');
    } finally {
      setGlobalDispatcher(before);
    }
  });
});

describe('createPooledTransport elsewhere', () => {
  it.each([
    ['another version of undici is installed', () => ({ Agent: class {}, Dispatcher: class {} })],
    ['undici is not installed', () => Promise.reject(new Error('ERR_MODULE_NOT_FOUND'))],
  ])('where %s the global fetch is used', async (_name, undici) => {
    vi.doMock('undici', undici);
    vi.resetModules();
    const { createPooledTransport: create } = await import('../../../src/shared/pooled-transport.ts');
    const fetch = vi.fn(async () => new Response('global'));
    vi.stubGlobal('fetch', fetch);
    try {
      const request = { url, body: 'x', headers: {}, maxBytes: 100, interrupted: never };
      const answer = await create(undefined)(request);
      expect(textOf(answer)).toBe('global');
    } finally {
      vi.unstubAllGlobals();
      vi.doUnmock('undici');
      vi.resetModules();
    }
  });

  it('an injected fetch is used', async () => {
    const fetch = vi.fn(async () => new Response('injected'));
    const answer = await createPooledTransport(fetch)({
      url: 'https://idp.example/',
      body: 'x',
      headers: {},
      maxBytes: 100,
      interrupted: never,
    });
    expect(textOf(answer)).toBe('injected');
    expect(fetch).toHaveBeenCalledOnce();
  });

  it.each(['bun', 'deno'])('on %s the global fetch is used', async (runtime) => {
    const fetch = vi.fn(async () => new Response('global'));
    vi.stubGlobal('fetch', fetch);
    if (runtime === 'deno') vi.stubGlobal('Deno', {});
    else vi.spyOn(process, 'versions', 'get').mockReturnValue({ ...process.versions, bun: '1' });
    try {
      const answer = await createPooledTransport(undefined)({
        url,
        body: 'x',
        headers: {},
        maxBytes: 100,
        interrupted: never,
      });
      expect(textOf(answer)).toBe('global');
    } finally {
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    }
  });
});
