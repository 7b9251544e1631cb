import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import packageJson from '../../../package.json';
import { buildProgram, type Program } from './harness.ts';

let program: Program;

beforeAll(async () => {
  program = await buildProgram();
});
afterEach(() => program.endAll());
afterAll(() => program.remove());

describe('service-auth', () => {
  it.each([[['--help']], [['-h']], [['help']]])('%j shows the commands and the exit codes', async (args) => {
    const { code, stdout } = await program.run(args);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Usage: service-auth <command>/);
    for (const name of [
      'issuer',
      'services',
      'token',
      'call',
      'inspect',
      'doctor',
      'gateway',
      'Exit codes',
    ]) {
      expect(stdout).toContain(name);
    }
  });

  it.each(['--version', '-v'])('%s shows the version', async (flag) => {
    expect(await program.run([flag])).toEqual({ code: 0, stdout: `${packageJson.version}\n`, stderr: '' });
  });

  it('without a command shows the commands, and fails', async () => {
    const { code, stdout } = await program.run([]);
    expect(code).toBe(2);
    expect(stdout).toContain('Usage:');
  });

  it.each(['isuer', 'constructor', '__proto__'])(
    'the unknown command %s is named, with a hint',
    async (name) => {
      const { code, stderr } = await program.run([name]);
      expect(code).toBe(2);
      expect(stderr).toContain(`unknown command "${name}"`);
      expect(stderr).toContain('service-auth --help');
      expect(stderr.includes('did you mean issuer?')).toBe(name === 'isuer');
    },
  );

  it.each([
    ['services'],
    ['services', 'create'],
    ['services', 'rotate'],
    ['resources'],
    ['keys'],
    ['audit'],
    ['token'],
    ['call'],
    ['inspect'],
    ['doctor'],
    ['gateway'],
  ])('%s %s --help shows its options and exit codes', async (...words) => {
    const { code, stdout, stderr } = await program.run([...words, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^Usage: service-auth ${words.join(' ')}`));
    expect(stdout).toContain('--json');
    expect(stdout).toContain('Exit codes:');
  });

  it.each<[string, string[], string]>([
    [
      'an unknown flag, with what was meant',
      ['token', '--isuer', 'x'],
      'unknown option "--isuer"; did you mean --issuer?',
    ],
    ['an unknown flag of nothing near', ['token', '--colour'], 'unknown option "--colour"'],
    ['an unknown command of a group', ['services', 'creat'], 'did you mean create?'],
    ['a group without command', ['services'], 'say what to do: create, list'],
    ['a missing argument', ['services', 'show'], 'the client id is missing'],
    ['one argument too many', ['services', 'list', 'x'], 'unexpected argument "x"'],
    ['no issuer', ['services', 'list'], 'give --issuer, or set SERVICE_AUTH_ISSUER'],
    ['no admin token', ['keys', 'list', '--issuer', 'https://idp.example'], 'set SERVICE_AUTH_ADMIN_TOKEN'],
    ['no client', ['token', '--issuer', 'https://idp.example'], 'SERVICE_AUTH_CLIENT_ID'],
    ['no secret', ['token', '--issuer', 'https://idp.example', '--client-id', 'a'], 'clientSecret'],
    ['a wrong time', ['services', 'rotate', 'a', '--overlap', 'soon'], '--overlap must be a time such as'],
    ['a revocation that may be a slip', ['services', 'revoke', 'a'], 'give --yes if that is meant'],
    ['no URL', ['call', 'orders'], 'the URL must be an http or https URL'],
    [
      'a credential among headers',
      ['call', 'https://a.example', '-H', 'authorization: canary'],
      'leave it out',
    ],
    ['an inspection of nothing', ['inspect', '-'], 'there is no token to inspect'],
    ['a doctor without patient', ['doctor'], 'give --issuer'],
  ])('%s is a mistake of the user: 2, and a hint', async (_, args, message) => {
    const { code, stdout, stderr } = await program.run(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain(message);
    expect(stderr).toContain('--help for its options');
    expect(stderr).not.toContain('canary');
    expect(stderr).not.toContain('    at ');
  });

  it.each<[string[], string]>([
    [['token', '--client-secret', 'canary'], 'SERVICE_AUTH_CLIENT_SECRET_FILE'],
    [['token', '--client-secret=canary'], 'SERVICE_AUTH_CLIENT_SECRET_FILE'],
    [['services', 'list', '--admin-token', 'canary'], 'SERVICE_AUTH_ADMIN_TOKEN_FILE'],
    [['issuer', '--secret-key', 'canary'], 'SERVICE_AUTH_SECRET_KEY_FILE'],
    [['inspect', '--token', 'canary'], 'on standard input'],
    [['call', 'https://a.example', '--on-behalf-of', 'canary'], '@FILE or env:NAME'],
  ])('threat 27: %j is refused, with what to do instead, and not said again', async (args, advice) => {
    const { code, stderr } = await program.run(args);
    expect(code).toBe(2);
    expect(stderr).toContain(advice);
    expect(stderr).not.toContain('canary');
  });

  it('threat 27: what may be a token in the wrong place is not said again', async () => {
    const { stderr } = await program.run(['token', 'canary'.repeat(10)]);
    expect(stderr).toContain('unexpected argument of 60 characters');
    expect(stderr).not.toContain('canary');
  });

  it('leads to the help of the command of a group', async () => {
    const { stderr } = await program.run(['services', 'create', '--nme', 'x']);
    expect(stderr).toContain('did you mean --name?');
    expect(stderr).toContain('Run service-auth services create --help for its options.');
  });

  it('--json also tells a failure as one document', async () => {
    const document = await program.json(['services', 'list']);
    expect(document).toEqual({
      error: { message: 'give --issuer, or set SERVICE_AUTH_ISSUER', exitCode: 2 },
      code: 2,
    });
  });

  it('an issuer that is out of reach is 3: nothing can be said', async () => {
    const environment = {
      SERVICE_AUTH_ISSUER: 'http://127.0.0.1:9',
      SERVICE_AUTH_CLIENT_ID: 'a',
      SERVICE_AUTH_CLIENT_SECRET: 'canary',
      SERVICE_AUTH_ADMIN_TOKEN: 'canary',
    };
    for (const args of [['token'], ['services', 'list'], ['call', 'https://a.example/'], ['doctor']]) {
      const { code, stdout, stderr } = await program.run(args, environment);
      expect({ args, code }).toEqual({ args, code: 3 });
      expect(stdout + stderr).toContain('127.0.0.1:9');
      expect(stdout + stderr).not.toContain('canary');
      expect(stderr).not.toContain('    at ');
    }
  });
});
