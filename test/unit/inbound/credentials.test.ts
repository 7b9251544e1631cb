import { describe, expect, it } from 'vitest';
import { createVerifier, type VerifierOptions } from '../../../src/index.ts';
import { requestWith } from '../../helpers/dpop.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, sharedSecret } from '../../helpers/tokens.ts';

/** How a route that may be called without credentials takes this header. */
function judge(authorization: string, options: Partial<VerifierOptions> = {}): Promise<string> {
  const verifier = createVerifier({ issuer: { issuer, secret: sharedSecret }, audience, ...options });
  return reasonOf(verifier.authenticate(requestWith({ authorization }), { optional: true }));
}

describe('where credentials are optional', () => {
  it.each([
    'Bearer\tabc',
    'bearer\tabc',
    'Bearer:abc',
    'BEARER=abc',
    'Bearer"abc"',
    '"Bearer abc"',
    "'Bearer abc'",
    'Bearer,abc',
    'Bearer\u00a0abc',
    'DPoP\tabc',
    'DPoP:abc',
    '"DPoP abc"',
    'Basic x, Bearer abc',
    'Basic x,Bearer abc',
    'Basic x ,\tbearer abc',
    'Basic x, Bearer',
    'Basic x,DPoP',
    'Basic x, Bearer\tabc',
    'Basic x, "Bearer abc"',
    'Basic x, Digest y, DPoP abc',
  ])('%j is meant for us, and malformed', async (authorization) => {
    expect(await judge(authorization)).toBe('malformed_credentials');
  });

  it.each(['DPoP abc', 'dpop abc', 'DPOP', 'DPoP'])(
    '%j is refused where DPoP is off',
    async (authorization) => {
      expect(await judge(authorization, { dpop: false })).toBe('unsupported_scheme');
    },
  );

  it.each(['DPoP abc, Bearer abc', 'DPoP abc,Basic x,Bearer'])(
    '%j is malformed, also where DPoP is off',
    async (authorization) => {
      expect(await judge(authorization, { dpop: false })).toBe('malformed_credentials');
    },
  );

  it.each([
    'Basic dXNlcjpwYXNz',
    'Digest username="bearer", realm="a, b", nonce="c"',
    'Digest username="a", bearer="b"',
    'BearerToken abc',
    'Bearer-Token abc',
    'DPoPX abc',
    'ApiKey bearer',
    '',
  ])('%j is none of ours, and none at all', async (authorization) => {
    expect(await judge(authorization)).toBe('accepted');
  });
});

describe('the characters of a token', () => {
  it.each([...'azAZ09-._~+/', 'a=', 'a==', 'aZ09-._~+/='])('%s is one', async (token) => {
    expect(await judge(`Bearer ${token}`)).toBe('malformed_token');
  });

  it.each([...'`{@[,:^}*!', 'a=b', '=', '==', 'a b', 'a,'])('%s is none', async (token) => {
    expect(await judge(`Bearer ${token}`)).toBe('malformed_credentials');
  });

  it('are 16384 at most', async () => {
    expect(await judge(`Bearer ${'a'.repeat(16_384)}`)).toBe('malformed_token');
    expect(await judge(`Bearer ${'a'.repeat(16_385)}`)).toBe('token_too_large');
  });
});

describe('the scheme', () => {
  const setUp = async () => {
    const key = await createKey('ES256');
    const trusted = { issuer: { issuer, jwks: { keys: [key.publicJwk] } }, now: () => nowMs };
    return { plain: await mint(key), bound: await mint(key, { cnf: { jkt: 'a'.repeat(43) } }), trusted };
  };

  it.each(['Bearer ', 'Bearer  ', 'bearer ', 'BEARER   '])(
    '%j is Bearer, with or without DPoP',
    async (scheme) => {
      const { plain, bound, trusted } = await setUp();
      for (const dpop of [false, 'optional'] as const) {
        expect(await judge(`${scheme}${plain}`, { ...trusted, dpop })).toBe('accepted');
      }
      expect(await judge(`${scheme}${bound}`, trusted)).toBe('bound_token_as_bearer');
    },
  );

  it.each(['DPoP ', 'dpop  ', 'DPOP '])('%j is DPoP', async (scheme) => {
    const { plain, bound, trusted } = await setUp();
    expect(await judge(`${scheme}${plain}`, trusted)).toBe('token_not_bound');
    expect(await judge(`${scheme}${bound}`, trusted)).toBe('missing_proof');
  });

  it.each([null, undefined])('of a header that is %s is none', async (value) => {
    const { trusted } = await setUp();
    const verifier = createVerifier({ ...trusted, audience });
    const request = { method: 'GET', url: '/', headers: { get: () => value } };
    expect(await reasonOf(verifier.authenticate(request))).toBe('no_credentials');
    expect(await reasonOf(verifier.authenticate(request, { optional: true }))).toBe('accepted');
  });
});
