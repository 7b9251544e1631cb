import { generateKeyPairSync } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type IssuerStub, startIssuerStub } from '../../helpers/issuer-stub.ts';
import { createKey, type TestKey } from '../../helpers/tokens.ts';
import { buildProgram, type Program, serve } from './harness.ts';

let program: Program;
let issuer: IssuerStub;
let key: TestKey;

interface Report {
  readonly ok: boolean;
  readonly checks: readonly { check: string; status: string; found: string; hint?: string }[];
}

interface Behaviour {
  readonly metadata?: object;
  readonly keys?: readonly object[];
  /** How far its clock is ahead. */
  readonly aheadMs?: number;
  readonly introspection?: object;
  readonly introspectionStatus?: number;
  readonly token?: object;
  readonly tokenStatus?: number;
  readonly metadataStatus?: number;
}

beforeAll(async () => {
  program = await buildProgram();
  key = await createKey('ES256');
  issuer = await startIssuerStub((_, response) => response.end());
});
afterAll(async () => {
  await issuer.close();
  await program.remove();
});

/** An issuer that is good but for what is said here. */
function behave(behaviour: Behaviour = {}): void {
  const { url } = issuer;
  const metadata = {
    issuer: url,
    token_endpoint: `${url}/token`,
    jwks_uri: `${url}/jwks`,
    introspection_endpoint: `${url}/introspect`,
    ...behaviour.metadata,
  };
  const send = (response: ServerResponse, json: object, status = 200): void => {
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(json));
  };
  issuer.answer = ({ url: path = '' }, response) => {
    response.setHeader('date', new Date(Date.now() + (behaviour.aheadMs ?? 0)).toUTCString());
    if (path === '/jwks') return send(response, { keys: behaviour.keys ?? [key.publicJwk] });
    if (path === '/token') return send(response, behaviour.token ?? {}, behaviour.tokenStatus);
    if (path === '/introspect') {
      return send(response, behaviour.introspection ?? { active: false }, behaviour.introspectionStatus);
    }
    return send(response, metadata, behaviour.metadataStatus);
  };
}

async function examine(flags: readonly string[] = [], environment: Record<string, string> = {}) {
  const args = flags.includes('--issuer') ? flags : ['--issuer', issuer.url, ...flags];
  const report = await program.json<Report>(['doctor', ...args], environment);
  return { ...report, of: (check: string) => report.checks.filter((one) => one.check === check) };
}

const client = { SERVICE_AUTH_CLIENT_ID: 'billing', SERVICE_AUTH_CLIENT_SECRET: 'canary-secret' };

describe('service-auth doctor', () => {
  it('finds nothing wrong with a good issuer', async () => {
    behave();
    const { code, ok, checks } = await examine();
    expect({ code, ok }).toEqual({ code: 0, ok: true });
    expect(checks.map(({ check, status }) => `${check} ${status}`)).toEqual([
      'discovery ok',
      'issuer name ok',
      'clock ok',
      'endpoints ok',
      'keys ok',
      'token skipped',
      'introspection skipped',
    ]);
  });

  it('speaks to people without --json', async () => {
    behave({ keys: [{ ...key.publicJwk, alg: undefined }] });
    const { code, stdout } = await program.run(['doctor', '--issuer', issuer.url]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ok {4}discovery /);
    expect(stdout).toMatch(/warn {2}keys +key ES256-1 has no alg\n +-> let the issuer say by alg/);
  });

  it('an issuer of another name, by a slash at its end', async () => {
    behave({ metadata: { issuer: `${issuer.url}/` } });
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of('issuer name')).toMatchObject([
      { status: 'failure', found: expect.stringContaining('a slash at the end alone') },
    ]);
  });

  it('an issuer of another name, by localhost', async () => {
    behave();
    const { port } = new URL(issuer.url);
    const { code, of } = await examine(['--issuer', `http://localhost:${port}`]);
    expect(code).toBe(1);
    expect(of('issuer name')[0]?.found).toContain('one machine, but two names');
  });

  it('an issuer that is at home under another path', async () => {
    behave();
    const good = issuer.answer;
    issuer.answer = (request, response) => {
      if (request.url === '/.well-known/oauth-authorization-server') return good(request, response);
      response.writeHead(404);
      response.end();
    };
    const { code, of } = await examine(['--issuer', `${issuer.url}/realm`]);
    expect(code).toBe(1);
    expect(of('discovery')[0]).toMatchObject({
      status: 'failure',
      hint: expect.stringContaining(issuer.url),
    });
  });

  it.each<[string, number, number, string, string]>([
    ['behind', 10_000, 1, 'failure', 'behind the issuer'],
    ['ahead', -30_000, 1, 'failure', 'ahead of the issuer'],
    ['a little behind', 4500, 0, 'warning', 'behind the issuer'],
  ])('a machine whose clock is %s', async (_, aheadMs, exitCode, status, found) => {
    behave({ aheadMs });
    const { code, of } = await examine();
    expect(code).toBe(exitCode);
    expect(of('clock')).toMatchObject([{ status, found: expect.stringContaining(found) }]);
  });

  it.each<[string, () => readonly object[], number, string, string]>([
    ['no alg', () => [{ ...key.publicJwk, alg: undefined }], 0, 'warning', 'has no alg'],
    ['the same kid twice', () => [key.publicJwk, key.publicJwk], 0, 'warning', 'several keys have the kid'],
    ['a weak RSA key beside', () => [key.publicJwk, weakRsa()], 0, 'warning', 'is ignored'],
    ['a weak RSA key alone', () => [weakRsa()], 1, 'failure', 'none of the keys can verify'],
    ['no keys', () => [], 1, 'failure', 'none of the keys can verify'],
    ['a private half', () => [{ ...key.publicJwk, d: 'canary' }], 1, 'failure', 'with its private half'],
    ['a symmetric key', () => [key.publicJwk, { kty: 'oct', k: 'canary' }], 1, 'failure', 'is symmetric'],
    ['what is no key', () => [key.publicJwk, 'text' as unknown as object], 1, 'failure', 'no key'],
  ])('keys with %s', async (_, keys, exitCode, status, found) => {
    behave({ keys: keys() });
    const report = await examine();
    expect(report.code).toBe(exitCode);
    const wanted = expect.objectContaining({ status, found: expect.stringContaining(found) });
    expect(report.of('keys')).toContainEqual(wanted);
    expect(JSON.stringify(report)).not.toContain('canary');
  });

  it('an issuer without token endpoint, and one that answers otherwise', async () => {
    behave({ metadata: { token_endpoint: undefined } });
    expect((await examine()).of('endpoints')).toMatchObject([
      { status: 'failure', found: 'without token_endpoint' },
    ]);
    behave({ metadataStatus: 500 });
    const { code, of } = await examine();
    expect(code).toBe(1);
    expect(of('discovery')[0]?.found).toContain('answered 500');
  });

  it('a client that is refused, with what to do', async () => {
    behave({ token: { error: 'invalid_client' }, tokenStatus: 401 });
    const report = await examine([], client);
    expect(report.code).toBe(1);
    expect(report.of('token')).toMatchObject([
      { status: 'failure', hint: expect.stringContaining('client id or its secret') },
    ]);
    expect(JSON.stringify(report)).not.toContain('canary');
  });

  it('introspection: good, refused, and one that takes everything', async () => {
    const environment = {
      SERVICE_AUTH_INTROSPECTION_CLIENT_ID: 'orders',
      SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET: 'canary',
    };
    behave();
    expect((await examine([], environment)).of('introspection')).toMatchObject([{ status: 'ok' }]);
    behave({ introspectionStatus: 401 });
    const refused = await examine([], environment);
    expect(refused.code).toBe(1);
    expect(refused.of('introspection')).toMatchObject([
      { status: 'failure', hint: expect.stringContaining('secret') },
    ]);
    behave({ introspection: { active: true, iss: issuer.url, exp: Math.floor(Date.now() / 1000) + 60 } });
    const credulous = await examine([], environment);
    expect(credulous.of('introspection')).toMatchObject([
      { status: 'failure', found: expect.stringContaining('active') },
    ]);
    behave({ introspectionStatus: 503 });
    expect((await examine([], environment)).code).toBe(3);
  });

  it('a service behind a proxy that answers for it', async () => {
    behave({ token: { access_token: 'opaque', token_type: 'Bearer', expires_in: 60 } });
    const service = await serve((_, response) => {
      response.writeHead(401);
      response.end();
    });
    try {
      const { code, of } = await examine(['--url', service.url], client);
      expect(code).toBe(1);
      expect(of('round trip')).toContainEqual(
        expect.objectContaining({ status: 'failure', hint: expect.stringContaining('proxy') }),
      );
    } finally {
      await service.close();
    }
  });
});

describe('service-auth doctor --replay-store', () => {
  async function examineStore(source: string) {
    const path = join(program.directory, `store-${source.length}.mjs`);
    await writeFile(path, source);
    const report = await program.json<Report>(['doctor', '--replay-store', path]);
    return { code: report.code, checks: report.checks, found: report.checks?.at(-1) };
  }

  it('accepts one that records a proof once', async () => {
    const { code, found } = await examineStore(`
      const seen = new Set();
      export const replayStore = {
        async record({ jkt, jti }) {
          const name = jkt + ' ' + jti;
          if (seen.has(name)) return 'replayed';
          seen.add(name);
          return 'recorded';
        },
      };`);
    expect({ code, status: found?.status }).toEqual({ code: 0, status: 'ok' });
  });

  it('finds one that looks first and writes later, also where a function makes it', async () => {
    const { code, found } = await examineStore(`
      const seen = new Set();
      export default () => ({
        async record({ jti }) {
          const known = seen.has(jti);
          await new Promise((resolve) => setImmediate(resolve));
          seen.add(jti);
          return known ? 'replayed' : 'recorded';
        },
      });
      export function close() {}`);
    expect(code).toBe(1);
    expect(found).toMatchObject({ status: 'failure', found: expect.stringContaining('50 times') });
  });

  it.each([
    ['is full', "'full'", 'it is full'],
    ['records nothing', "'replayed'", "exactly one must be 'recorded'"],
  ])('finds one that %s', async (_, answer, text) => {
    const { code, found } = await examineStore(`export const replayStore = { record: () => ${answer} };`);
    expect(code).toBe(1);
    expect(`${found?.found} ${found?.hint}`).toContain(text);
  });

  it('cannot decide about one that fails', async () => {
    const { code } = await examineStore(
      "export const replayStore = { record() { throw Object.assign(new Error('canary'), { code: 'ECONNREFUSED' }); } };",
    );
    expect(code).toBe(3);
  });

  it('refuses a module that exports none', async () => {
    const path = join(program.directory, 'empty.mjs');
    await writeFile(path, 'export const a = 1;');
    const { code, stderr } = await program.run(['doctor', '--replay-store', path]);
    expect(code).toBe(2);
    expect(stderr).toContain('must export replayStore');
  });
});

function weakRsa(): object {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 1024 });
  return { ...publicKey.export({ format: 'jwk' }), kid: 'weak', alg: 'RS256' };
}
