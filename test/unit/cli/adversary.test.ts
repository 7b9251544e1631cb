/** What an adversary tries at the commands: names, answers, files and streams that mean harm. */
import { execFile, spawn } from 'node:child_process';
import { chmod, mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createJournal } from '../../../src/cli/journal.ts';
import { createOutput } from '../../../src/cli/output.ts';
import { buildProgram, type Program, type RunningIssuer, serve, type TestServer } from './harness.ts';

const run = promisify(execFile);
const adminToken = 'an-admin-token-from-outside';
const ESCAPE = '\u001b]0;owned\u0007\u009b2J\u202e';
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
const CONTROLS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e]/;

let program: Program;
let issuer: RunningIssuer;
let hostile: TestServer;
let answer: (request: IncomingMessage, response: ServerResponse) => void;

beforeAll(async () => {
  program = await buildProgram();
  issuer = await program.startIssuer(['--memory'], { SERVICE_AUTH_ADMIN_TOKEN: adminToken });
  hostile = await serve((request, response) => answer(request, response));
});
afterAll(async () => {
  program.endAll();
  await hostile.close();
  await program.remove();
});

const admin = () => ({ SERVICE_AUTH_ISSUER: issuer.url, SERVICE_AUTH_ADMIN_TOKEN: adminToken });
const hostileAdmin = () => ({ SERVICE_AUTH_ISSUER: hostile.url, SERVICE_AUTH_ADMIN_TOKEN: adminToken });
const file = (name: string) => join(program.directory, name);

function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

const time = '2026-01-01T00:00:00Z';
const evilService = {
  clientId: `a${ESCAPE}`,
  name: `a${ESCAPE}\nroot  admin`,
  scopes: [`s${ESCAPE}`],
  resources: [],
  serves: [],
  authMethods: [],
  tokenFormat: 'jwt',
  dpopBound: false,
  certificateBound: false,
  federatedIdentities: [],
  secrets: [],
  createdAt: time,
  updatedAt: time,
  version: 1,
};

describe('a file of variables', () => {
  it.each([
    "a'b",
    '$(touch$IFS$1owned)',
    '`touch$IFS$1owned`',
    'a"b',
    'a\\',
    '-n',
    '~',
    '!!',
    '#',
    '*',
    'a;b',
    '$HOME',
    "'$(id)'",
  ])('is read by a shell as it was meant: %s', async (clientId) => {
    const args = ['services', 'create', '--name', 'a', '--scope', 'read', `--client-id=${clientId}`];
    const { stdout } = await program.run(args, admin());
    await writeFile(file('billing.env'), stdout);
    const script = '. "$0"; printf %s "$SERVICE_AUTH_CLIENT_ID"';
    const shell = await run('sh', ['-c', script, file('billing.env')], { cwd: program.directory });
    expect(shell).toEqual({ stdout: clientId, stderr: '' });
    await expect(stat(file('owned'))).rejects.toThrow('ENOENT');
  });

  it.each(['a\nLD_PRELOAD=evil', 'a\rb', ESCAPE])(
    'is not made of an answer that would add lines: %j',
    async (clientId) => {
      answer = (_, response) => json(response, { ...evilService, clientId, clientSecret: 'sas_x' }, 201);
      const args = ['services', 'create', '--name', 'a', '--scope', 'read'];
      const { code, stdout, stderr } = await program.run(args, hostileAdmin());
      expect([code, stdout]).toEqual([1, '']);
      expect(stderr).toContain('control characters');
      expect(stderr).not.toMatch(CONTROLS);
    },
  );
});

describe('a terminal is not steered', () => {
  const cases: [string, string[], unknown][] = [
    ['services list', ['services', 'list', '--all'], { services: [evilService] }],
    ['services show', ['services', 'show', 'a'], evilService],
    ['services update', ['services', 'update', 'a', '--name', 'b'], evilService],
    [
      'resources list',
      ['resources', 'list'],
      {
        resources: [
          {
            resource: `u${ESCAPE}`,
            name: 'a\nb',
            scopes: [ESCAPE],
            createdAt: time,
            updatedAt: time,
            version: 1,
          },
        ],
      },
    ],
    [
      'resources create',
      ['resources', 'create', 'urn:a'],
      { resource: `u${ESCAPE}`, createdAt: time, updatedAt: time, version: 1 },
    ],
    [
      'keys list',
      ['keys', 'list'],
      { keys: [{ kid: ESCAPE, algorithm: ESCAPE, state: 'active', createdAt: time, activeFrom: time }] },
    ],
    [
      'keys rotate',
      ['keys', 'rotate'],
      { kid: ESCAPE, algorithm: ESCAPE, state: 'active', createdAt: time, activeFrom: time },
    ],
    [
      'audit',
      ['audit'],
      { entries: [{ sequence: 1, at: time, actor: ESCAPE, action: 'a\nb', target: ESCAPE }] },
    ],
    [
      'a refusal',
      ['services', 'list'],
      {
        type: 'about:blank',
        title: 'x',
        status: 400,
        detail: `no${ESCAPE}`,
        code: ESCAPE,
        errors: [{ path: ESCAPE, message: ESCAPE }],
      },
    ],
    ['doctor', ['doctor'], { issuer: `https://x.example/${ESCAPE}\nok    keys   good` }],
    ['token', ['token'], { error: 'invalid_client', error_description: ESCAPE }],
  ];
  it.each(cases)('%s', async (name, args, body) => {
    answer = (_, response) => json(response, body, name === 'a refusal' ? 400 : 200);
    const environment = { ...hostileAdmin(), SERVICE_AUTH_CLIENT_ID: 'a', SERVICE_AUTH_CLIENT_SECRET: 'b' };
    for (const more of [[], ['--json']]) {
      const { stdout, stderr } = await program.run([...args, ...more], environment);
      expect(stdout).not.toMatch(CONTROLS);
      expect(stderr).not.toMatch(CONTROLS);
      expect(stdout).not.toMatch(/^(ok {4}keys|root|b\b)/m);
    }
  });

  it('by logs of an issuer', () => {
    const lines: string[] = [];
    const log = vi.spyOn(console, 'log').mockImplementation((text) => void lines.push(text));
    try {
      const journal = createJournal(true, 'debug');
      journal.open({}, '');
      journal.onEvent({ type: 'issuer.service_created', at: 0, clientId: ESCAPE });
      createOutput(true).result({ name: ESCAPE }, () => '');
    } finally {
      log.mockRestore();
    }
    expect(lines.join('\n')).not.toMatch(CONTROLS);
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ name: ESCAPE });
  });

  it('by the body of an answer, where one sees it', async () => {
    answer = (request, response) => {
      const { url = '' } = request;
      if (url.startsWith('/.well-known')) {
        return json(response, {
          issuer: hostile.url,
          token_endpoint: `${hostile.url}/token`,
          jwks_uri: hostile.url,
        });
      }
      if (url === '/token')
        return json(response, { access_token: 'x', token_type: 'Bearer', expires_in: 60 });
      response.end(`body${ESCAPE}\u00e9\tend`);
    };
    const command = [process.execPath, program.path, 'call', `${hostile.url}/x`].join(' ');
    const env = {
      ...process.env,
      SERVICE_AUTH_ISSUER: hostile.url,
      SERVICE_AUTH_CLIENT_ID: 'a',
      SERVICE_AUTH_CLIENT_SECRET: 'b',
    };
    const terminal = await run('script', ['-qec', command, '/dev/null'], { env });
    expect(terminal.stdout).toContain('body');
    expect(terminal.stdout).toContain('\u00e9\tend');
    expect(terminal.stdout.replaceAll(/[\r\t]/g, '')).not.toMatch(CONTROLS);
  });
});

describe('an issuer or service that does not let go', () => {
  const endless = (response: ServerResponse): void => {
    response.writeHead(200, { 'content-type': 'application/json' });
    const more = (): void => {
      while (!response.destroyed && response.write('x'.repeat(65_536)));
    };
    response.on('drain', more);
    more();
  };
  const token = `${Buffer.from('{"alg":"ES256","kid":"a"}').toString('base64url')}.e30.${'A'.repeat(86)}`;
  const commands: [string, string[]][] = [
    ['token', ['token']],
    ['inspect', ['inspect', token]],
    ['doctor', ['doctor', '--timeout-ms', '300']],
    ['services list', ['services', 'list']],
  ];
  const ways: [string, (response: ServerResponse) => void][] = [
    ['an endless body', endless],
    ['a redirect', (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end()],
    [
      'a lying Content-Length',
      (response) => {
        response.writeHead(200, { 'content-length': '50' });
        response.write('{}');
        response.socket?.end();
      },
    ],
    ['a huge header', (response) => response.writeHead(200, { 'x-a': 'a'.repeat(200_000) }).end('{}')],
    ['depth', (response) => response.end('['.repeat(50_000))],
    [
      '__proto__',
      (response) => response.end('{"__proto__":{"issuer":"x","keys":[]},"services":{"length":1e9}}'),
    ],
  ];
  it.each(
    commands.flatMap(([name, args]) => ways.map(([way, respond]) => [name, way, args, respond] as const)),
  )(
    '%s ends by %s',
    async (_, __, args, respond) => {
      answer = (_request, response) => respond(response);
      const environment = {
        ...hostileAdmin(),
        SERVICE_AUTH_CLIENT_ID: 'a',
        SERVICE_AUTH_CLIENT_SECRET: 'b-secret',
      };
      const { code, stdout, stderr } = await program.run([...args, '--json'], environment);
      expect([1, 3]).toContain(code);
      expect(() => JSON.parse(stdout)).not.toThrow();
      expect(stdout + stderr).not.toContain('b-secret');
      expect(stderr).not.toContain('    at ');
    },
    20_000,
  );

  it('call --json keeps no endless body', async () => {
    answer = ({ url = '' }, response) => {
      if (url.startsWith('/.well-known')) {
        return json(response, {
          issuer: hostile.url,
          token_endpoint: `${hostile.url}/token`,
          jwks_uri: hostile.url,
        });
      }
      if (url === '/token')
        return json(response, { access_token: 'x', token_type: 'Bearer', expires_in: 60 });
      endless(response);
    };
    const environment = {
      SERVICE_AUTH_ISSUER: hostile.url,
      SERVICE_AUTH_CLIENT_ID: 'a',
      SERVICE_AUTH_CLIENT_SECRET: 'b',
    };
    const started = program.start(['call', `${hostile.url}/x`, '--json'], environment);
    const { code, stdout } = await started.ended;
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, 'response_too_large']);
  }, 20_000);
});

describe('secrets in the wrong place', () => {
  const secret = 'sas_0123456789abcdef0123456789abcdef';
  const key = `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n-----END PRIVATE KEY-----`;
  it.each<[string, string[], Record<string, string>]>([
    ['a token in place of its file', ['services', 'list'], { SERVICE_AUTH_ADMIN_TOKEN_FILE: secret }],
    ['a key in place of its file', ['issuer', '--memory'], { SERVICE_AUTH_SECRET_KEY_FILE: secret }],
    ['a private key in place of its file', ['token', '--client-id', 'a', '--private-key', key], {}],
    ['a TLS key in place of its file', ['issuer', '--memory', '--tls-key', key, '--tls-cert', key], {}],
    ['a secret as a number', ['audit', '--limit', `${secret}${secret}`], {}],
    ['a secret as a word', ['token', '--auth', `${secret}${secret}`], {}],
    ['a secret as a time', ['services', 'rotate', 'a', '--overlap', `${secret}${secret}`], {}],
    ['a limit', ['issuer', '--memory', '--limit-client', `${secret}${secret}`], {}],
  ])('%s is not said again', async (_, args, more) => {
    const environment = { SERVICE_AUTH_ISSUER: issuer.url, ...more };
    const { code, stdout, stderr } = await program.run([...args, '--json'], environment);
    expect(code).toBe(2);
    expect(stdout + stderr).not.toContain(secret);
    expect(stdout + stderr).not.toContain('A'.repeat(20));
    expect(JSON.parse(stdout).error.exitCode).toBe(2);
  });
});

describe('files and streams', () => {
  it('a secret is written through no link, and over no file', async () => {
    await writeFile(file('victim'), 'before');
    await symlink(file('victim'), file('link'));
    await symlink(file('nowhere'), file('dangling'));
    for (const name of ['victim', 'link', 'dangling']) {
      const args = [
        'services',
        'create',
        '--name',
        'a',
        '--scope',
        'read',
        '--client-id',
        `link-${name}`,
        '--secret-file',
        file(name),
      ];
      expect((await program.run(args, admin())).code).toBe(2);
      expect((await program.run(['services', 'show', `link-${name}`], admin())).code).toBe(1);
    }
    expect(await readFile(file('victim'), 'utf8')).toBe('before');
    await expect(stat(file('nowhere'))).rejects.toThrow('ENOENT');
  });

  it('another secret key for data that is there is told as such', async () => {
    const data = file('data');
    const first = await program.startIssuer(['--data', data], { SERVICE_AUTH_SECRET_KEY: 'a'.repeat(32) });
    await first.stop();
    const second = await program.run(['issuer', '--data', data, '--port', '0'], {
      SERVICE_AUTH_SECRET_KEY: 'b'.repeat(32),
    });
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(/secret ?key/i);
    expect(second.stderr).not.toContain('    at ');
    for (const name of ['issuer.db']) expect((await stat(join(data, name))).mode & 0o077).toBe(0);
  });

  it('a directory that cannot be made is told', async () => {
    await writeFile(file('plain'), '');
    const { code, stderr } = await program.run(['issuer', '--data', join(file('plain'), 'x')]);
    expect([1, 2]).toContain(code);
    expect(stderr).toContain('ENOTDIR');
    expect(stderr).not.toContain('    at ');
  });

  it('a key file that others may read is warned of', async () => {
    const data = file('readable');
    await mkdir(data);
    await writeFile(join(data, 'secret-key'), 'k'.repeat(40));
    await chmod(join(data, 'secret-key'), 0o644);
    const started = await program.startIssuer(['--data', data]);
    expect((await started.stop()).stdout).toContain('cli.secret_key_readable');
  });

  it.each(['stdout', 'stderr'] as const)('an issuer outlives the reader of its %s', async (stream) => {
    const child = spawn(
      process.execPath,
      [program.path, 'issuer', '--memory', '--port', '0', '--json', '--log-level', 'debug'],
      {
        env: { PATH: process.env.PATH, SERVICE_AUTH_ADMIN_TOKEN: adminToken },
      },
    );
    const exited = new Promise<number | null>((resolve) => child.once('exit', resolve));
    const first = await new Promise<string>((resolve) =>
      child.stdout.once('data', (chunk) => resolve(String(chunk))),
    );
    const { url } = JSON.parse(first.split('\n', 1)[0] ?? '');
    child[stream].destroy();
    for (let turn = 0; turn < 3; turn++) {
      expect((await fetch(`${url}/admin/services`)).status).toBe(401);
    }
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('a failing command whose standard error is gone ends with its code', async () => {
    const child = spawn(process.execPath, [program.path, 'services', 'list'], {
      env: { PATH: process.env.PATH },
    });
    child.stderr.destroy();
    expect(await new Promise((resolve) => child.once('exit', resolve))).toBe(2);
  });

  it.each([
    ['nope', '--json'],
    ['eyJ'.repeat(30), '--json'],
    ['services', 'nope', '--json'],
    ['services', '--json'],
    ['--json'],
  ])('--json also tells what is no command: %s %s', async (...args) => {
    const { code, stdout, stderr } = await program.run(args, {});
    expect(stderr).not.toContain('eyJeyJ');
    expect([code, JSON.parse(stdout).error.exitCode]).toEqual([2, 2]);
  });

  it.each(['<&-', '</', '</dev/null', `< "$0"`])('standard input of %s is no token', async (input) => {
    await writeFile(file('bytes'), Buffer.from([0xff, 0xfe, 0x00, 0x80]));
    const script = `exec ${process.execPath} ${program.path} inspect --issuer ${hostile.url} - ${input}`;
    const child = spawn('sh', ['-c', script, file('bytes')], { stdio: 'pipe' });
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const code = await new Promise((resolve) => child.once('close', resolve));
    expect([1, 2, 3]).toContain(code);
    expect(stderr).not.toContain('    at ');
  });
});
