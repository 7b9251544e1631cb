import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { request as undiciRequest } from 'undici';
import { afterEach, describe, expect, it } from 'vitest';
import { json } from '../../../../src/issuer/http/http-answers.ts';
import type { IssuerConnection } from '../../../../src/issuer/http/incoming.ts';
import type { IssuerHandler } from '../../../../src/issuer/http/node-http.ts';
import {
  createNodeServer,
  type NodeServer,
  type ServerTimes,
  type ServerTls,
  serverTimes,
} from '../../../../src/issuer/http/node-server.ts';
import { readForm } from '../../../../src/issuer/http/request-body.ts';
import { OptionChecker } from '../../../../src/shared/options.ts';
import { createAuthority } from '../../../helpers/tls.ts';

const check = new OptionChecker('test');
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Served {
  readonly server: NodeServer;
  readonly port: number;
}

async function serve(
  handler: IssuerHandler,
  times: Partial<ServerTimes> = {},
  tls?: ServerTls,
): Promise<Served> {
  const server = createNodeServer(handler, check, tls, { ...serverTimes, checkMs: 20, ...times });
  const port = await server.listen(0, '127.0.0.1');
  cleanUps.push(() => server.close(0));
  return { server, port };
}

/** A connection that keeps what it is told; `ended` once the server has hung up. */
function open(port: number): { socket: Socket; text: () => string; ended: Promise<unknown> } {
  const socket = connect(port, '127.0.0.1');
  cleanUps.push(() => socket.destroy());
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
  });
  socket.on('error', () => {});
  // Not `once` of events: it rejects where the server resets the connection, which is an end, too.
  const ended = new Promise((resolve) => socket.once('close', resolve));
  return { socket, text: () => text, ended };
}

const form: IssuerHandler = async (request) => {
  const parameters = await readForm(request);
  return json({ said: 'get' in parameters ? (parameters.get('a') ?? '') : parameters.error });
};
const start =
  'POST / HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n';

describe('threat 23: a client is cut off that', () => {
  it('sends headers, but never the last', async () => {
    const { port } = await serve(form, { headersMs: 50, requestMs: 60_000 });
    const { socket, text, ended } = open(port);
    socket.write(start);
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('sends nothing at all', async () => {
    const { port } = await serve(form, { headersMs: 50 });
    const { text, ended } = open(port);
    await ended;
    expect(text()).toMatch(/^(HTTP\/1\.1 408 |$)/);
  });

  it('sends its body drop by drop', async () => {
    const { port } = await serve(form, { headersMs: 50, requestMs: 100 });
    const { socket, text, ended } = open(port);
    socket.write(`${start}\r\n`);
    const drops = setInterval(() => socket.write('a'), 10);
    cleanUps.push(() => clearInterval(drops));
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('asks and asks, and never reads', async () => {
    const long = 'x'.repeat(200_000);
    const { port } = await serve(async () => json({ long }), { stalledMs: 100 });
    const { socket, ended } = open(port);
    socket.pause();
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(100));
    // Who does not read learns that the server has hung up from what can no longer be written.
    const more = setInterval(() => socket.write('GET'), 10);
    cleanUps.push(() => clearInterval(more));
    await ended;
    expect(socket.bytesRead).toBeLessThan(100 * long.length);
  });

  it('is idle between two requests for too long', async () => {
    const { port } = await serve(form, { keepAliveMs: 50 });
    const { socket, text, ended } = open(port);
    socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 200 /);
  });
});

describe('a body', () => {
  it('is not read where the answer does not need it, and its connection is not used again', async () => {
    const { port } = await serve(async () => json({}, {}, 429));
    const { socket, text, ended } = open(port);
    socket.write(`${start}\r\nGET /smuggled HTTP/1.1\r\n`);
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 429 /);
    expect(text()).toMatch(/connection: close/i);
    expect(text().match(/HTTP\/1\.1 /g)).toHaveLength(1);
  });

  it('in pieces is put together', async () => {
    const { port } = await serve(form);
    const { socket, text, ended } = open(port);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n';
    socket.write(`${head}Content-Type: application/x-www-form-urlencoded\r\n\r\n3\r\na=%\r\n`);
    socket.write('2\r\nC3\r\n');
    socket.write('3\r\n%A9\r\n0\r\n\r\n');
    await ended;
    expect(text()).toContain('{"said":"Ã©"}');
  });

  it('of no known length ends where it is too large', async () => {
    const { port } = await serve(form);
    const { socket, text, ended } = open(port);
    const head = 'POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n';
    socket.write(`${head}Content-Type: application/x-www-form-urlencoded\r\n\r\n`);
    socket.write(`fffff\r\n${'a'.repeat(0xfffff)}\r\n`);
    await ended;
    expect(text()).toMatch(/^HTTP\/1\.1 200 [\s\S]*invalid_request/);
  });
});

describe('headers', () => {
  it('threat 12: named as members of objects are headers like others', async () => {
    const { port } = await serve(async ({ headers }) =>
      json(['__proto__', 'constructor', 'X-Twice', 'x-none'].map((name) => headers.get(name))),
    );
    const { socket, text, ended } = open(port);
    const more = '__proto__: a\r\nconstructor: b\r\nx-twice: 1\r\nX-TWICE: 2\r\n';
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${more}\r\n`);
    await ended;
    expect(text()).toContain('["a","b","1, 2",null]');
  });
});

describe('TLS', () => {
  const seen: IssuerConnection[] = [];
  const look: IssuerHandler = async (_, connection) => {
    seen.push(connection);
    return json({});
  };

  async function call(port: number, options: object): Promise<IssuerConnection | undefined> {
    const socket = connectTls({ port, host: '127.0.0.1', ...options });
    await once(socket, 'secureConnect');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await once(socket.resume(), 'close');
    return seen.at(-1);
  }

  it('tells of client certificates, and whether their authority is known', async () => {
    const [authority, stranger] = await Promise.all([createAuthority(), createAuthority('stranger.example')]);
    const server = await authority.issue('ip:127.0.0.1');
    const { port } = await serve(look, {}, { ...server, ca: authority.cert });
    const ca = authority.cert;
    expect(await call(port, { ca })).toEqual({ encrypted: true, remoteAddress: '127.0.0.1' });
    const known = await call(port, { ca, ...(await authority.issue('billing.example')) });
    expect(known).toMatchObject({ encrypted: true, peerCertificateVerified: true });
    expect(known?.peerCertificate).toBeInstanceOf(Uint8Array);
    const unknown = await call(port, { ca, ...(await stranger.issue('billing.example')) });
    expect(unknown).toMatchObject({ encrypted: true, peerCertificateVerified: false });
  });

  it('asks for no certificate where there is no authority for it', async () => {
    const authority = await createAuthority();
    const { port } = await serve(look, {}, await authority.issue('ip:127.0.0.1'));
    const client = await authority.issue('billing.example');
    expect(await call(port, { ca: authority.cert, ...client })).not.toHaveProperty('peerCertificate');
  });

  it.each([
    ['no key', { key: '', cert: 'x' }],
    ['a key that is none', { key: 'a key that nobody may see', cert: 'x' }],
    ['a path instead of an object', '/etc/tls'],
    ['an unknown member', { key: 'x', cert: 'x', passphrase: 'nobody may see this' }],
  ])('%s is a TypeError that does not show it', (_, tls) => {
    // @ts-expect-error: what the types forbid
    const make = () => createNodeServer(form, check, tls);
    expect(make).toThrow(TypeError);
    expect(make).not.toThrow(/nobody may see/);
  });

  it('a connection without a handshake does not hold up the end for longer than allowed', async () => {
    const authority = await createAuthority();
    const { server, port } = await serve(look, { closeMs: 50 }, await authority.issue('ip:127.0.0.1'));
    const { socket, ended } = open(port);
    await once(socket, 'connect');
    await call(port, { ca: authority.cert });
    await server.close(0);
    await ended;
  });
});

describe('the end', () => {
  it('is known to /readyz while others are still answered', async () => {
    const { server, port } = await serve(async () => json({ ok: true }));
    const status = async (path: string): Promise<number> => {
      const { statusCode, body } = await undiciRequest(`http://127.0.0.1:${port}${path}`);
      await body.dump();
      return statusCode;
    };
    expect(await status('/readyz')).toBe(200);
    const closing = server.close(300);
    expect(await status('/readyz')).toBe(503);
    expect(await status('/healthz')).toBe(200);
    await closing;
    await expect(status('/healthz')).rejects.toThrow();
  });

  it('leaves no connection idle that a client may just be using again', async () => {
    const { server, port } = await serve(async () => json({ ok: true }));
    const { socket, text, ended } = open(port);
    const ask = async (answers: number): Promise<void> => {
      socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
      while (text().split('HTTP/1.1 200').length <= answers) await once(socket, 'data');
    };
    await ask(1);
    expect(text()).toMatch(/^connection: keep-alive\r$/im);
    const closing = server.close(300);
    await ask(2);
    expect(text()).toMatch(/^connection: close\r$/im);
    await Promise.all([ended, closing]);
  });

  it('is the same for everybody who asks for it', async () => {
    const { server } = await serve(form);
    expect(server.close(0)).toBe(server.close(0));
    await server.close(0);
  });

  it('frees the port', async () => {
    const { server, port } = await serve(form);
    await server.close(0);
    const next = createNodeServer(form, check, undefined);
    expect(await next.listen(port, '127.0.0.1')).toBe(port);
    await next.close(0);
  });
});
