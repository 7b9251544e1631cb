import { rename } from 'node:fs/promises';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  ask,
  forwarded,
  type Gateway,
  host,
  mintBound,
  policyFor,
  startGateway,
  startTestIssuer,
  type TestIssuer,
  writePolicy,
} from './gateway-support.ts';
import { buildProgram, type Program } from './harness.ts';

let program: Program;
beforeAll(async () => {
  program = await buildProgram();
});
afterAll(() => program.remove());

let issuer: TestIssuer;
async function startIssuer(): Promise<void> {
  issuer = await startTestIssuer();
}
async function end(): Promise<void> {
  program.endAll();
  await issuer.close();
}

const routes = [
  { prefix: '/orders', methods: ['GET', 'HEAD'], scope: 'orders:read' },
  { prefix: '/orders', methods: ['POST'], scope: 'orders:write' },
  { prefix: '/orders', methods: ['OPTIONS'], open: true },
  { prefix: '/billing', clients: ['billing'] },
  { prefix: '/shipping', clients: ['shipping'] },
  { prefix: '/stock', audience: 'https://stock.example' },
  { prefix: '/bound', senderConstrained: 'dpop' },
  { prefix: '/services', serviceOnly: true },
  { prefix: '/acting', actors: ['gateway'] },
  { prefix: '/maybe', optional: true },
  { path: '/health', open: true },
  { host: 'other.example', prefix: '/', scope: 'orders:read' },
];

async function start(more: object = {}, args: readonly string[] = []): Promise<Gateway> {
  return startGateway(program, await writePolicy(program, policyFor(issuer.url, routes, more)), args);
}

type Row = readonly [
  uri: string,
  more: { method?: string; claims?: object | null; host?: string },
  status: number,
  challenge?: string,
];

const rows: readonly Row[] = [
  ['/orders/7?q=%2f..', {}, 200],
  ['/orders', { method: 'HEAD' }, 200],
  ['/orders', { claims: null }, 401, 'Bearer, DPoP'],
  ['/orders', { method: 'OPTIONS', claims: null }, 200],
  ['/orders', { method: 'POST' }, 403, 'error="insufficient_scope"'],
  ['/orders', { method: 'POST', claims: { scope: 'orders:write' } }, 200],
  ['/orders', { method: 'DELETE' }, 403],
  ['/orders', { claims: { exp: 1 } }, 401, 'error="invalid_token"'],
  ['/orders', { claims: { aud: 'https://else.example' } }, 401, 'error="invalid_token"'],
  ['/orders', { claims: { iss: 'https://else.example' } }, 401, 'error="invalid_token"'],
  ['/billing', {}, 200],
  ['/shipping', {}, 403, 'error="insufficient_scope"'],
  ['/stock', {}, 401, 'error="invalid_token"'],
  ['/bound', {}, 401, 'error="invalid_token"'],
  ['/services', {}, 200],
  ['/services', { claims: { sub: 'ada' } }, 403],
  ['/acting', {}, 403],
  ['/acting', { claims: { act: { sub: 'gateway' } } }, 200],
  ['/maybe', { claims: null }, 200],
  ['/maybe', { claims: { exp: 1 } }, 401],
  ['/health', { claims: null }, 200],
  ['/health/', { claims: null }, 400],
  ['/nowhere', {}, 403],
  ['/nowhere', { claims: null }, 403],
  ['/health/..%2forders', { claims: null }, 400],
  ['/health/../orders', {}, 400],
  ['//orders', {}, 400],
  ['/ORDERS', {}, 400],
  ['http://api.example/orders', {}, 400],
  ['/orders', { host: 'OTHER.example:8443' }, 200],
  ['/orders', { host: 'other.example.' }, 200],
  ['/health', { host: 'other.example', claims: null }, 401],
  ['/orders', { host: 'api.example, other.example' }, 403],
  ['/orders', { host: 'api.example/x' }, 403],
];

describe('one gateway', () => {
  let gateway: Gateway;
  beforeAll(async () => {
    await startIssuer();
    gateway = await start();
  });
  afterAll(end);

  describe('a policy table', () => {
    it.each(['forwarded', 'envoy'] as const)('as %s requests', async (dialect) => {
      for (const [uri, { method = 'GET', claims = {}, host: name = host }, status, challenge] of rows) {
        const token = claims === null ? {} : { Authorization: `Bearer ${await issuer.mint(claims)}` };
        const answer =
          dialect === 'forwarded'
            ? await ask(gateway.url, '/auth', {
                headers: forwarded(uri, method, { 'X-Forwarded-Host': name, ...token }),
              })
            : await ask(gateway.url, `/envoy${uri}`, {
                method,
                headers: { Host: name, 'X-Forwarded-Proto': 'https', ...token },
              });
        const what = `${method} ${name}${uri} ${JSON.stringify(claims)}`;
        // Envoy's prefix makes another path of an absolute URL, which nothing answers.
        const expected = dialect === 'envoy' && uri.startsWith('http:') ? 404 : status;
        expect([what, answer.status]).toEqual([what, expected]);
        const { 'www-authenticate': said = '' } = answer.headers;
        if (challenge !== undefined) expect([what, said]).toEqual([what, expect.stringContaining(challenge)]);
        if (status === 401) expect(said).not.toBe('');
        if (answer.status >= 400 && answer.status !== 404 && method !== 'HEAD') {
          expect(answer.headers['cache-control']).toBe('no-store');
          expect(Object.keys(JSON.parse(answer.body))).toContain('error_description');
        }
      }
    });
  });

  describe('the answer to a good request', () => {
    it('names the caller, not the token', async () => {
      const token = await issuer.mint({ sub: 'Zoë\r\n', act: { sub: 'gateway' } });
      const headers = forwarded('/orders', 'GET', {
        Authorization: `Bearer ${token}`,
        'X-Auth-Client-Id': 'root',
      });
      const answer = await ask(gateway.url, '/auth', { headers });
      expect(answer).toMatchObject({ status: 200, body: '' });
      const told = Object.entries(answer.headers).filter(([name]) => name.startsWith('x-'));
      expect(Object.fromEntries(told)).toEqual({
        'x-auth-client-id': 'billing',
        'x-auth-subject': 'Zo%C3%AB%0D%0A',
        'x-auth-scope': 'orders:read stock:read',
        'x-auth-issuer': issuer.url,
        'x-auth-kind': 'user',
        'x-auth-actor': 'gateway',
      });
      expect(JSON.stringify(answer)).not.toContain(token);
    });

    it('tells Envoy to take away what it does not name', async () => {
      const headers = { Host: host, 'X-Forwarded-Proto': 'https', 'X-Auth-Subject': 'root' };
      const open = await ask(gateway.url, '/envoy/health', { headers });
      const every = 'X-Auth-Client-Id,X-Auth-Subject,X-Auth-Scope,X-Auth-Issuer,X-Auth-Kind,X-Auth-Actor';
      expect(open).toMatchObject({ status: 200, headers: { 'x-envoy-auth-headers-to-remove': every } });
      expect(open.headers['x-auth-subject']).toBeUndefined();
      const authorization = `Bearer ${await issuer.mint()}`;
      const known = await ask(gateway.url, '/envoy/orders', { headers: { ...headers, authorization } });
      expect(known.headers['x-envoy-auth-headers-to-remove']).toBe('X-Auth-Actor');
    });
  });

  describe('DPoP', () => {
    it('binds to the method and URL of the original request, and takes a proof once', async () => {
      const { token, prove } = await mintBound(issuer, { scope: 'orders:read orders:write' });
      const send = async (proof: string, method = 'GET', uri = '/orders/7?page=2') =>
        (
          await ask(gateway.url, '/auth', {
            headers: forwarded(uri, method, { Authorization: `DPoP ${token}`, DPoP: proof }),
          })
        ).status;
      const proof = await prove(`https://${host}/orders/7`);
      expect(await send(proof)).toBe(200);
      expect(await send(proof)).toBe(401);
      expect(await send(await prove(`https://${host}/orders/7`, 'POST'), 'POST')).toBe(200);
      expect(await send(await prove(`https://${host}/orders/7`), 'POST')).toBe(401);
      expect(await send(await prove(`https://${host}/orders/8`))).toBe(401);
      expect(await send(await prove(`${gateway.url}/auth`))).toBe(401);
      expect(await gateway.next('dpop.replay')).toMatchObject({ clientId: 'billing' });
    });
  });

  describe('proxies', () => {
    it('of the Envoy kind: what the caller says of the request is not looked at', async () => {
      const headers = { ...forwarded('/health'), Host: host };
      expect((await ask(gateway.url, '/envoy/orders', { headers })).status).toBe(401);
      expect((await ask(gateway.url, '/envoy/../auth', { headers })).status).toBe(400);
      expect((await ask(gateway.url, '/envoy', { headers })).status).toBe(404);
      expect((await ask(gateway.url, '/auth?x', { headers })).status).toBe(404);
      expect((await ask(gateway.url, '/auth/', { headers })).status).toBe(404);
    });

    it("that pass two Authorization fields on: which one the service will read is anybody's guess", async () => {
      const [good, bad] = [await issuer.mint(), await issuer.mint({ exp: 1 })];
      for (const pair of [
        [good, bad],
        [bad, good],
        [good, good],
      ]) {
        const headers = forwarded('/orders', 'GET', {
          Authorization: pair.map((token) => `Bearer ${token}`),
        });
        const answer = await ask(gateway.url, '/auth', { headers });
        expect(answer.status).toBe(400);
        expect(answer.headers['www-authenticate']).toContain('error="invalid_request"');
      }
    });

    it('that pass a great many fields on: the last of them count as the first do', async () => {
      const { hostname, port } = new URL(gateway.url);
      const many = Array.from({ length: 2500 }, (_, at) => `x-${at}: a`);
      const send = async (uri: string, first: string, last: string): Promise<string> => {
        const said = Object.entries(forwarded(uri)).map(([name, value]) => `${name}: ${value}`);
        const head = ['GET /auth HTTP/1.1', `Host: ${host}`, 'Connection: close', ...said, first];
        const socket = connect({ host: hostname, port: Number(port) });
        socket.write(`${[...head, ...many, last].join('\r\n')}\r\n\r\n`);
        let text = '';
        for await (const chunk of socket) text += chunk;
        return text.slice(0, 'HTTP/1.1 200'.length);
      };
      const good = `Authorization: Bearer ${await issuer.mint()}`;
      expect(await send('/orders', good, 'X-Last: a')).toBe('HTTP/1.1 200');
      expect(await send('/orders', 'X-First: a', good)).toBe('HTTP/1.1 200');
      expect(await send('/orders', good, good)).toBe('HTTP/1.1 400');
      expect(await send('/health', 'X-First: a', 'X-Forwarded-Uri: /orders')).toBe('HTTP/1.1 403');
    });
  });
});

describe('a gateway of its own', () => {
  beforeEach(startIssuer);
  afterEach(end);

  describe('DPoP', () => {
    it('a proof stays used when the policy is read again, also with another verifier', async () => {
      const config = await writePolicy(program, policyFor(issuer.url, routes));
      const gateway = await startGateway(program, config);
      const { token, prove } = await mintBound(issuer);
      const headers = forwarded('/orders', 'GET', {
        Authorization: `DPoP ${token}`,
        DPoP: await prove(`https://${host}/orders`),
      });
      expect((await ask(gateway.url, '/auth', { headers })).status).toBe(200);
      const verifier = { issuer: issuer.url, audience: 'https://orders.example', dpop: 'required' };
      await writePolicy(program, policyFor(issuer.url, routes, { verifier }), config.split('/').at(-1));
      gateway.signal('SIGHUP');
      await gateway.next('gateway.policy_loaded');
      expect((await ask(gateway.url, '/auth', { headers })).status).toBe(401);
      expect(await gateway.next('dpop.replay')).toBeDefined();
    });

    it('hands out nonces where the policy asks for them', async () => {
      const dpop = { mode: 'required', nonce: { secret: 'a secret of at least 32 bytes for nonces' } };
      const gateway = await start({
        verifier: { issuer: issuer.url, audience: 'https://orders.example', dpop },
      });
      const { token, prove } = await mintBound(issuer);
      const proof = await prove(`https://${host}/orders`);
      const headers = forwarded('/orders', 'GET', { Authorization: `DPoP ${token}`, DPoP: proof });
      const { status, headers: said } = await ask(gateway.url, '/auth', { headers });
      expect({ status, nonce: said['dpop-nonce'] }).toEqual({ status: 401, nonce: expect.any(String) });
      expect(said['www-authenticate']).toContain('use_dpop_nonce');
    });
  });

  describe('proxies', () => {
    it('that are not named are not listened to', async () => {
      const gateway = await start({ trustProxy: ['10.0.0.0/8'] });
      const headers = forwarded('/health', 'GET', { 'X-Forwarded-For': '10.0.0.1' });
      expect((await ask(gateway.url, '/auth', { headers })).status).toBe(403);
      expect((await ask(gateway.url, '/envoy/health', { headers })).status).toBe(403);
      expect(await gateway.next('gateway.refused')).toMatchObject({
        level: 'warn',
        reason: 'untrusted_proxy',
        from: '127.0.0.1',
      });
    });

    it("of which what may be the caller's own is not believed", async () => {
      const gateway = await start();
      const spoilt: readonly Record<string, string | string[]>[] = [
        { 'X-Forwarded-Uri': ['/health', '/orders'] },
        { 'X-Forwarded-Method': ['OPTIONS', 'GET'] },
        { 'X-Forwarded-Host': [host, 'other.example'] },
        { 'X-Forwarded-Proto': 'https, http' },
        { 'X-Forwarded-Proto': 'ftp' },
        { 'X-Forwarded-Uri': '' },
        { 'X-Forwarded-Method': 'GET /' },
      ];
      for (const more of spoilt) {
        const answer = await ask(gateway.url, '/auth', { headers: forwarded('/health', 'GET', more) });
        expect(answer.status).toBe(403);
        expect(await gateway.next('gateway.refused')).toMatchObject({ reason: 'bad_forwarding' });
      }
    });

    it('that pass a certificate on, for tokens that are bound to it', async () => {
      const { createAuthority } = await import('../../helpers/tls.ts');
      const { X509Certificate, createHash } = await import('node:crypto');
      const { cert } = await (await createAuthority()).issue('billing.internal');
      const thumbprint = createHash('sha256').update(new X509Certificate(cert).raw).digest('base64url');
      const token = await issuer.mint({ cnf: { 'x5t#S256': thumbprint } });
      const send = async (gateway: Gateway) => {
        const more = { Authorization: `Bearer ${token}`, 'X-Client-Cert': encodeURIComponent(cert) };
        return (await ask(gateway.url, '/auth', { headers: forwarded('/orders', 'GET', more) })).status;
      };
      expect(await send(await start({ clientCertificateHeader: 'X-Client-Cert' }))).toBe(200);
      expect(await send(await start())).toBe(401);
    });
  });

  describe('an issuer that is out of reach', () => {
    it('leaves requests undecided: 503 with Retry-After, never 401, and not ready', async () => {
      issuer.breakDown();
      const gateway = await start();
      const authorization = `Bearer ${await issuer.mint()}`;
      const headers = forwarded('/orders', 'GET', { authorization });
      const answer = await ask(gateway.url, '/auth', { headers });
      expect(answer.status).toBe(503);
      expect(Number(answer.headers['retry-after'])).toBeGreaterThan(0);
      expect((await ask(gateway.url, '/readyz')).status).toBe(503);
      expect((await ask(gateway.url, '/healthz')).status).toBe(200);
      expect((await ask(gateway.url, '/auth', { headers: forwarded('/health') })).status).toBe(200);
      expect(await gateway.next('request.undecided')).toMatchObject({ reason: 'keys_unavailable' });
    });

    it('that comes back makes the gateway ready, and keys that are known go on serving', async () => {
      const gateway = await start();
      await gateway.next('keys.refreshed');
      expect((await ask(gateway.url, '/readyz')).status).toBe(200);
      issuer.breakDown();
      const headers = forwarded('/orders', 'GET', { authorization: `Bearer ${await issuer.mint()}` });
      expect((await ask(gateway.url, '/auth', { headers })).status).toBe(200);
      expect((await ask(gateway.url, '/readyz')).status).toBe(200);
    });
  });

  describe('the policy file', () => {
    it('is read again when it changes and on SIGHUP; a bad one is said loudly and changes nothing', async () => {
      const config = await writePolicy(program, policyFor(issuer.url, [{ path: '/a', open: true }]));
      const name = config.split('/').at(-1);
      const gateway = await startGateway(program, config);
      const both = async () =>
        Promise.all(
          ['/a', '/b'].map(
            async (uri) => (await ask(gateway.url, '/auth', { headers: forwarded(uri) })).status,
          ),
        );
      expect(await both()).toEqual([200, 403]);
      await writePolicy(program, policyFor(issuer.url, [{ path: '/b', open: true }]), name);
      expect(await gateway.next('gateway.policy_loaded')).toMatchObject({ path: config, routes: 1 });
      expect(await both()).toEqual([403, 200]);
      await writePolicy(program, '{ "routes": "hush-hush"', name);
      gateway.signal('SIGHUP');
      const refused = await gateway.next('gateway.policy_refused');
      expect(refused).toMatchObject({
        level: 'warn',
        message: expect.stringMatching(/^policy file: the whole must be JSON \(/),
      });
      expect(await both()).toEqual([403, 200]);
      // Mounted volumes change the file by putting another in its place.
      const next = await writePolicy(program, policyFor(issuer.url, [{ prefix: '/', open: true }]));
      await rename(next, config);
      await gateway.next('gateway.policy_loaded');
      expect(await both()).toEqual([200, 200]);
      gateway.signal('SIGTERM');
      expect((await gateway.ended).stdout).not.toContain('hush-hush');
    });

    it('is checked without serving anything', async () => {
      const good = await writePolicy(program, policyFor('https://idp.example', routes));
      const flags = ['gateway', '--check', '--config'];
      expect(await program.run([...flags, good])).toEqual({
        code: 0,
        stdout: `the policy is good: ${routes.length} routes\n`,
        stderr: '',
      });
      expect(await program.json([...flags, good])).toEqual({ code: 0, routes: routes.length });
      const bad = await writePolicy(program, policyFor('https://idp.example', [{ prefix: '/', scpoe: 'a' }]));
      const { code, stderr } = await program.run([...flags, bad]);
      expect(code).toBe(2);
      expect(stderr).toContain('did you mean scope?');
    });
  });

  describe('service-auth gateway', () => {
    it('says what is wrong with its flags', async () => {
      const mistakes = [
        [[], '--config is missing'],
        [
          ['--config', '/nowhere/policy.json'],
          'the file of --config cannot be read: /nowhere/policy.json (ENOENT)',
        ],
        [['--confg', 'a'], 'did you mean --config?'],
        [['--config', 'a', '--port', 'x'], '--port must be a whole number'],
        [['--config', 'a', '--log-level', 'loud'], '--log-level must be one of'],
        [['--config', 'a', '--replay-store', '/nowhere.mjs'], '--replay-store: the module cannot be loaded'],
      ] as const;
      await Promise.all(
        mistakes.map(async ([flags, message]) => {
          const { code, stdout, stderr } = await program.run(['gateway', ...flags]);
          expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
          expect(stderr).toContain(message);
          expect(stderr).not.toContain('    at ');
        }),
      );
    });

    it('takes issuer and audience from flag and environment, and says to people where it listens', async () => {
      const config = await writePolicy(program, policyFor('', routes, { verifier: {} }));
      const flags = ['gateway', '--config', config, '--port', '0', '--issuer', issuer.url];
      const { child, firstLine, ended } = program.start(flags, {
        SERVICE_AUTH_AUDIENCE: 'https://orders.example',
        SERVICE_AUTH_ISSUER: 'https://else.example',
      });
      const line = await firstLine;
      expect(line).toMatch(/^service-auth gateway listening on http:\/\/127\.0\.0\.1:\d+, 12 routes$/);
      const url = /http:\S+(?=,)/.exec(line)?.[0] ?? '';
      const authorization = `Bearer ${await issuer.mint()}`;
      expect(
        (await ask(url, '/auth', { headers: forwarded('/orders', 'GET', { authorization }) })).status,
      ).toBe(200);
      expect((await ask(url, '/auth', { headers: forwarded('/nowhere?key=hush') })).status).toBe(403);
      child.kill('SIGTERM');
      const { code, stderr } = await ended;
      expect(code).toBe(0);
      const [refused] = stderr
        .trim()
        .split('\n')
        .map((text) => JSON.parse(text))
        .filter(({ event }) => event === 'gateway.refused');
      expect(refused).toMatchObject({ reason: 'no_route', method: 'GET', host, path: '/nowhere' });
      expect(stderr).not.toContain('hush');
    });

    it('shares used proofs with others by a store of yours', async () => {
      const store = await writePolicy(
        program,
        `export const replayStore = { record: () => 'replayed' };`,
        'store.mjs',
      );
      const gateway = await start({}, ['--replay-store', store]);
      const { token, prove } = await mintBound(issuer);
      const headers = forwarded('/orders', 'GET', {
        Authorization: `DPoP ${token}`,
        DPoP: await prove(`https://${host}/orders`),
      });
      expect((await ask(gateway.url, '/auth', { headers })).status).toBe(401);
    });

    it('does not wait for a body, and says nothing of tokens', async () => {
      const gateway = await start({}, ['--log-level', 'debug']);
      const { hostname, port } = new URL(gateway.url);
      const token = await issuer.mint();
      const head = [
        'POST /envoy/orders HTTP/1.1',
        `Host: ${host}`,
        'X-Forwarded-Proto: https',
        `Authorization: Bearer ${token}`,
        'Content-Length: 1000000',
      ];
      for (const more of [[], ['Expect: 100-continue']]) {
        const socket = connect({ host: hostname, port: Number(port) });
        socket.write(`${[...head, ...more].join('\r\n')}\r\n\r\nsome of it`);
        let text = '';
        for await (const chunk of socket) text += chunk;
        expect(text).toMatch(/^HTTP\/1\.1 403 /);
        expect(text).toContain('Connection: close');
      }
      gateway.signal('SIGTERM');
      const { stdout, stderr } = await gateway.ended;
      expect(stdout).toContain('insufficient_scope');
      expect(stdout + stderr).not.toContain(token);
      expect(stdout + stderr).not.toContain(token.split('.')[1]);
    });

    it('on SIGTERM finishes what is under way, and is not ready meanwhile', async () => {
      const gateway = await start({}, ['--drain-seconds', '2']);
      await gateway.next('keys.refreshed');
      const held = new Promise<() => void>((resolve) => {
        issuer.breakDown((request, response) => resolve(() => issuer.answer(request, response)));
      });
      const authorization = `Bearer ${await issuer.mint({}, { kid: 'not known yet' })}`;
      const headers = forwarded('/orders', 'GET', { authorization });
      const answered = ask(gateway.url, '/auth', { headers });
      const release = await held;
      expect((await ask(gateway.url, '/readyz')).status).toBe(200);
      gateway.signal('SIGTERM');
      let ready = 200;
      while (ready === 200) ready = (await ask(gateway.url, '/readyz')).status;
      expect(ready).toBe(503);
      release();
      expect((await answered).status).toBe(401);
      expect((await gateway.ended).code).toBe(0);
    });

    it('says that a port is in use, and ends with 1', async () => {
      const gateway = await start();
      const config = await writePolicy(program, policyFor(issuer.url, routes));
      const { port } = new URL(gateway.url);
      const { code, stdout, stderr } = await program.run(['gateway', '--config', config, '--port', port]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
    });

    it('--help shows its options, and the examples have a good policy', async () => {
      const { code, stdout } = await program.run(['gateway', '--help']);
      expect(code).toBe(0);
      for (const text of ['--config', '--check', '--replay-store', 'SERVICE_AUTH_ISSUER', 'Exit codes:']) {
        expect(stdout).toContain(text);
      }
      const example = await program.run(['gateway', '--check', '--config', 'examples/gateway/policy.json']);
      expect(example).toMatchObject({ code: 0, stdout: 'the policy is good: 5 routes\n' });
    });
  });
});
