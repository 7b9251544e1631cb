import { createServer, request as httpRequest, type IncomingMessage } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { createRemoteJWKSet, jwtVerify } from 'jose';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type IssuerServer,
  memoryStorage,
  type ServeIssuerOptions,
  serveIssuer,
} from '../../../src/issuer/index.ts';
import { ADMIN_TOKEN, basic, ORDERS } from './harness.ts';

const GRANT = { grant_type: 'client_credentials' };
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

async function serve(options: ServeIssuerOptions = {}): Promise<IssuerServer> {
  const server = await serveIssuer({ port: 0, adminToken: ADMIN_TOKEN, ...options });
  cleanUps.push(() => server.close());
  return server;
}

async function register(url: string) {
  const response = await fetch(`${url}/admin/services`, {
    method: 'POST',
    headers: { authorization: `Bearer ${ADMIN_TOKEN}`, 'content-type': 'application/json' },
    body: JSON.stringify({ clientId: 'billing', name: 'Billing', scopes: ['read'], resources: [ORDERS] }),
  });
  const { clientId, clientSecret } = await response.json();
  return { clientId, clientSecret };
}

/** Sends bytes as they are and gives all that comes back until the server hangs up. */
function exchange(url: string, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => {
      answer += chunk.toString();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

describe('over HTTP', () => {
  it('a service is created, gets a token that verifies, and loses it again', async () => {
    const { url, issuer } = await serve();
    expect(issuer.issuer).toBe(url);
    const metadata = await (await fetch(`${url}/.well-known/oauth-authorization-server`)).json();
    expect(metadata.issuer).toBe(url);
    const service = await register(url);
    const headers = { authorization: basic(service) };
    const post = (endpoint: string, parameters: Record<string, string>) =>
      fetch(endpoint, { method: 'POST', headers, body: new URLSearchParams(parameters) });
    const { access_token: token } = await (await post(metadata.token_endpoint, GRANT)).json();
    const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
    const rules = { issuer: url, audience: ORDERS, typ: 'at+jwt' };
    expect((await jwtVerify(token, keys, rules)).payload.sub).toBe('billing');
    const introspect = async () => (await post(metadata.introspection_endpoint, { token })).json();
    expect((await introspect()).active).toBe(true);
    expect((await post(metadata.revocation_endpoint, { token })).status).toBe(200);
    expect(await introspect()).toEqual({ active: false });
  });

  it('two Authorization headers are refused, not chosen from', async () => {
    const { url } = await serve();
    const { clientId, clientSecret } = await register(url);
    const good = basic({ clientId, clientSecret });
    const body = 'grant_type=client_credentials';
    const answer = await exchange(
      url,
      `POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: ${good}\r\nAuthorization: ${good}\r\n` +
        `Content-Type: application/x-www-form-urlencoded\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it.each([
    ['a target with a host', 'GET http://evil.example/healthz HTTP/1.1', 200],
    ['a target that starts with two slashes', 'GET //healthz HTTP/1.1', 404],
    ['a target that is a star', 'OPTIONS * HTTP/1.1', 400],
    ['the method TRACE', 'TRACE /jwks HTTP/1.1', 405],
    ['a host that is none', 'GET /healthz HTTP/1.1\r\nX-Forwarded-Host: :::', 200],
    ['an endless header', `GET /healthz HTTP/1.1\r\nX: ${'a'.repeat(20_000)}`, 431],
  ])('threat 20 and 23: %s', async (_, start, status) => {
    const { url } = await serve();
    const answer = await exchange(url, `${start}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it('threat 23: a body that is too large is answered, and its connection closed', async () => {
    const { url } = await serve();
    const head =
      'POST /token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 10000000';
    const answer = await exchange(url, `${head}\r\n\r\n${'a'.repeat(70_000)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toMatch(/connection: close/i);
    expect(answer).toContain('"invalid_request"');
  });

  it('a client that goes away in the middle of its request harms nobody', async () => {
    const { url } = await serve();
    await new Promise<void>((resolve) => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1', () => {
        socket.write('POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc', () =>
          socket.destroy(),
        );
      });
      socket.on('close', () => resolve());
    });
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('the address', () => {
  it('a port in use is said clearly', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    cleanUps.push(() => other.close());
    const { port } = other.address() as AddressInfo;
    await expect(serveIssuer({ port })).rejects.toMatchObject({
      code: 'EADDRINUSE',
      message: `port ${port} of 127.0.0.1 is in use by another program; choose another port, or 0 for a free one`,
    });
  });

  it('an address of another machine is said clearly', async () => {
    const options = { port: 0, host: '192.0.2.1', issuer: 'https://idp.example' };
    await expect(serveIssuer(options)).rejects.toThrow(
      'cannot listen on port 0 of 192.0.2.1 (EADDRNOTAVAIL)',
    );
  });

  it.each([-1, 65_536, 1.5, Number.NaN])('refuses the port %d', async (port) => {
    await expect(serveIssuer({ port })).rejects.toThrow(
      'serveIssuer: port must be a whole number from 0 to 65535',
    );
  });

  it('others can only be served under a name that is given', async () => {
    await expect(serveIssuer({ port: 0, host: '0.0.0.0' })).rejects.toThrow(TypeError);
    const { url, issuer } = await serve({ host: '0.0.0.0', issuer: 'https://idp.example/tenant' });
    expect(issuer.issuer).toBe('https://idp.example/tenant');
    const path = '/.well-known/oauth-authorization-server/tenant';
    const { token_endpoint } = await (await fetch(`http://127.0.0.1:${new URL(url).port}${path}`)).json();
    expect(token_endpoint).toBe('https://idp.example/tenant/token');
  });

  it('may be an IPv6 one', async () => {
    const { url } = await serve({ host: '::1' });
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('wrong options of the issuer open no port', async () => {
    await expect(serveIssuer({ port: 0, accessTokenSeconds: 0 })).rejects.toThrow(
      'createIssuer: accessTokenSeconds',
    );
  });

  it('a storage that cannot be read rejects, and leaves no port open', async () => {
    const storage = { ...memoryStorage(), listSigningKeys: () => Promise.reject(new Error('no storage')) };
    const probe = await serve();
    const { port } = new URL(probe.url);
    await probe.close();
    await expect(serveIssuer({ port: Number(port), storage })).rejects.toThrow('no storage');
    const { url } = await serve({ port: Number(port) });
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
  });
});

describe('close', () => {
  it('finishes what is under way, on a connection that would be kept, then takes nothing more', async () => {
    const storage = memoryStorage();
    let release = (): void => {};
    let arrived = (): void => {};
    const underWay = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const findService = async (clientId: string) => {
      arrived();
      await held;
      return storage.findService(clientId);
    };
    const server = await serve({ storage: { ...storage, findService } });
    const service = await register(server.url);
    const answer = new Promise<IncomingMessage>((resolve, reject) => {
      const type = 'application/x-www-form-urlencoded';
      const headers = { authorization: basic(service), 'content-type': type, connection: 'keep-alive' };
      const request = httpRequest(`${server.url}/token`, { method: 'POST', headers }, resolve);
      request.on('error', reject);
      request.end('grant_type=client_credentials');
    });
    await underWay;
    const closing = server.close();
    await expect(fetch(`${server.url}/healthz`)).rejects.toThrow();
    release();
    const { statusCode, headers } = (await answer).resume();
    expect(statusCode).toBe(200);
    expect(headers.connection).toBe('close');
    await closing;
    expect((await server.issuer.fetch(new Request(`${server.url}/healthz`))).status).toBe(503);
  });

  it('does not wait for connections that are idle', async () => {
    const server = await serve();
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1');
    const hungUp = new Promise<void>((resolve) => socket.on('close', () => resolve()));
    await new Promise<void>((resolve) => {
      socket.once('data', () => resolve());
      socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    });
    await server.close();
    await hungUp;
  });

  it('waits ten seconds for what does not end, and no longer', async () => {
    let arrived = (): void => {};
    const underWay = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const findService = () => {
      arrived();
      return new Promise<undefined>(() => {});
    };
    const server = await serveIssuer({ port: 0, storage: { ...memoryStorage(), findService } });
    const answer = fetch(`${server.url}/token`, {
      method: 'POST',
      body: new URLSearchParams({ ...GRANT, client_id: 'a', client_secret: 'b' }),
    });
    const outcome = answer.then(
      () => 'answered',
      () => 'cut off',
    );
    await underWay;
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    cleanUps.push(() => vi.useRealTimers());
    const closing = server.close();
    vi.advanceTimersByTime(10_000);
    await closing;
    expect(await outcome).toBe('cut off');
  });
});
