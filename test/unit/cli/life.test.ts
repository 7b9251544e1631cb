/** The whole life of a service, over real processes. */
import { readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { requireServiceAuth } from '../../../adapters/express.ts';
import { buildProgram, type Program, type RunningIssuer, serve, type TestServer } from './harness.ts';

let program: Program;
let issuer: RunningIssuer;
let service: TestServer;
const adminToken = 'an-admin-token-from-outside';
const resource = 'https://orders.example';

beforeAll(async () => {
  program = await buildProgram();
  issuer = await program.startIssuer(['--memory'], { SERVICE_AUTH_ADMIN_TOKEN: adminToken });
  const guard = requireServiceAuth({ issuer: issuer.url, audience: resource, scope: 'orders:read' });
  service = await serve((request, response) => {
    guard(request, response, () => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        const { method, caller } = request as typeof request & {
          caller?: { clientId?: string; subject?: string; scheme: string };
        };
        const type = request.headers['content-type'];
        response.setHeader('content-type', 'application/json');
        response.end(
          JSON.stringify({
            method,
            body,
            type,
            client: caller?.clientId,
            subject: caller?.subject,
            scheme: caller?.scheme,
          }),
        );
      });
    });
  });
});
afterAll(async () => {
  program.endAll();
  await service.close();
  await program.remove();
});

const admin = () => ({ SERVICE_AUTH_ISSUER: issuer.url, SERVICE_AUTH_ADMIN_TOKEN: adminToken });

/** The variables that a command printed. */
function readLines(text: string): Record<string, string> {
  const pairs = text
    .trim()
    .split('\n')
    .map((line) => line.split(/=(.*)/s, 2));
  return Object.fromEntries(pairs.map(([name = '', value = '']) => [name, value.replace(/^'(.*)'$/, '$1')]));
}

async function createService(name: string, ...flags: string[]): Promise<Record<string, string>> {
  const args = ['services', 'create', '--name', name, '--client-id', name, ...flags];
  const { code, stdout, stderr } = await program.run(args, admin());
  expect({ code, problem: code === 0 ? '' : stderr }).toEqual({ code: 0, problem: '' });
  return readLines(stdout);
}

const usual = ['--scope', 'orders:read orders:write', '--resource', resource];

describe('a service', () => {
  it('is created, gets a token, calls, is rotated and revoked', async () => {
    const environment = await createService('billing', ...usual);
    expect(Object.keys(environment)).toEqual([
      'SERVICE_AUTH_ISSUER',
      'SERVICE_AUTH_CLIENT_ID',
      'SERVICE_AUTH_CLIENT_SECRET',
      'SERVICE_AUTH_SCOPE',
      'SERVICE_AUTH_RESOURCE',
    ]);
    const token = await program.json<{ accessToken: string; scope: string }>(['token'], environment);
    expect(token).toMatchObject({ code: 0, tokenType: 'Bearer', scope: 'orders:read orders:write' });
    const inspection = ['inspect', '--audience', resource, '--scope', 'orders:read', '-'];
    const good = await program.json(inspection, { SERVICE_AUTH_ISSUER: issuer.url }, token.accessToken);
    expect(good).toMatchObject({ code: 0, verdict: 'accepted' });

    const called = await program.run(['call', `${service.url}/orders`, '-i'], environment);
    expect(called.code).toBe(0);
    expect(called.stdout).toMatch(/^HTTP 200 OK\n/);
    expect(called.stdout).toContain('"client":"billing"');

    const rotated = await program.run(['services', 'rotate', 'billing', '--overlap', '1h'], admin());
    const [, othersEndAt] = /all others end at (\S+)\.$/m.exec(rotated.stderr) ?? [];
    const renewed = { ...environment, ...readLines(rotated.stdout) };
    expect(renewed.SERVICE_AUTH_CLIENT_SECRET).not.toBe(environment.SERVICE_AUTH_CLIENT_SECRET);
    expect((await program.run(['token'], renewed)).code).toBe(0);
    expect((await program.run(['token'], environment)).code).toBe(0);
    const shown = await program.json<{ secrets: { expiresAt?: string }[] }>(
      ['services', 'show', 'billing'],
      admin(),
    );
    expect(shown.secrets.map(({ expiresAt }) => expiresAt)).toEqual([othersEndAt, undefined]);

    expect((await program.run(['services', 'rotate', 'billing', '--overlap', '0'], admin())).code).toBe(0);
    const refused = await program.json<{ error: object }>(['token'], environment);
    expect(refused).toMatchObject({
      code: 1,
      error: { code: 'token_request_rejected', oauthError: 'invalid_client' },
    });

    const secret = readLines((await program.run(['services', 'rotate', 'billing'], admin())).stdout);
    const last = { ...environment, ...secret };
    const live = (await program.run(['token'], last)).stdout.trim();
    const introspecting = await createService('orders', '--serves', resource);
    const introspection = ['inspect', '--audience', resource, '--introspect', '-'];
    expect((await program.run(introspection, introspecting, live)).code).toBe(0);
    expect((await program.run(['services', 'revoke', 'billing', '--yes'], admin())).stdout).toBe(
      'revoked billing\n',
    );
    expect((await program.run(['token'], last)).code).toBe(1);
    const dead = await program.json<{ checks: object[] }>(introspection, introspecting, live);
    expect(dead).toMatchObject({ code: 1, verdict: 'refused' });
    expect(dead.checks).toContainEqual(
      expect.objectContaining({ check: 'introspection', status: 'failure' }),
    );

    const list = await program.json<{ services: { clientId: string }[] }>(['services', 'list'], admin());
    expect(list.services.map(({ clientId }) => clientId)).not.toContain('billing');
    const all = await program.run(['services', 'list', '--all'], admin());
    expect(all.stdout).toMatch(/^billing .* revoked /m);
  });

  it('without scopes says so', async () => {
    const scopeless = 'Its tokens carry no scope, as none is registered.';
    const bare = await program.run(['services', 'create', '--name', 'bare'], admin());
    expect(bare).toMatchObject({ code: 0, stderr: expect.stringContaining(scopeless) });
    const usually = await program.run(['services', 'create', '--name', 'scoped', ...usual], admin());
    expect(usually.stderr).not.toContain(scopeless);
  });

  it('with opaque tokens: whom they are for is what introspection says', async () => {
    const environment = await createService('opaque', ...usual, '--token-format', 'opaque');
    const token = (await program.run(['token'], environment)).stdout;
    const { stdout } = await program.run(['inspect', '--introspect', '-'], environment, token);
    expect(stdout).toContain(`not checked; the token is for ${resource}`);
  });

  it('is registered as its flags say, once for one idempotency key; a secret may end by itself', async () => {
    const flags = ['--description', 'For invoices', '--dpop-bound', '--access-token-seconds', '60'];
    const args = ['services', 'create', '--name', 'once', ...usual, ...flags, '--idempotency-key', 'once'];
    const first = await program.json<{ clientId: string }>(args, admin());
    expect(first).toMatchObject({ description: 'For invoices', dpopBound: true, accessTokenSeconds: 60 });
    expect(await program.json(args, admin())).toEqual(first);
    const rotation = ['services', 'rotate', first.clientId, '--expires-in', '2h'];
    const { createdAt, expiresAt } = await program.json<{ createdAt: string; expiresAt: string }>(
      rotation,
      admin(),
    );
    expect(Date.parse(expiresAt) - Date.parse(createdAt)).toBe(7_200_000);
  });

  it('is changed, and an unknown one is told', async () => {
    await createService('changing', ...usual);
    const args = ['services', 'update', 'changing', '--scope', 'orders:read'];
    expect(await program.json(args, admin())).toMatchObject({
      code: 0,
      scopes: ['orders:read'],
      name: 'changing',
    });
    const { code, stderr } = await program.run(['services', 'show', 'nobody'], admin());
    expect(code).toBe(1);
    expect(stderr).toContain('404');
    const nothing = await program.run(['services', 'update', 'changing'], admin());
    expect(nothing.code).toBe(2);
  });

  it('a registration in a file, and a secret in a new file of mode 0600', async () => {
    const from = join(program.directory, 'registration.json');
    await writeFile(
      from,
      JSON.stringify({ name: 'From', clientId: 'from', scopes: ['orders:read'], resources: [resource] }),
    );
    const path = join(program.directory, 'from.secret');
    const args = ['services', 'create', '--from', from, '--secret-file', path];
    const { code, stdout, stderr } = await program.run(args, admin());
    expect(code).toBe(0);
    const secret = (await readFile(path, 'utf8')).trim();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(stdout + stderr).not.toContain(secret);
    expect((await program.run(['token'], readLines(stdout))).code).toBe(0);
    const again = await program.run([...args, '--client-id', 'other'], admin());
    expect(again.code).toBe(2);
    expect(again.stderr).toContain('(EEXIST)');
    const { services } = await program.json<{ services: { clientId: string }[] }>(
      ['services', 'list'],
      admin(),
    );
    expect(services.map(({ clientId }) => clientId)).not.toContain('other');
  });

  it('its secret comes from standard input, or in the body', async () => {
    const { SERVICE_AUTH_CLIENT_SECRET: secret = '', ...environment } = await createService(
      'piped',
      ...usual,
    );
    const piped = await program.run(['token', '--secret-stdin', '--header'], environment, `${secret}\n`);
    expect(piped.stdout).toMatch(/^Authorization: Bearer [\w-]+\.[\w-]+\.[\w-]+\n$/);
    const posted = await program.run(['token', '--auth', 'post'], {
      ...environment,
      SERVICE_AUTH_CLIENT_SECRET: secret,
    });
    expect(posted.code).toBe(0);
    const other = await program.run(['token', '--client-id', 'other'], {
      ...environment,
      SERVICE_AUTH_CLIENT_SECRET: secret,
    });
    expect(other.code).toBe(2);
    expect(other.stderr).toContain('the secret of piped, not of other');
  });

  it('keys, resources and the audit log', async () => {
    const before = await program.json<{ keys: object[] }>(['keys', 'list'], admin());
    expect((await program.json(['keys', 'rotate', '--immediately'], admin())).code).toBe(0);
    const after = await program.json<{ keys: object[] }>(['keys', 'list'], admin());
    expect(after.keys.length).toBe(before.keys.length + 1);
    const created = ['resources', 'create', 'https://stock.example', '--scope', 'stock:read'];
    expect((await program.run(created, admin())).stdout).toBe('created resource https://stock.example\n');
    expect((await program.run(['resources', 'list'], admin())).stdout).toMatch(
      /https:\/\/stock\.example .*stock:read/,
    );
    const deleted = ['resources', 'delete', 'https://stock.example'];
    expect((await program.run(deleted, admin())).code).toBe(2);
    expect((await program.run([...deleted, '--yes'], admin())).code).toBe(0);
    const { entries } = await program.json<{ entries: { target: string }[] }>(
      ['audit', '--target', 'https://stock.example'],
      admin(),
    );
    expect(entries.length).toBe(2);
    expect((await program.run(['audit', '--limit', '3'], admin())).stdout.trimEnd().split('\n').length).toBe(
      4,
    );
  });
});

describe('service-auth call', () => {
  let environment: Record<string, string>;

  beforeAll(async () => {
    environment = await createService('calling', ...usual);
  });

  it('sends method, headers and body, and prints one document', async () => {
    const args = ['call', `${service.url}/orders`, '-d', '{"a":1}', '-H', 'x-one: 1'];
    expect(await program.json(args, environment)).toMatchObject({
      code: 0,
      status: 200,
      body: { method: 'POST', body: '{"a":1}', type: 'application/json', client: 'calling' },
    });
    const read = ['call', service.url, '-X', 'PUT', '-d', '@-', '-H', 'content-type: text/plain'];
    const { stdout } = await program.run(read, environment, 'from stdin');
    expect(JSON.parse(stdout)).toMatchObject({ method: 'PUT', body: 'from stdin', type: 'text/plain' });
  });

  it('binds the token to a key with --dpop', async () => {
    const { stdout } = await program.run(['call', service.url, '--dpop'], environment);
    expect(JSON.parse(stdout)).toMatchObject({ scheme: 'DPoP' });
  });

  it('is 1 where the service refuses, with its reason, and 3 where it fails or is not there', async () => {
    const refused = await program.run(['call', service.url, '--scope', 'orders:write'], environment);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('403');
    expect(refused.stderr).toContain('insufficient_scope');
    const broken = await serve((_, response) => {
      response.writeHead(500);
      response.end('broken');
    });
    const failed = await program.run(['call', broken.url], environment);
    await broken.close();
    expect({ code: failed.code, stdout: failed.stdout }).toEqual({ code: 3, stdout: 'broken' });
    const gone = await program.run(['call', broken.url], environment);
    expect(gone.code).toBe(3);
    expect(gone.stderr).toContain('ECONNREFUSED');
  });

  it('on behalf of a caller it exchanges its token, which comes from a file, a variable or standard input', async () => {
    const subject = (await program.run(['token'], environment)).stdout;
    const path = join(program.directory, 'subject');
    await writeFile(path, subject);
    const serves = ['--serves', resource, '--scope', 'orders:read', '--resource', resource];
    const acting = { ...(await createService('acting', ...serves)), CALLER_TOKEN: subject.trim() };
    for (const source of ['-', `@${path}`, 'env:CALLER_TOKEN']) {
      const args = ['call', service.url, '--on-behalf-of', source];
      expect(await program.json(args, acting, subject)).toMatchObject({
        code: 0,
        body: { client: 'acting', subject: 'calling' },
      });
    }
    const nobody = await program.run(['call', service.url, '--on-behalf-of', 'env:NOT_SET'], acting);
    expect(nobody.code).toBe(2);
  });

  it('sends no token to where it was not named', async () => {
    const { code, stderr } = await program.run(
      ['call', service.url, '--target', 'https://orders.example'],
      environment,
    );
    expect(code).toBe(1);
    expect(stderr).toContain('service-auth call: ');
  });
});

describe('service-auth doctor, of a real issuer', () => {
  it('verifies a token of the environment, and makes the round trip', async () => {
    const environment = { ...(await createService('patient', ...usual)), SERVICE_AUTH_AUDIENCE: resource };
    const report = await program.json<{ checks: { check: string; status: string }[] }>(
      ['doctor', '--url', `${service.url}/orders`],
      environment,
    );
    expect(report.checks.filter(({ status }) => status !== 'ok')).toEqual([]);
    expect(report.code).toBe(0);
    expect(report.checks.map(({ check }) => check)).toContain('round trip');
    const other = { ...environment, SERVICE_AUTH_AUDIENCE: `${resource}/` };
    const wrong = await program.json<{ checks: object[] }>(['doctor'], other);
    expect(wrong.code).toBe(1);
    expect(wrong.checks).toContainEqual(
      expect.objectContaining({
        check: 'verification',
        hint: expect.stringContaining('a slash at the end alone'),
      }),
    );
  });

  it('tells by which URL a service behind a proxy judges proofs', async () => {
    const environment = await createService('proxied', ...usual);
    const url = new URL(service.url);
    const publicUrl = `https://${url.host}`;
    const guard = requireServiceAuth({ issuer: issuer.url, audience: resource, publicUrl });
    const behind = await serve((request, response) => guard(request, response, () => response.end('good')));
    const strict = await serve((request, response) => {
      // As if its own address were another one: nothing that a proxy commonly makes of the URL.
      const elsewhere = requireServiceAuth({
        issuer: issuer.url,
        audience: resource,
        publicUrl: 'https://else.example',
      });
      elsewhere(request, response, () => response.end('good'));
    });
    try {
      const byScheme = await program.json<{ checks: object[] }>(['doctor', '--url', behind.url], environment);
      const byHost = await program.json<{ checks: object[] }>(['doctor', '--url', strict.url], environment);
      for (const report of [byScheme, byHost]) {
        expect(report.code).toBe(1);
        expect(report.checks).toContainEqual(
          expect.objectContaining({
            check: 'round trip',
            status: 'failure',
            hint: expect.stringContaining('publicUrl'),
          }),
        );
      }
    } finally {
      await Promise.all([behind.close(), strict.close()]);
    }
  });
});
