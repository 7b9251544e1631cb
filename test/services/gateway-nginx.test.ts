/** A service behind a real nginx, with the configuration of the examples, and the gateway as a process of its own. */
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingHttpHeaders, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { hasNginx, type PrivateNginx, startNginx } from '../helpers/nginx.ts';
import { audience } from '../helpers/tokens.ts';
import {
  ask,
  type Gateway,
  type HttpAnswer,
  host,
  mintBound,
  policyFor,
  startGateway,
  startTestIssuer,
  type TestIssuer,
  writePolicy,
} from '../unit/cli/gateway-support.ts';
import { buildProgram, type Program } from '../unit/cli/harness.ts';

interface Served {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

interface Setting {
  /** For the http block. */
  readonly directives?: string;
  /** Gives the address that nginx asks in place of the gateway's. */
  readonly through?: (gateway: string) => Promise<string>;
}

const routes = [
  { host, prefix: '/', scope: 'orders:read' },
  { host, prefix: '/write', methods: ['POST'], scope: 'orders:write' },
  { host, prefix: '/admin', clients: ['admin'] },
  { host, prefix: '/public', open: true },
  { host: 'open.example', prefix: '/', open: true },
];

async function listening(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe.runIf(hasNginx())('behind nginx', () => {
  let program: Program;
  let example: string;
  beforeAll(async () => {
    program = await buildProgram();
    example = await readFile(new URL('../../examples/gateway/nginx.conf', import.meta.url), 'utf8');
  });
  afterAll(() => program.remove());

  let issuer: TestIssuer;
  let gateway: Gateway;
  let config: string;
  let nginx: PrivateNginx;
  let service: Server;
  let served: Served[];
  let answer: { status: number; headers: Record<string, string> };

  async function stop(): Promise<void> {
    await nginx.stop();
    program.endAll();
    service.closeAllConnections();
    await new Promise((resolve) => service.close(resolve));
    await issuer.close();
  }

  async function startWith(more: object, { directives = '', through }: Setting = {}): Promise<void> {
    config = await writePolicy(program, policyFor(issuer.url, routes, more));
    gateway = await startGateway(program, config);
    served = [];
    answer = { status: 200, headers: {} };
    service = createServer(async (request, response) => {
      let body = '';
      for await (const chunk of request) body += chunk;
      served.push({ method: request.method ?? '', url: request.url ?? '', headers: request.headers, body });
      response.writeHead(answer.status, answer.headers).end('the service');
    });
    const address = await listening(service);
    const asked = await through?.(gateway.url);
    nginx = await startNginx((port) => {
      const replaced = [
        [/127\.0\.0\.1:4010/, asked ?? new URL(gateway.url).host],
        [/127\.0\.0\.1:8080/, address],
        [/listen 80;/, `listen 127.0.0.1:${port};`],
      ] as const;
      return replaced.reduce((text, [from, to]) => {
        expect(text).toMatch(from);
        return text.replace(from, to);
      }, `${directives}\n${example}`);
    });
  }

  async function call(
    path: string,
    headers: Readonly<Record<string, string | string[]>> = {},
    more: { method?: string; body?: string } = {},
  ): Promise<HttpAnswer> {
    const { port } = nginx;
    return ask(`http://127.0.0.1:${port}`, path, {
      headers: { Host: `${host}:${port}`, ...headers },
      ...more,
    });
  }

  async function authorization(claims: object = {}): Promise<Record<string, string>> {
    return { Authorization: `Bearer ${await issuer.mint(claims)}` };
  }

  describe('and one gateway', () => {
    beforeAll(async () => {
      issuer = await startTestIssuer();
      await startWith({});
    });
    afterAll(stop);
    beforeEach(() => {
      served = [];
      answer = { status: 200, headers: {} };
    });

    it('200: the service gets the request as it was sent, and the caller by the gateway alone', async () => {
      const headers = {
        ...(await authorization({ scope: 'orders:read orders:write' })),
        'X-Auth-Client-Id': 'root',
        'X-Auth-Scope': 'admin',
        'X-Auth-Actor': 'root',
        X_Auth_Client_Id: 'root',
        'X-Forwarded-Uri': '/public',
        'X-Forwarded-Method': 'OPTIONS',
        'X-Forwarded-Host': 'open.example',
      };
      const said = await call('/write/7?q=a%2Fb', headers, { method: 'POST', body: 'tea' });
      expect(said).toMatchObject({ status: 200, body: 'the service' });
      expect(served).toMatchObject([{ method: 'POST', url: '/write/7?q=a%2Fb', body: 'tea' }]);
      const told = Object.entries(served[0]?.headers ?? {}).filter(([name]) => /^x[-_]auth/.test(name));
      expect(Object.fromEntries(told)).toEqual({
        'x-auth-client-id': 'billing',
        'x-auth-subject': 'billing',
        'x-auth-scope': 'orders:read orders:write',
        'x-auth-issuer': issuer.url,
        'x-auth-kind': 'service',
      });
      expect(served[0]?.headers.authorization).toBeUndefined();
    });

    it('an open route needs no token, and there nobody is anybody', async () => {
      const said = await call('/public/x', { 'X-Auth-Client-Id': 'root', 'X-Auth-Kind': 'service' });
      expect(said.status).toBe(200);
      expect(Object.keys(served[0]?.headers ?? {}).filter((name) => name.startsWith('x-auth'))).toEqual([]);
    });

    it('401 without a token, with the one challenge; also for HEAD and OPTIONS', async () => {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'POST']) {
        const said = await call('/orders', {}, { method });
        expect(said.status).toBe(401);
        expect(said.headers['www-authenticate']).toMatch(/^Bearer, DPoP algs="[^"]*"$/);
        expect(said.headers['cache-control']).toBe('no-store');
        if (method !== 'HEAD') expect(JSON.parse(said.body)).toMatchObject({ error: 'invalid_token' });
      }
      const expired = await call('/orders', await authorization({ exp: 1 }));
      expect(expired.headers['www-authenticate']).toMatch(/^Bearer error="invalid_token"/);
      expect(served).toEqual([]);
    });

    it('403 for the scope, which the challenge names, and for what no route covers', async () => {
      const scope = await call('/write/7', await authorization(), { method: 'POST', body: 'tea' });
      expect(scope.status).toBe(403);
      expect(scope.headers['www-authenticate']).toContain('error="insufficient_scope"');
      expect(scope.headers['www-authenticate']).toContain('scope="orders:write"');
      const uncovered = await call('/write/7', await authorization(), { method: 'PUT' });
      expect(uncovered).toMatchObject({ status: 403 });
      expect(uncovered.headers['www-authenticate']).toBeUndefined();
      expect(served).toEqual([]);
    });

    it('400 for two tokens and for ambiguous paths', async () => {
      const { Authorization: good = '' } = await authorization();
      const said = await call('/orders', { Authorization: `${good}, ${good}` });
      expect(said.status).toBe(400);
      expect(said.headers['www-authenticate']).toContain('error="invalid_request"');
      expect(said.headers['retry-after']).toBeUndefined();
      expect((await call('/orders', { Authorization: [good, good] })).status).toBe(400);
      expect((await call('/orders%2f7', await authorization())).status).toBe(400);
      expect(served).toEqual([]);
    });

    it('no spelling of a closed path gets to the service', async () => {
      const good = await authorization();
      for (const path of [
        '/admin',
        '/admin/',
        '/Admin/x',
        '/%61dmin',
        '/%2561dmin',
        '//admin',
        '/./admin',
        '/public/../admin',
        '/public/%2e%2e/admin',
        '/public/..%2fadmin',
        '/public/..;/admin',
        '/public\\..\\admin',
        '/public/..%5cadmin',
        '/admin;x=1',
        '/admin%3fx',
        '/admin%00',
      ]) {
        expect([path, (await call(path, good)).status]).toEqual([
          path,
          expect.toSatisfy((status) => status >= 400 && status < 500),
        ]);
        expect([path, served]).toEqual([path, []]);
      }
      expect((await call('/admin', await authorization({ client_id: 'admin', sub: 'admin' }))).status).toBe(
        200,
      );
    });

    it('a request with two hosts is judged by the one that nginx goes by', async () => {
      const socket = connect({ host: '127.0.0.1', port: nginx.port });
      const lines = [`GET http://${host}/orders HTTP/1.1`, 'Host: open.example', 'Connection: close'];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
      let text = '';
      for await (const chunk of socket) text += chunk;
      expect(text).toMatch(/^HTTP\/1\.1 401 /);
      expect(served).toEqual([]);
    });

    it('DPoP: the proof is for the URL that the caller called, and counts once', async () => {
      const { token, prove } = await mintBound(issuer);
      const url = `http://${host}:${nginx.port}/orders`;
      const send = async (proof: string, method = 'GET') =>
        call('/orders?page=2', { Authorization: `DPoP ${token}`, DPoP: proof }, { method });
      const proof = await prove(url);
      expect((await send(proof)).status).toBe(200);
      expect(served[0]?.headers.dpop).toBeUndefined();
      const again = await send(proof);
      expect(again.status).toBe(401);
      expect(again.headers['www-authenticate']).toContain('error="invalid_dpop_proof"');
      expect((await send(await prove(url), 'DELETE')).status).toBe(401);
      expect((await send(await prove(url, 'DELETE'), 'DELETE')).status).toBe(200);
      expect((await send(await prove(`${gateway.url}/auth`))).status).toBe(401);
      expect((await call('/orders', { Authorization: `Bearer ${token}` })).status).toBe(401);
      expect(served.length).toBe(2);
    });

    it('what the service itself answers is left as it is', async () => {
      for (const status of [400, 401, 403, 500, 503]) {
        answer = { status, headers: { 'WWW-Authenticate': 'Basic realm="the service"' } };
        const said = await call('/orders', await authorization());
        expect(said).toMatchObject({
          status,
          body: 'the service',
          headers: { 'www-authenticate': 'Basic realm="the service"' },
        });
      }
    });

    it('names of callers may be long', async () => {
      const sub = 'ë'.repeat(1200);
      expect((await call('/orders', await authorization({ sub }))).status).toBe(200);
      expect(decodeURIComponent(String(served[0]?.headers['x-auth-subject']))).toBe(sub);
      expect((await call('/orders', await authorization({ sub: 'ë'.repeat(1500) }))).status).toBe(403);
    });

    it('headers that a proxy would take off on its way are those of the gateway all the same', async () => {
      const names = 'X-Auth-Client-Id, X-Auth-Kind, X-Auth-Scope, X-Forwarded-Uri, Authorization, close';
      const said = await call('/write/7', {
        ...(await authorization({ scope: 'orders:read' })),
        Connection: names,
      });
      expect(said.status).toBe(403);
      expect((await call('/orders', { ...(await authorization()), Connection: names })).status).toBe(200);
      expect(served).toMatchObject([{ url: '/orders', headers: { 'x-auth-client-id': 'billing' } }]);
    });
  });

  describe('and a gateway of its own', () => {
    beforeEach(async () => {
      issuer = await startTestIssuer();
    });
    afterEach(stop);

    it('DPoP nonces reach the caller, with the refusal and with the answer', async () => {
      const dpop = { nonce: { secret: 'a secret of at least 32 bytes for nonces' } };
      await startWith({ verifier: { issuer: issuer.url, audience, dpop } });
      const { token, prove } = await mintBound(issuer);
      const proof = await prove(`http://${host}:${nginx.port}/orders`);
      const refused = await call('/orders', { Authorization: `DPoP ${token}`, DPoP: proof });
      expect(refused.status).toBe(401);
      expect(refused.headers['www-authenticate']).toContain('error="use_dpop_nonce"');
      expect(refused.headers['dpop-nonce']).toMatch(/^\S+$/);
      const good = await call('/orders', await authorization());
      expect(good).toMatchObject({ status: 200, headers: { 'dpop-nonce': expect.any(String) } });
    });

    it('503 with Retry-After while the keys are out of reach, never 401; and 200 once they are back', async () => {
      issuer.breakDown();
      await startWith({});
      const good = await authorization();
      const said = await call('/orders', good);
      expect(said.status).toBe(503);
      expect(Number(said.headers['retry-after'])).toBeGreaterThan(0);
      expect(said.headers['www-authenticate']).toBeUndefined();
      expect(JSON.parse(said.body)).toMatchObject({ error: 'temporarily_unavailable' });
      expect((await call('/public')).status).toBe(200);
      issuer.mend();
      let status = 503;
      while (status === 503) ({ status } = await call('/orders', good));
      expect(status).toBe(200);
    });

    it('503 while the gateway is down', async () => {
      await startWith({});
      gateway.signal('SIGKILL');
      await gateway.ended;
      const said = await call('/orders', await authorization());
      expect(said).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
      expect((await call('/public')).status).toBe(503);
      expect(served).toEqual([]);
    });

    it('the policy is read again while requests go on, and none fails meanwhile', async () => {
      await startWith({});
      const good = await authorization();
      expect((await call('/admin', good)).status).toBe(403);
      let isDone = false;
      const statuses: number[] = [];
      const load = (async () => {
        while (!isDone) statuses.push((await call('/orders', good)).status);
      })();
      const open = [...routes.slice(0, 2), { host, prefix: '/admin', clients: ['billing'] }];
      await writePolicy(program, policyFor(issuer.url, open), config.split('/').at(-1));
      gateway.signal('SIGHUP');
      await gateway.next('gateway.policy_loaded');
      expect((await call('/admin', good)).status).toBe(200);
      isDone = true;
      await load;
      expect(new Set(statuses)).toEqual(new Set([200]));
    });

    it('a gateway whose answer is lost is not asked again: a proof counts once', async () => {
      let isLost = false;
      let asked = 0;
      const relay = createServer((incoming, outgoing) => {
        asked++;
        const { method = '', url = '', headers } = incoming;
        const sent = request(new URL(url, gateway.url), { method, headers }, (response) => {
          if (isLost) incoming.socket.destroy();
          else response.pipe(outgoing.writeHead(response.statusCode ?? 0, response.headers));
        });
        sent.end();
      });
      await startWith({}, { through: async () => listening(relay) });
      const { token, prove } = await mintBound(issuer);
      const send = async () => {
        const proof = await prove(`http://${host}:${nginx.port}/orders`);
        return call('/orders', { Authorization: `DPoP ${token}`, DPoP: proof });
      };
      expect((await send()).status).toBe(200);
      isLost = true;
      expect(await send()).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
      expect(asked).toBe(2);
      relay.closeAllConnections();
      relay.close();
    });

    it('400 for headers that are too long for the gateway, where nginx takes longer ones', async () => {
      await startWith({}, { directives: 'large_client_header_buffers 4 32k;' });
      const padding = { 'X-Padding': 'a'.repeat(30_000), 'X-More': 'b'.repeat(30_000) };
      const said = await call('/orders', {
        ...(await authorization()),
        ...padding,
        'X-Most': 'c'.repeat(30_000),
      });
      expect(said).toMatchObject({ status: 400, headers: { 'cache-control': 'no-store' } });
      expect(served).toEqual([]);
      expect(
        (await call('/orders', { ...(await authorization()), 'X-Padding': 'a'.repeat(10_000) })).status,
      ).toBe(200);
    });
  });
});
