/** RFC 9068 section 4 and RFC 7519 section 4.1: access tokens as JWTs. */
import { describe, expect, it } from 'vitest';
import { type AuthOutcome, createVerifier, type VerifierOptions } from '../../src/index.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';
import { readVectors } from '../helpers/vectors.ts';

const key = await createKey('RS256', 'RjEwOwOA');

describe('RFC 9068', () => {
  it.each(readVectors('rfc9068-at-jwt'))(
    '$id: $description',
    async ({ header, claims, options, expected }) => {
      const verifier = createVerifier({
        issuer: { issuer: String(options.issuer), jwks: { keys: [key.publicJwk] } },
        audience: String(options.audience),
        typ: 'at+jwt',
        clockToleranceSeconds: (options.clock_tolerance as number | undefined) ?? 5,
        now: () => Number(options.clock) * 1000,
      });
      const token = await key.sign(header as object, claims as object);
      const outcome = await verifier.verifyToken(token);
      expect(outcome.ok ? 'accept' : 'reject').toBe(expected);
    },
  );
});

describe('RFC 7519', () => {
  async function judge(claims: object, options: VerifierOptions = {}): Promise<AuthOutcome> {
    const trusted = { issuer, jwks: { keys: [key.publicJwk] } };
    const verifier = createVerifier({ issuer: trusted, audience, now: () => nowMs, ...options });
    return verifier.verifyToken(await mint(key, claims));
  }
  const reasonOf = async (claims: object, options?: VerifierOptions): Promise<string> => {
    const outcome = await judge(claims, options);
    return outcome.ok ? 'accepted' : outcome.rejection.reason;
  };
  const strict = { clockToleranceSeconds: 0 };

  it('4.1.1: iss is compared as case-sensitive text', async () => {
    expect(await reasonOf({ iss: issuer })).toBe('accepted');
    expect(await reasonOf({ iss: issuer.toUpperCase() })).toBe('unknown_issuer');
  });

  it('4.1.3: aud is a text or a list of texts, and one must be ours', async () => {
    expect(await reasonOf({ aud: audience })).toBe('accepted');
    expect(await reasonOf({ aud: ['x', audience] })).toBe('accepted');
    expect(await reasonOf({ aud: ['x'] })).toBe('wrong_audience');
    expect(await reasonOf({ aud: `${audience} x` })).toBe('wrong_audience');
    expect(await reasonOf({ aud: [audience, 1] })).toBe('invalid_claim');
    expect(await reasonOf({ aud: { 0: audience } })).toBe('invalid_claim');
  });

  it('4.1.4: the time must be before exp', async () => {
    expect(await reasonOf({ exp: nowSeconds + 1 }, strict)).toBe('accepted');
    expect(await reasonOf({ exp: nowSeconds }, strict)).toBe('expired');
    expect(await reasonOf({ exp: nowSeconds - 4.9 })).toBe('accepted');
    expect(await reasonOf({ exp: nowSeconds - 5 })).toBe('expired');
  });

  it('4.1.5: the time must be at or after nbf', async () => {
    expect(await reasonOf({ nbf: nowSeconds }, strict)).toBe('accepted');
    expect(await reasonOf({ nbf: nowSeconds + 1 }, strict)).toBe('not_yet_valid');
    expect(await reasonOf({ nbf: 'soon' })).toBe('invalid_claim');
  });

  it('4.1.6: iat is a number, and not in the future', async () => {
    expect(await reasonOf({ iat: undefined })).toBe('accepted');
    expect(await reasonOf({ iat: nowSeconds + 1 }, strict)).toBe('issued_in_future');
    expect(await reasonOf({ iat: [] })).toBe('invalid_claim');
  });

  it('2: times may have fractions', async () => {
    expect(await reasonOf({ exp: nowSeconds + 0.5 }, strict)).toBe('accepted');
  });

  it('10.1.1: claims that are not known are kept and change nothing', async () => {
    const outcome = await judge({ 'https://example.com/tenant': { id: 1 } });
    expect(outcome).toMatchObject({
      ok: true,
      caller: { claims: goodClaims({ 'https://example.com/tenant': { id: 1 } }) },
    });
  });
});
