import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IssuerStub, publishes, startIssuerStub } from '../../helpers/issuer-stub.ts';
import { audience, createKey, mint, type TestKey } from '../../helpers/tokens.ts';
import { buildProgram, type Program } from './harness.ts';

let program: Program;
let issuer: IssuerStub;
let key: TestKey;

const now = Math.floor(Date.now() / 1000);

interface Report {
  readonly verdict: string;
  readonly checks: readonly { check: string; status: string; found: string; hint?: string }[];
  readonly claims: Record<string, unknown>;
}

beforeAll(async () => {
  program = await buildProgram();
  key = await createKey('ES256');
  issuer = await startIssuerStub(
    publishes(
      () => issuer.url,
      () => ({ keys: [key.publicJwk] }),
    ),
  );
});
afterAll(async () => {
  await issuer.close();
  await program.remove();
});

/** A token that is good now, but for these claims. */
function token(claims: object = {}, header: object = {}): Promise<string> {
  return mint(key, { iss: issuer.url, iat: now - 10, exp: now + 290, ...claims }, header);
}

async function inspect(text: string, flags: readonly string[] = ['--audience', audience], environment = {}) {
  const args = ['inspect', '--issuer', issuer.url, ...flags, '-'];
  const report = await program.json<Report>(args, environment, text);
  const failures = report.checks.filter(({ status }) => status === 'failure');
  return { ...report, failures, of: (check: string) => report.checks.find((one) => one.check === check) };
}

describe('service-auth inspect', () => {
  it('accepts a good token, and says what each check found', async () => {
    const good = await token();
    const { code, verdict, checks, claims } = await inspect(`Authorization: Bearer ${good}\n`);
    expect({ code, verdict }).toEqual({ code: 0, verdict: 'accepted' });
    expect(checks.every(({ status }) => status === 'ok')).toBe(true);
    expect(checks.map(({ check }) => check)).toEqual([
      'format',
      'issuer',
      'algorithm',
      'type',
      'key',
      'signature',
      'claims',
      'expiry',
      'audience',
      'binding',
    ]);
    expect(claims.sub).toBe('billing');
  });

  it('never prints the token or its signature', async () => {
    const good = await token();
    const args = ['inspect', '--issuer', issuer.url, '--audience', audience, good];
    const { code, stdout, stderr } = await program.run(args);
    expect(code).toBe(0);
    for (const part of good.split('.')) expect(stdout + stderr).not.toContain(part);
    expect(stdout).toMatch(/ok {4}expiry .*\(in 4 minutes\)/);
    expect(stdout).not.toContain('\u001b[');
    expect(stdout.trimEnd().endsWith('accepted')).toBe(true);
  });

  it('has colours where they are forced', async () => {
    const args = ['inspect', '--issuer', issuer.url, '-'];
    const { stdout } = await program.run(args, { FORCE_COLOR: '1' }, await token());
    expect(stdout).toContain('\u001b[32mok');
  });

  it.each<[string, object, string, string, RegExp]>([
    [
      'an expired one',
      { iat: now - 4000, exp: now - 3700 },
      'expiry',
      'expired',
      /expires \S+ \(\d+ minutes ago\)/,
    ],
    ['one of tomorrow', { nbf: now + 90_000, exp: now + 90_300 }, 'expiry', 'not_yet_valid', /not before/],
    [
      'one of another audience',
      { aud: 'https://stock.example' },
      'audience',
      'wrong_audience',
      /stock\.example/,
    ],
    ['one of another issuer', { iss: 'https://other.example' }, 'issuer', 'unknown_issuer', /other\.example/],
    ['one without expiry', { exp: undefined }, 'claims', 'invalid_claim', /exp/],
  ])('refuses %s', async (_, claims, check, reason, found) => {
    const { code, verdict, failures } = await inspect(await token(claims));
    expect({ code, verdict }).toEqual({ code: 1, verdict: 'refused' });
    expect(failures).toMatchObject([{ check, found: expect.stringContaining(`${reason}: `) }]);
    expect(failures[0]?.found).toMatch(found);
  });

  it('says that audience or issuer differ by a slash alone', async () => {
    const byAudience = await inspect(await token({ aud: `${audience}/` }));
    expect(byAudience.failures[0]?.hint).toContain('a slash at the end alone');
    const byIssuer = await inspect(await token({ iss: `${issuer.url}/` }));
    expect(byIssuer.failures[0]?.hint).toContain('a slash at the end alone');
    expect(byIssuer.of('signature')).toMatchObject({ status: 'skipped' });
  });

  it('finds all that is wrong, not the first fault alone', async () => {
    const bad = await token({ aud: 'https://stock.example', exp: now - 60, iat: now - 360 });
    const policy = ['--scope', 'admin', '--client', 'shop', '--sender-constrained', '--service-only'];
    const { failures } = await inspect(bad, ['--audience', audience, '--typ', 'jwt', ...policy]);
    expect(failures.map(({ found }) => found.split(':', 1)[0])).toEqual([
      'wrong_typ',
      'expired',
      'wrong_audience',
      'client_not_allowed',
      'token_not_bound',
      'insufficient_scope',
    ]);
  });

  it('a changed signature, and a key that is not published, end it there', async () => {
    const good = await token();
    const changed = good.slice(0, -6) + (good.endsWith('AAAAAA') ? 'BBBBBB' : 'AAAAAA');
    const byOther = await mint(await createKey('ES256', 'other'), {
      iss: issuer.url,
      exp: now + 300,
      iat: now,
    });
    expect((await inspect(changed)).failures).toMatchObject([{ check: 'signature' }]);
    const { failures, of } = await inspect(byOther);
    expect(failures).toMatchObject([{ check: 'key' }]);
    expect(of('expiry')?.status).toBe('skipped');
  });

  it('judges by a policy file', async () => {
    const path = join(program.directory, 'policy.json');
    await writeFile(
      path,
      JSON.stringify({ scope: { anyOf: ['orders:read', 'admin'] }, clients: ['billing'] }),
    );
    expect((await inspect(await token(), ['--policy', path])).code).toBe(0);
    const { code, of } = await inspect(await token({ scope: 'stock:read' }), ['--policy', path]);
    expect(code).toBe(1);
    expect(of('policy')).toMatchObject({ status: 'failure', hint: expect.stringContaining('service-auth') });
    await writeFile(path, JSON.stringify({ scopes: ['a'] }));
    const { code: wrong, stderr } = await program.run(
      ['inspect', '--issuer', issuer.url, '--policy', path, '-'],
      {},
      await token(),
    );
    expect(wrong).toBe(2);
    expect(stderr).toContain('did you mean scope?');
  });

  it('an audience that was not given is a warning', async () => {
    const { code, of } = await inspect(await token(), []);
    expect(code).toBe(0);
    expect(of('audience')).toMatchObject({ status: 'warning', hint: expect.stringContaining('--audience') });
  });

  it('says what a bound token is bound to', async () => {
    const dpop = await inspect(await token({ cnf: { jkt: 'a'.repeat(43) } }), ['--sender-constrained']);
    expect(dpop.code).toBe(0);
    expect(dpop.of('binding')?.found).toContain('bound to the DPoP key');
    const mtls = await inspect(await token({ cnf: { 'x5t#S256': 'a'.repeat(43) } }), []);
    expect(mtls).toMatchObject({ code: 1, verdict: 'refused' });
    expect(mtls.of('binding')?.hint).toContain('--certificate');
  });

  it('an opaque token cannot be decided without introspection', async () => {
    const { code, verdict, failures } = await inspect('an-opaque-token');
    expect({ code, verdict }).toEqual({ code: 3, verdict: 'undecided' });
    expect(failures[0]?.hint).toContain('--introspect');
  });

  it('says nothing of an introspection that was not made', async () => {
    const environment = { SERVICE_AUTH_CLIENT_ID: 'orders', SERVICE_AUTH_CLIENT_SECRET: 'canary' };
    const { code, of } = await inspect(
      await token({ iss: 'https://other.example' }),
      ['--introspect'],
      environment,
    );
    expect(code).toBe(1);
    expect(of('introspection')).toMatchObject({ status: 'skipped' });
  });

  it('an issuer that is out of reach leaves it undecided', async () => {
    const far = 'http://127.0.0.1:9';
    const args = ['inspect', '--issuer', far, '-'];
    const { code, checks } = await program.json<Report>(args, {}, await token({ iss: far }));
    expect(code).toBe(3);
    expect(checks.find(({ check }) => check === 'key')).toMatchObject({ status: 'undecided' });
  });

  it('control characters of a token move no cursor', async () => {
    const args = ['inspect', '--issuer', issuer.url, '-'];
    const { stdout } = await program.run(args, {}, await token({ sub: 'a\u009b2J', client_id: '\u001b[2J' }));
    expect(stdout).not.toContain('\u001b');
    expect(stdout).not.toContain('\u009b');
  });
});
