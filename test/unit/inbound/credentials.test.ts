import { describe, expect, it } from 'vitest';
import { createVerifier, type VerifierOptions } from '../../../src/index.ts';
import { requestWith } from '../../helpers/dpop.ts';
import { reasonOf } from '../../helpers/judge.ts';
import { audience, issuer, sharedSecret } from '../../helpers/tokens.ts';

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
