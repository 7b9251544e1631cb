import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'tsup';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../../package.json';

let directory = '';
let program = '';
const running: ChildProcess[] = [];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'service-auth-cli-'));
  program = join(directory, 'main.mjs');
  await build({
    config: false,
    entry: ['src/cli/main.ts'],
    format: 'esm',
    target: 'node20',
    outDir: directory,
    outExtension: () => ({ js: '.mjs' }),
    noExternal: [/./],
    silent: true,
  });
});

afterEach(() => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
});

afterAll(async () => {
  await rm(directory, { recursive: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function start(args: readonly string[], environment: Record<string, string> = {}) {
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  running.push(child);
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  const lines = createInterface({ input: child.stdout });
  const line = (): Promise<string> => new Promise((resolve) => lines.once('line', resolve));
  return { child, ended, firstLine: line() };
}

function run(...args: string[]): Promise<Ended> {
  return start(args).ended;
}

describe('service-auth', () => {
  it.each([[['--help']], [['-h']], [['help']]])('%j shows the commands', async (args) => {
    const { code, stdout } = await run(...args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: service-auth <command>/);
    expect(stdout).toContain('issuer');
  });

  it.each(['--version', '-v'])('%s shows the version', async (flag) => {
    expect(await run(flag)).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
  });

  it('without a command shows the commands, and fails', async () => {
    const { code, stdout } = await run();
    expect(code).toBe(2);
    expect(stdout).toContain('Usage:');
  });

  it.each(['isuer', 'constructor', '__proto__'])(
    'the unknown command %s is named, with a hint',
    async (name) => {
      const { code, stderr } = await run(name);
      expect(code).toBe(2);
      expect(stderr).toContain(`unknown command "${name}"`);
      expect(stderr).toContain('service-auth --help');
    },
  );
});

describe('service-auth issuer', () => {
  it('--help shows its options', async () => {
    const { code, stdout } = await run('issuer', '--help');
    expect(code).toBe(0);
    for (const text of ['--port', '--host', '--issuer', '--json', 'SERVICE_AUTH_ADMIN_TOKEN']) {
      expect(stdout).toContain(text);
    }
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'serves until %s, and says in one line of JSON where',
    async (signal) => {
      const token = 'an-admin-token-from-outside';
      const args = [
        'issuer',
        '--port',
        '0',
        '--json',
        '--signing-algorithm',
        'EdDSA',
        '--resource',
        'https://a.example',
      ];
      const { child, ended, firstLine } = start(args, { SERVICE_AUTH_ADMIN_TOKEN: token });
      const { url, ...rest } = JSON.parse(await firstLine);
      expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/);
      expect(rest).toEqual({ event: 'listening', issuer: url, pid: child.pid });
      const { keys } = await (await fetch(`${url}/jwks`)).json();
      expect(keys[0].alg).toBe('EdDSA');
      const headers = { authorization: `Bearer ${token}` };
      expect((await fetch(`${url}/admin/services`, { headers })).status).toBe(200);
      child.kill(signal);
      const { code, stdout, stderr } = await ended;
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout.trimEnd().split('\n').length).toBe(1);
      expect(stdout).not.toContain(token);
    },
  );

  it('makes an admin token where none is set, and prints it once', async () => {
    const { child, ended, firstLine } = start(['issuer', '--port', '0', '--json']);
    const { url, adminToken } = JSON.parse(await firstLine);
    const headers = { authorization: `Bearer ${adminToken}` };
    expect((await fetch(`${url}/admin/services`, { headers })).status).toBe(200);
    child.kill('SIGTERM');
    const { stdout } = await ended;
    expect(stdout.split(adminToken).length).toBe(2);
  });

  it('speaks to people without --json', async () => {
    const { child, ended, firstLine } = start(['issuer', '--port', '0', '--issuer', 'https://idp.example']);
    expect(await firstLine).toMatch(
      /^service-auth issuer https:\/\/idp\.example listening on http:\/\/127\.0\.0\.1:\d+$/,
    );
    child.kill('SIGTERM');
    const { code, stdout } = await ended;
    expect(code).toBe(0);
    expect(stdout).toMatch(/\nadmin token, shown once: saa_[\w-]{43}\n/);
  });

  it('says clearly that a port is in use, and ends with 1', async () => {
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve));
    try {
      const { port } = other.address() as AddressInfo;
      const { code, stdout, stderr } = await run('issuer', '--port', String(port));
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
    ['threat 27: the admin token, which must not be a flag', ['--admin-token', 'x'], '--admin-token'],
  ])('%s is a mistake of the user: 2, and a hint', async (_, args, message) => {
    const { code, stdout, stderr } = await run('issuer', ...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('service-auth issuer --help');
  });

  it('threat 27: an admin token that is too short is refused without saying it', async () => {
    const { code, stderr } = await start(['issuer', '--port', '0'], { SERVICE_AUTH_ADMIN_TOKEN: 'canary' })
      .ended;
    expect(code).toBe(2);
    expect(stderr).toContain(
      'SERVICE_AUTH_ADMIN_TOKEN must be a text of at least 16 visible ASCII characters',
    );
    expect(stderr).not.toContain('canary');
  });
});
