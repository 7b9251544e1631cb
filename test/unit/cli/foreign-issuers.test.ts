/** Issuers that are not like ours: another parameter for the audience, no introspection, claims of their own. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type IssuerStub, startIssuerStub } from '../../helpers/issuer-stub.ts';
import { audience, createKey, mint, type TestKey } from '../../helpers/tokens.ts';
import { buildProgram, type Program, serve, type TestServer } from './harness.ts';

let program: Program;
let issuer: IssuerStub;
let service: TestServer;
let key: TestKey;
/** The claims of the tokens that it issues, besides the usual ones. */
let claims: object;
/** What it was asked for tokens. */
let forms: URLSearchParams[];

interface Report {
  readonly checks: readonly { check: string; status: string; found: string; hint?: string }[];
}

beforeAll(async () => {
  program = await buildProgram();
  key = await createKey('ES256');
  issuer = await startIssuerStub(answer);
  service = await serve((_, response) => response.end('good'));
});
beforeEach(() => {
  claims = {};
  forms = [];
});
afterAll(async () => {
  await Promise.all([issuer.close(), service.close()]);
  await program.remove();
});

/** Names no introspection endpoint, and gives a token for the audience that it is asked for, or for none. */
async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url } = issuer;
  response.setHeader('content-type', 'application/json');
  if (request.url === '/jwks') return void response.end(JSON.stringify({ keys: [key.publicJwk] }));
  if (request.url !== '/token') {
    const metadata = { issuer: url, token_endpoint: `${url}/token`, jwks_uri: `${url}/jwks` };
    return void response.end(JSON.stringify(metadata));
  }
  let body = '';
  for await (const chunk of request) body += chunk;
  const form = new URLSearchParams(body);
  forms.push(form);
  const token = await mintNow({ aud: form.get('audience') ?? [], ...claims });
  response.end(JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: 300 }));
}

function mintNow(changes: object): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  return mint(key, { iss: issuer.url, iat: now, exp: now + 300, ...changes });
}

const environment = () => ({
  SERVICE_AUTH_ISSUER: issuer.url,
  SERVICE_AUTH_CLIENT_ID: 'billing',
  SERVICE_AUTH_CLIENT_SECRET: 'canary-secret',
});
const inEnvironment = { SERVICE_AUTH_TOKEN_AUDIENCE: audience };
const asked = () => forms.map((form) => form.get('audience'));

describe('the parameter audience', () => {
  it.each([
    ['token', () => ['token'], '--audience'],
    ['call', () => ['call', service.url], '--audience'],
    ['doctor', () => ['doctor'], '--token-audience'],
  ] as const)('is sent by %s, named by a flag or a variable', async (_, args, flag) => {
    const silent = await program.run(args(), environment());
    const byFlag = await program.run([...args(), flag, audience], environment());
    const byVariable = await program.run(args(), { ...environment(), ...inEnvironment });
    const both = await program.run([...args(), flag, 'a'], { ...environment(), ...inEnvironment });
    expect([silent, byFlag, byVariable, both].map(({ code, stderr }) => ({ code, stderr }))).toEqual(
      Array.from({ length: 4 }, () => ({ code: 0, stderr: '' })),
    );
    expect(asked()).toEqual([null, audience, audience, 'a']);
  });

  it('is sent for the bound token of a round trip, too', async () => {
    const flags = ['--token-audience', audience, '--url', service.url];
    await program.json<Report>(['doctor', ...flags], environment());
    expect(asked()).toEqual([audience, audience]);
  });

  it('doctor holds the token to --audience, which is not sent', async () => {
    const wrong = await program.json<Report>(['doctor', '--audience', audience], environment());
    expect({ code: wrong.code, asked: asked() }).toEqual({ code: 1, asked: [null] });
    const verification = wrong.checks.find(({ check }) => check === 'verification');
    expect(verification?.found).toContain('wrong_audience');
    const right = ['doctor', '--audience', audience, '--token-audience', audience];
    expect((await program.json<Report>(right, environment())).code).toBe(0);
  });

  it('that is blank is a mistake of the user', async () => {
    const { code, stderr } = await program.run(['token', '--audience', ' '], environment());
    expect(code).toBe(2);
    expect(stderr).toContain('audience must be a non-empty string');
  });
});

describe('doctor, of an issuer without introspection', () => {
  it('skips that check, whoever would introspect', async () => {
    const special = {
      SERVICE_AUTH_INTROSPECTION_CLIENT_ID: 'orders',
      SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET: 'canary',
    };
    for (const variables of [environment(), { ...environment(), ...special }]) {
      const { code, checks } = await program.json<Report>(['doctor'], variables);
      expect(code).toBe(0);
      expect(checks.filter(({ check }) => check === 'introspection')).toMatchObject([
        { status: 'skipped', found: 'the metadata names no introspection_endpoint' },
      ]);
      expect(checks.find(({ check }) => check === 'endpoints')).toMatchObject({ status: 'warning' });
    }
  });
});

describe('--claims', () => {
  const cognito = { aud: undefined, client_id: 'billing', scope: `${audience}/read` };
  const entra = {
    sub: 'a1',
    oid: 'a1',
    azp: 'billing',
    client_id: undefined,
    scope: undefined,
    roles: ['read'],
  };
  const auth0 = { sub: 'billing@clients', client_id: undefined, azp: 'billing', scope: 'read' };
  const okta = { client_id: undefined, cid: 'billing', scope: undefined, scp: ['read'] };
  const keycloak = {
    sub: 'a1',
    azp: 'billing',
    preferred_username: 'service-account-billing',
    scope: 'read',
  };

  it.each<[string, object, string]>([
    ['cognito', cognito, `${audience}/read`],
    ['entra', entra, 'read'],
    ['auth0', auth0, 'read'],
    ['okta', okta, 'read'],
    ['keycloak', keycloak, 'read'],
  ])('%s: inspect judges as a service does that is set so', async (preset, own, scope) => {
    const args = [
      'inspect',
      '--issuer',
      issuer.url,
      '--audience',
      audience,
      '--scope',
      scope,
      '--service-only',
    ];
    const token = await mintNow(own);
    const set = await program.json<Report>([...args, '--claims', preset, '-'], {}, token);
    expect({ code: set.code, failures: set.checks.filter(({ status }) => status === 'failure') }).toEqual({
      code: 0,
      failures: [],
    });
    const unset = await program.run([...args, '-'], {}, token);
    // What most issuers do is what Okta does.
    expect(unset.code).toBe(preset === 'okta' ? 0 : 1);
  });

  it('doctor judges by it, too', async () => {
    claims = cognito;
    const unset = await program.json<Report>(['doctor', '--audience', audience], environment());
    expect(unset.code).toBe(1);
    const args = ['doctor', '--audience', audience, '--claims', 'cognito'];
    expect((await program.json<Report>(args, environment())).code).toBe(0);
  });

  it.each([
    ['inspect', '--claims', 'amazon', 'token'],
    ['doctor', '--claims', 'amazon'],
  ])('%s: a preset that is none is a mistake of the user', async (...args) => {
    const { code, stderr } = await program.run(args, environment());
    expect(code).toBe(2);
    expect(stderr).toContain('--claims must be one of auth0, entra, okta, cognito, keycloak; got "amazon"');
  });
});
