import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createVerifier, type Policy, type Verifier } from '../../src/index.ts';
import { judge, reasonOf } from '../helpers/judge.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';

const key = await createKey('ES256');
const make = (options: object = {}): Verifier =>
  createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    ...options,
  });
const verifier = make();

describe('threat 8: issuer and audience', () => {
  it.each([
    [[issuer]],
    [`${issuer}/`],
    [issuer.slice(0, -1)],
    [` ${issuer}`],
    [`${issuer}\u0000`],
    [''],
    [null],
    [{}],
  ])('iss %j is not the issuer', async (iss) => {
    expect(await judge(verifier, await mint(key, { iss }))).toBe('unknown_issuer');
  });

  it.each([[undefined], [''], [[]], [['']], ['https://orders.example/'], [audience.toUpperCase()]])(
    'aud %j does not name us',
    async (aud) => {
      expect(await judge(verifier, await mint(key, { aud }))).toBe('wrong_audience');
    },
  );

  it('needs an audience at creation', () => {
    expect(() => make({ audience: undefined })).toThrow(/SERVICE_AUTH_AUDIENCE/);
    expect(() => make({ audience: '' })).toThrow(/audience/);
    expect(() => make({ audience: [] })).toThrow(/audience/);
  });
});

describe('threat 9: exp', () => {
  it.each([
    '0',
    '-1',
    '"1900000000"',
    'null',
    'true',
    '[]',
    '{}',
    '1e400',
    '-1e400',
    'NaN',
    '{"toString":1}',
  ])('exp %s fails', async (exp) => {
    const claims = JSON.stringify(goodClaims({ exp: 1 })).replace('"exp":1', `"exp":${exp}`);
    expect(await judge(verifier, await key.sign({}, claims))).toMatch(/^(invalid_claim|malformed_token)$/);
  });

  it('a missing exp fails', async () => {
    expect(await judge(verifier, await mint(key, { exp: undefined }))).toBe('invalid_claim');
  });
});

describe('threat 10: no regular expression is ever run on token content', () => {
  const files = ['inbound', 'shared'].flatMap((room) => {
    const folder = new URL(`../../src/${room}/`, import.meta.url);
    return readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')] as const);
  });

  /** Options are judged by expressions at creation; these files hold nothing else that does. */
  const onlyOptions = [
    'issuer-hints.ts',
    'options.ts',
    'policy.ts',
    'challenge.ts',
    'verifier-options.ts',
    'shared-secret.ts',
    'tenants.ts',
  ];

  it.each(files.filter(([name]) => !onlyOptions.includes(name)))('%s has none', (_name, text) => {
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    expect(code).not.toMatch(/\.(test|match|matchAll|search|exec)\(|RegExp|[(=,:]\s*\/[^/\s*]/);
  });

  it('takes time in proportion to the length', async () => {
    const time = async (text: string): Promise<number> => {
      const token = await key.sign({ kid: text.slice(0, 5000) }, text);
      const start = performance.now();
      for (let i = 0; i < 20; i++) await judge(verifier, token);
      return performance.now() - start;
    };
    await time('a'.repeat(9000));
    // A hundredfold allowance: quadratic work on 9,000 characters would take a thousandfold.
    expect(await time('a'.repeat(9000))).toBeLessThan(100 * Math.max(await time('a'.repeat(900)), 1));
  });
});

describe('threat 11: tokens of other kinds signed by the same key', () => {
  it.each([
    'dpop+jwt',
    'DPoP+jwt',
    'logout+jwt',
    'application/logout+jwt',
    'token-introspection+jwt',
    'statuslist+jwt',
    'secevent+jwt',
    'oauth-authz-req+jwt',
    'client-authentication+jwt',
    'application/application/dpop+jwt',
    'text/logout+jwt',
    'authorization-grant+jwt',
    'oauth-id-jag+jwt',
    'oauth-client-attestation+jwt',
    'oauth-client-attestation-pop+jwt',
    'txntoken+jwt',
    'rt+jwt',
    'wpt+jwt',
  ])('typ %s', async (typ) => {
    expect(await judge(verifier, await mint(key, {}, { typ }))).toBe('wrong_typ');
  });

  it.each([
    { at_hash: 'x' },
    { c_hash: 'x' },
    { events: { 'http://schemas.openid.net/event/backchannel-logout': {} } },
    { token_use: 'id' },
    { typ: 'ID' },
    { typ: 'Refresh' },
    { typ: 'Serialized-ID' },
    { typ: 'InitialAccessToken' },
    { typ: 'RegistrationAccessToken' },
    { nonce: 'n', scope: '' },
    { nonce: 'n', scope: ' ' },
    { nonce: 'n', scope: [] },
    { nonce: 'n', scope: null },
    { nonce: 'n', scope: undefined, scp: '' },
    // An authorization response (JARM) names neither subject nor client.
    { code: 'c', state: 's', sub: undefined, client_id: undefined, scope: undefined },
  ])('claims %j', async (claims) => {
    expect(await judge(verifier, await mint(key, claims, { typ: undefined }))).toBe('wrong_token_kind');
  });

  it('are all refused where RFC 9068 is asked for', async () => {
    const strict = make({ typ: 'at+jwt' });
    expect(await judge(strict, await mint(key))).toBe('accepted');
    for (const typ of ['JWT', undefined, 'at+jwt2', 'text/at+jwt']) {
      expect(await judge(strict, await mint(key, {}, { typ }))).toBe('wrong_typ');
    }
  });
});

describe('threat 12: names of the prototype', () => {
  const names = ['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'valueOf'];

  it.each(names)('%s as claim, kid, scope or client changes nothing', async (name) => {
    const claims = JSON.stringify(goodClaims()).replace('{', `{"${name}":{"scope":"admin","exp":9e9},`);
    const outcome = await verifier.verifyToken(await key.sign({ typ: 'at+jwt' }, claims), {
      policy: { scope: 'orders:read' },
    });
    expect(outcome).toMatchObject({ ok: true });
    expect(await judge(verifier, await mint(key, {}, { kid: name }))).toBe('unknown_key');
    expect(await judge(verifier, await mint(key, { iss: name }))).toBe('unknown_issuer');
    const policies: Policy[] = [{ scope: name }, { clients: [name] }, { clients: { [issuer]: [name] } }];
    for (const policy of policies) {
      const refused = await reasonOf(verifier.verifyToken(await mint(key), { policy }));
      expect(refused).toMatch(/^(insufficient_scope|client_not_allowed)$/);
    }
    expect({}).not.toHaveProperty('scope');
  });

  it('a polluted prototype grants nothing', async () => {
    const polluted = Object.prototype as Record<string, unknown>;
    const additions = {
      scope: 'admin',
      exp: 9e9,
      aud: audience,
      iss: issuer,
      client_id: 'admin',
      nbf: 0,
      kid: key.kid,
    };
    const bare = await key.sign({ typ: 'at+jwt' }, { iat: nowSeconds });
    const token = await mint(key, { scope: undefined });
    try {
      Object.assign(polluted, additions);
      expect(await judge(verifier, bare)).not.toBe('accepted');
      const outcome = await reasonOf(verifier.verifyToken(token, { policy: { scope: 'admin' } }));
      expect(outcome).toBe('insufficient_scope');
    } finally {
      for (const name of Object.keys(additions)) delete polluted[name];
    }
  });

  it('any JSON as payload is judged without an exception', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...names, 'iss', 'aud', 'exp', 'scope', 'cnf'), fc.jsonValue()),
        async (payload) => {
          expect(await judge(verifier, await key.sign({}, payload))).not.toBe('keys_unavailable');
        },
      ),
    );
  });
});
