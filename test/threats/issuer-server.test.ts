/** Floods and outages at the doors of the issuer, and what it tells those who knock. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createIssuer, type IssuerConnection, memoryStorage, serveIssuer } from '../../src/issuer/index.ts';
import { ADMIN_TOKEN, basic, createHarness, ISSUER, readAnswer } from '../unit/issuer/harness.ts';

const GRANT = { grant_type: 'client_credentials' };
const MINUTE = 60;
const limitOf = (requests: number) => ({ requests, windowSeconds: MINUTE });
const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  vi.useRealTimers();
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

function createLimited(options: Parameters<typeof createHarness>[0] = {}) {
  const harness = createHarness(options);
  const from =
    (connection: IssuerConnection, headers: Record<string, string> = {}) =>
    async (path: string, init: RequestInit = {}) => {
      const request = new Request(new URL(path, ISSUER), {
        ...init,
        headers: { ...headers, ...Object.fromEntries(new Headers(init.headers)) },
      });
      return readAnswer(await harness.issuer.fetch(request, connection));
    };
  return { ...harness, from };
}

const tokenRequest = (authorization: string): RequestInit => ({
  method: 'POST',
  headers: { authorization },
  body: new URLSearchParams(GRANT),
});

describe('the limit of a client', () => {
  it('is told with each answer, and answers 429 with the time to wait', async () => {
    const { register, post, events, advance } = createLimited({ limits: { client: limitOf(2) } });
    const service = await register({ clientId: 'billing' });
    const first = await post('/token', GRANT, service);
    expect(first.status).toBe(200);
    expect(first.headers.get('ratelimit-policy')).toBe('"client";q=2;w=60');
    expect(first.headers.get('ratelimit')).toBe('"client";r=1;t=60');
    advance(20);
    await post('/introspect', { token: 'x' }, service);
    const third = await post('/token', GRANT, service);
    expect(third.status).toBe(429);
    expect(third.body.error).toBe('temporarily_unavailable');
    expect(third.headers.get('retry-after')).toBe('40');
    expect(third.headers.get('ratelimit')).toBe('"client";r=0;t=40');
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'issuer.limited',
        limit: 'client',
        endpoint: 'token',
        clientId: 'billing',
      }),
    );
    advance(40);
    expect((await post('/token', GRANT, service)).status).toBe(200);
  });

  it('threat 24: is used up by nobody who does not know its secret', async () => {
    const { register, post } = createLimited({ limits: { client: limitOf(2) } });
    const service = await register();
    const wrong = { ...service, clientSecret: 'a wrong one' };
    for (let at = 0; at < 20; at++) expect((await post('/token', GRANT, wrong)).status).toBe(401);
    expect((await post('/token', GRANT, service)).headers.get('ratelimit')).toBe('"client";r=1;t=60');
  });

  it('can be switched off, and then is not spoken of', async () => {
    const { register, post } = createLimited({ limits: false });
    const { status, headers } = await post('/token', GRANT, await register());
    expect([status, headers.get('ratelimit'), headers.get('ratelimit-policy')]).toEqual([200, null, null]);
  });

  it('is one for all instances of a storage', async () => {
    const options = {
      storage: memoryStorage(),
      secretKey: 'a secret key of the issuer for these tests',
      limits: { client: limitOf(10) },
    };
    const [one, other] = [createLimited(options), createLimited(options)];
    const service = await one.register();
    const statuses: number[] = [];
    for (let at = 0; at < 10; at++) {
      for (const { post } of [one, other]) statuses.push((await post('/token', GRANT, service)).status);
    }
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(10);
  });
});

describe('the limit of an address', () => {
  it.each(['/token', '/introspect', '/revoke', '/admin/services'])(
    'counts what asks at %s, whether it knows a secret or not',
    async (path) => {
      const { from } = createLimited({ limits: { address: limitOf(3) } });
      const ask = from({ remoteAddress: '192.0.2.1' });
      const statuses: number[] = [];
      for (let at = 0; at < 5; at++) statuses.push((await ask(path, tokenRequest('Basic YTpi'))).status);
      expect(statuses).toEqual([401, 401, 401, 429, 429]);
      const refused = await ask(path, tokenRequest('Basic YTpi'));
      expect(refused.headers.get('retry-after')).toBe('60');
      expect(refused.headers.get('ratelimit')).toBe('"address";r=0;t=60');
      expect((await from({ remoteAddress: '192.0.2.2' })(path, tokenRequest('Basic YTpi'))).status).toBe(401);
    },
  );

  it('is looked at before a body is read', async () => {
    const { from, issuer } = createLimited({ limits: { address: limitOf(1) } });
    const connection = { remoteAddress: '192.0.2.1' };
    await from(connection)('/token', tokenRequest('Basic YTpi'));
    const getReader = vi.fn();
    const request = { method: 'POST', url: `${ISSUER}/token`, headers: new Headers(), body: { getReader } };
    expect((await issuer.fetch(request, connection)).status).toBe(429);
    expect(getReader).not.toHaveBeenCalled();
  });

  it('is the same for all addresses of an IPv6 network', async () => {
    const { from } = createLimited({ limits: { address: limitOf(1) } });
    const ask = async (remoteAddress: string) =>
      (await from({ remoteAddress })('/token', tokenRequest('Basic YTpi'))).status;
    expect(await ask('2001:db8:1:2::1')).toBe(401);
    expect(await ask('2001:db8:1:2::2')).toBe(429);
    expect(await ask('2001:db8:1:3::1')).toBe(401);
  });

  it('threat 20: does not move with headers that no proxy wrote', async () => {
    const { from } = createLimited({ limits: { address: limitOf(1) }, trustProxy: ['10.0.0.0/8'] });
    const ask = async (remoteAddress: string, forwardedFor: string) =>
      (
        await from({ remoteAddress }, { 'x-forwarded-for': forwardedFor })(
          '/token',
          tokenRequest('Basic YTpi'),
        )
      ).status;
    expect(await ask('192.0.2.1', '198.51.100.1')).toBe(401);
    expect(await ask('192.0.2.1', '198.51.100.2')).toBe(429);
    expect(await ask('10.0.0.1', '198.51.100.1')).toBe(401);
    expect(await ask('10.0.0.1', '203.0.113.9, 198.51.100.1')).toBe(429);
    expect(await ask('10.0.0.1', '198.51.100.2')).toBe(401);
  });

  it('does not keep probes, keys and metadata from anybody', async () => {
    const { from } = createLimited({ limits: { address: limitOf(1) } });
    const ask = from({ remoteAddress: '192.0.2.1' });
    for (let at = 0; at < 3; at++) {
      for (const path of ['/healthz', '/readyz', '/jwks', '/.well-known/oauth-authorization-server']) {
        expect((await ask(path)).status).toBe(200);
      }
    }
  });

  it('does not count where nothing is known of the connection', async () => {
    const { call } = createLimited({ limits: { address: limitOf(1) } });
    for (let at = 0; at < 3; at++) {
      expect((await call('/token', tokenRequest('Basic YTpi'))).status).toBe(401);
    }
  });
});

describe('threat 25: a storage that is away', () => {
  it('for limits alone keeps no token from anybody, and is told of once', async () => {
    const storage = memoryStorage();
    const { register, from, events } = createLimited({ storage, limits: { client: limitOf(5) } });
    const service = await register();
    vi.spyOn(storage, 'takeFromLimit').mockRejectedValue(new Error('no storage'));
    const ask = from({ remoteAddress: '192.0.2.1' });
    const statuses: number[] = [];
    for (let at = 0; at < 7; at++) statuses.push((await ask('/token', tokenRequest(basic(service)))).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
    const told = events.filter(({ type }) => type === 'issuer.limits_not_shared');
    expect(told).toMatchObject([{ limit: 'client', errorName: 'Error' }]);
  });

  it('makes the issuer unready within a deadline, and leaves it alive', async () => {
    const storage = memoryStorage();
    const { call, issuer } = createLimited({ storage });
    await issuer.ready();
    vi.useFakeTimers();
    vi.spyOn(storage, 'listSigningKeys').mockImplementation(() => new Promise(() => {}));
    const readiness = call('/readyz');
    await vi.advanceTimersByTimeAsync(2000);
    const { status, headers } = await readiness;
    expect([status, headers.get('retry-after')]).toEqual([503, '1']);
    expect((await call('/healthz')).status).toBe(200);
  });
});

describe('over sockets', () => {
  it('an address is that of the connection', async () => {
    const server = await serveIssuer({ port: 0, adminToken: ADMIN_TOKEN, limits: { address: limitOf(2) } });
    cleanUps.push(() => server.close());
    const ask = async () => {
      const response = await fetch(`${server.url}/token`, tokenRequest('Basic YTpi'));
      await response.text();
      return response.status;
    };
    expect([await ask(), await ask(), await ask()]).toEqual([401, 401, 429]);
  });

  it('the storage that a server was given stays open when it closes', async () => {
    const storage = memoryStorage();
    const close = vi.spyOn(storage, 'close');
    const secretKey = 'a secret key of the issuer for these tests';
    const server = await serveIssuer({ port: 0, storage, secretKey });
    await server.close();
    await server.close();
    expect(close).not.toHaveBeenCalled();
    const next = createIssuer({ issuer: ISSUER, storage, secretKey });
    expect((await next.fetch(new Request(`${ISSUER}/readyz`))).status).toBe(200);
  });

  it.each([
    ['drainMs', { drainMs: -1 }],
    ['drainMs', { drainMs: Number.NaN }],
    ['tls', { tls: { key: 'none', cert: 'none' } }],
  ])('a wrong %s opens no port', async (option, options) => {
    await expect(serveIssuer({ port: 0, ...options })).rejects.toThrow(`serveIssuer: ${option} must be`);
  });
});
