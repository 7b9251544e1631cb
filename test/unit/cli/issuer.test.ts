import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { buildProgram, type Program, type RunningIssuer } from './harness.ts';

let program: Program;
const token = 'an-admin-token-from-outside';
const secretKey = 'a secret key of 32 bytes at least';

beforeAll(async () => {
  program = await buildProgram();
});
afterEach(() => program.endAll());
afterAll(() => program.remove());

function admin(path: string, { url, adminToken = token }: RunningIssuer): Promise<Response> {
  return fetch(`${url}/admin${path}`, { headers: { authorization: `Bearer ${adminToken}` } });
}

function lines(text: string): { event: string; [member: string]: unknown }[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
}

describe('service-auth issuer', () => {
  it('--help shows its options', async () => {
    const { code, stdout } = await program.run(['issuer', '--help']);
    expect(code).toBe(0);
    for (const text of [
      '--data',
      '--memory',
      '--database-url',
      '--seed',
      '--port',
      'SERVICE_AUTH_SECRET_KEY',
    ]) {
      expect(stdout).toContain(text);
    }
  });

  it.each(['SIGTERM', 'SIGINT'] as const)('serves until %s, and says in JSON where', async (signal) => {
    const flags = ['--memory', '--signing-algorithm', 'EdDSA', '--resource', 'https://a.example'];
    const issuer = await program.startIssuer([...flags, '--log-level', 'error'], {
      SERVICE_AUTH_ADMIN_TOKEN: token,
    });
    const { url, child, ended } = issuer;
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
    const { keys } = await (await fetch(`${url}/jwks`)).json();
    expect(keys[0].alg).toBe('EdDSA');
    expect((await admin('/services', issuer)).status).toBe(200);
    child.kill(signal);
    const { code, stdout, stderr } = await ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const [first, ...more] = lines(stdout);
    expect(first).toMatchObject({ event: 'listening', level: 'info', url, issuer: url, pid: child.pid });
    expect(more).toEqual([]);
    expect(stdout).not.toContain(token);
  });

  it('makes an admin token where none is set, and prints it once', async () => {
    const issuer = await program.startIssuer(['--memory', '--log-level', 'debug']);
    expect((await admin('/services', issuer)).status).toBe(200);
    const { stdout, stderr } = await issuer.stop();
    expect((stdout + stderr).split(issuer.adminToken).length).toBe(2);
  });

  it('limits addresses as asked, and says in its metadata what it does', async () => {
    const flags = [
      '--memory',
      '--limit-address',
      '2/60',
      '--limit-client',
      'off',
      '--key-rotation-seconds',
      'off',
    ];
    const { url } = await program.startIssuer([...flags, '--dpop-nonce', '--no-status-lists']);
    const ask = async () =>
      (await fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams() })).status;
    expect([await ask(), await ask(), await ask()]).toEqual([expect.any(Number), expect.any(Number), 429]);
  });

  it('speaks to people without --json, and logs to standard error', async () => {
    const flags = ['--memory', '--port', '0', '--issuer', 'https://idp.example', '--log-level', 'info'];
    const { child, ended, firstLine } = program.start(['issuer', ...flags]);
    const first = await firstLine;
    expect(first).toMatch(
      /^service-auth issuer https:\/\/idp\.example listening on http:\/\/127\.0\.0\.1:\d+$/,
    );
    const url = first.slice(first.lastIndexOf(' ') + 1);
    const refused = await fetch(`${url}/admin/services`, { headers: { authorization: 'Bearer canary' } });
    expect(refused.status).toBe(401);
    child.kill('SIGTERM');
    const { code, stdout, stderr } = await ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nadmin token, shown once: saa_[\w-]{43}\n/);
    expect(lines(stderr).map(({ event }) => event)).toContain('issuer.request_refused');
    expect(stderr).not.toContain('canary');
  });

  it('says clearly that a port is in use, and ends with 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      const { code, stdout, stderr } = await program.run(['issuer', '--memory', '--port', String(port)]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
      expect(stderr).toContain(`port ${port} of 127.0.0.1 is in use`);
      expect(stderr).not.toContain('    at ');
    } finally {
      other.close();
    }
  });

  it.each<[string, string[], string]>([
    ['an unknown flag', ['--prot', '1'], '--prot'],
    ['an argument that is no flag', ['4000'], '4000'],
    ['a flag without its value', ['--port'], '--port'],
    ['a port that is no number', ['--port', 'http'], '--port must be a whole number; got "http"'],
    ['a port that is none', ['--port', '70000'], 'port must be a whole number from 0 to 65535'],
    ['an issuer on plain http', ['--issuer', 'http://idp.example'], 'issuer must be an https URL'],
    [
      'another algorithm',
      ['--signing-algorithm', 'HS256'],
      'must be one of ES256, EdDSA, RS256; got "HS256"',
    ],
    ['a lifetime of nothing', ['--access-token-seconds', '0'], 'accessTokenSeconds must be'],
    ['a host without an issuer', ['--host', '0.0.0.0'], 'issuer must be given'],
    ['a limit of no shape', ['--limit-client', '100'], '--limit-client must be off, or requests and seconds'],
    ['a limit of nothing', ['--limit-address', '0/60'], 'limits.address.requests must be'],
    ['another level', ['--log-level', 'trace'], '--log-level must be one of debug, info, warn, error'],
    ['half of TLS', ['--tls-key', 'package.json'], '--tls-key and --tls-cert must be given together'],
    ['TLS of no key', ['--tls-key', 'package.json', '--tls-cert', 'package.json'], 'in PEM'],
    [
      'a file that is not there',
      ['--seed', 'nowhere.json'],
      'the seed file cannot be read: nowhere.json (ENOENT)',
    ],
    ['seed secrets without seed', ['--seed-secrets', 'x'], '--seed-secrets needs --seed'],
    ['two places', ['--data', 'x'], '--memory and --data exclude each other'],
    ['threat 27: the admin token, which must not be a flag', ['--admin-token', 'x'], '--admin-token'],
  ])('%s is a mistake of the user: 2, and a hint', async (_, args, message) => {
    const { code, stdout, stderr } = await program.run(['issuer', '--memory', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('service-auth issuer --help');
  });

  it.each([
    ['SERVICE_AUTH_ADMIN_TOKEN', 'must be a text of at least 16 visible ASCII characters'],
    ['SERVICE_AUTH_SECRET_KEY', 'the secret key must be at least 32 bytes long'],
  ])('threat 27: a %s that is too short is refused without saying it', async (name, message) => {
    const { code, stderr } = await program.run(['issuer', '--memory', '--port', '0'], { [name]: 'canary' });
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('canary');
  });

  it('PostgreSQL needs a key, and a password in a flag is warned of', async () => {
    const url = 'postgres://user:canary@127.0.0.1:9/service_auth';
    const { code, stderr } = await program.run(['issuer', '--database-url', url]);
    expect(code).toBe(2);
    expect(stderr).toContain('PostgreSQL needs SERVICE_AUTH_SECRET_KEY');
    expect(stderr).toContain('WARNING: a password in --database-url shows up in process titles');
    const fromEnvironment = { SERVICE_AUTH_DATABASE_URL: url, SERVICE_AUTH_SECRET_KEY: secretKey };
    const unreachable = await program.run(['issuer', '--port', '0'], fromEnvironment);
    expect(unreachable.code).toBe(1);
    expect(unreachable.stderr).toMatch(/^service-auth issuer: PostgreSQL: .*ECONNREFUSED/);
    expect(unreachable.stderr).not.toContain('WARNING');
    expect(stderr + unreachable.stderr).not.toContain('canary');
    expect(unreachable.stderr).not.toContain('    at ');
  });
});

describe('service-auth issuer --data', () => {
  it('makes a key file of mode 0600, says so once, and finds everything again', async () => {
    const data = join(program.directory, 'kept');
    const environment = { SERVICE_AUTH_ADMIN_TOKEN: token };
    const first = await program.startIssuer(['--data', data], environment);
    const before = await (await fetch(`${first.url}/jwks`)).json();
    const { code, stdout } = await first.stop();
    expect(code).toBe(0);
    const path = join(data, 'secret-key');
    expect(lines(stdout)).toContainEqual(
      expect.objectContaining({ event: 'cli.secret_key_made', level: 'warn', path }),
    );
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect((await readdir(data)).filter((name) => name.startsWith('.'))).toEqual([]);
    const key = (await readFile(path, 'utf8')).trim();
    expect(stdout).not.toContain(key);

    await chmod(path, 0o644);
    const second = await program.startIssuer(['--data', data], environment);
    expect(await (await fetch(`${second.url}/jwks`)).json()).toEqual(before);
    const again = lines((await second.stop()).stdout).map(({ event }) => event);
    expect(again).not.toContain('cli.secret_key_made');
    expect(again).toContain('cli.secret_key_readable');
  });

  it('refuses data whose key is lost, rather than make another one', async () => {
    const data = join(program.directory, 'lost');
    await mkdir(data);
    await writeFile(join(data, 'issuer.db'), '');
    const { code, stderr } = await program.run(['issuer', '--data', data]);
    expect(code).toBe(2);
    expect(stderr).toContain(`there is data in ${data}, but no secret key`);
    expect(await readdir(data)).toEqual(['issuer.db']);
  });
});

describe('service-auth issuer --seed', () => {
  const given = 'a-secret-that-somebody-brought-along';
  const seed = {
    resources: [{ resource: 'https://orders.example', scopes: ['orders:read', 'orders:write'] }],
    services: [
      { clientId: 'orders', name: 'Orders', scopes: [], serves: ['https://orders.example'] },
      {
        clientId: 'billing',
        name: 'Billing',
        scopes: ['orders:write', 'orders:read'],
        resources: ['https://orders.example'],
        clientSecretEnv: 'BILLING_SECRET',
      },
    ],
  };
  const environment = { SERVICE_AUTH_ADMIN_TOKEN: token, BILLING_SECRET: given };

  async function seedFile(name: string, content: object): Promise<string> {
    const path = join(program.directory, name);
    await writeFile(path, JSON.stringify(content));
    return path;
  }

  async function tokenStatus({ url }: RunningIssuer, clientId: string, secret: string): Promise<number> {
    const authorization = `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}`;
    const body = new URLSearchParams({ grant_type: 'client_credentials' });
    return (await fetch(`${url}/token`, { method: 'POST', headers: { authorization }, body })).status;
  }

  it('creates what is missing, once, and says what differs', async () => {
    const data = join(program.directory, 'seeded');
    const secrets = join(program.directory, 'seed-secrets');
    const flags = ['--data', data, '--seed', await seedFile('seed.json', seed)];
    const first = await program.startIssuer([...flags, '--seed-secrets', secrets], environment);
    expect(await tokenStatus(first, 'billing', given)).toBe(200);
    const path = join(secrets, 'orders');
    const made = (await readFile(path, 'utf8')).trim();
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    expect(await tokenStatus(first, 'orders', made)).toBe(200);
    const { secrets: kept } = await (await admin('/services/billing', first)).json();
    expect(kept.length).toBe(1);
    const news = (await first.stop()).stdout;
    expect(lines(news).filter(({ event }) => event.startsWith('seed.'))).toMatchObject([
      { event: 'seed.resource_created', resource: 'https://orders.example' },
      { event: 'seed.service_created', clientId: 'orders', secretFile: path },
      { event: 'seed.service_created', clientId: 'billing' },
    ]);
    expect(news).not.toContain(made);
    expect(news).not.toContain(given);

    const [orders, billing] = seed.services;
    const other = { resources: seed.resources, services: [{ ...orders, name: 'Other' }, billing] };
    const changed = ['--data', data, '--seed', await seedFile('changed.json', other)];
    const second = await program.startIssuer(changed, { ...environment, BILLING_SECRET: `${given}-2` });
    expect(await tokenStatus(second, 'billing', given)).toBe(200);
    expect((await (await admin('/services/orders', second)).json()).name).toBe('Orders');
    const later = lines((await second.stop()).stdout).filter(({ event }) => event.startsWith('seed.'));
    expect(later).toMatchObject([
      { event: 'seed.service_differs', service: 'orders', problem: 'it differs in name' },
      { event: 'seed.service_differs', service: 'billing', problem: 'it has another secret' },
    ]);
  });

  it('prints made secrets once where no directory is named', async () => {
    const flags = ['--memory', '--seed', await seedFile('one.json', { services: [seed.services[0]] })];
    const issuer = await program.startIssuer(flags, environment);
    const { stdout } = await issuer.stop();
    const made = lines(stdout).find(({ event }) => event === 'seed.service_created')?.clientSecret;
    expect(made).toMatch(/^sas_/);
    expect(stdout.split(String(made)).length).toBe(2);
  });

  it.each<[string, object, string]>([
    ['no client id', { services: [{ name: 'A', scopes: [] }] }, 'not valid at services.0.clientId'],
    [
      'a short secret',
      { services: [{ clientId: 'a', name: 'A', scopes: [], clientSecret: 'canary' }] },
      '32 visible',
    ],
    [
      'a variable that is not set',
      { services: [{ clientId: 'a', name: 'A', scopes: [], clientSecretEnv: 'NOT_SET' }] },
      'NOT_SET, which the seed file names, must be set',
    ],
    ['a member that is unknown', { services: [], users: [] }, 'the seed file is not valid'],
  ])('%s is a mistake of the user', async (_, content, message) => {
    const path = await seedFile('wrong.json', content);
    const { code, stderr } = await program.run(['issuer', '--memory', '--port', '0', '--seed', path]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr).not.toContain('canary');
  });

  it('what the issuer refuses ends it, with the reason, and leaves no file', async () => {
    const content = { services: [seed.services[0], { clientId: 'a', name: 'A', scopes: ['no"quotes'] }] };
    const path = await seedFile('refused.json', content);
    const secrets = join(program.directory, 'refused-secrets');
    const flags = ['--memory', '--port', '0', '--seed', path, '--seed-secrets', secrets];
    const { code, stderr } = await program.run(['issuer', ...flags]);
    expect(code).toBe(1);
    expect(await readdir(secrets)).toEqual([]);
    expect(stderr).toContain("the seed's service a could not be created");
  });
});
