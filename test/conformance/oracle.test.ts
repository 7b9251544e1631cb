/** jose as oracle: what the verifier accepts, jose accepts too, whatever is done to a token. */
import fc from 'fast-check';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { describe, expect, it } from 'vitest';
import { createVerifier } from '../../src/index.ts';
import { judge } from '../helpers/judge.ts';
import { audience, createKey, encodeJson, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';

const keys = await Promise.all(
  ['RS256', 'PS384', 'ES256', 'ES384', 'ES512', 'EdDSA', 'RS512'].map((alg) => createKey(alg)),
);
const jwks = { keys: keys.map(({ publicJwk }) => publicJwk) } as unknown as JSONWebKeySet & {
  keys: Record<string, unknown>[];
};
const verifier = createVerifier({
  issuer: { issuer, jwks },
  audience,
  now: () => nowMs,
  clockToleranceSeconds: 0,
  cache: { maxTokens: 50 },
});
const localSet = createLocalJWKSet(jwks);

async function joseAccepts(token: string): Promise<boolean> {
  const options = { issuer, audience, currentDate: new Date(nowMs), requiredClaims: ['exp'] };
  return jwtVerify(token, localSet, options).then(
    () => true,
    () => false,
  );
}

const key = fc.constantFrom(...keys);
const tokens = await Promise.all(keys.map((one) => mint(one, { 'https://example.com/text': 'é€𝄞' })));

describe('tokens that jose signs', () => {
  const claims = fc.record(
    {
      sub: fc.string({ unit: 'grapheme' }),
      jti: fc.uuid(),
      scope: fc.array(fc.stringMatching(/^[a-z:]{1,12}$/)).map((scopes) => scopes.join(' ')),
      exp: fc.integer({ min: nowSeconds - 3, max: nowSeconds + 3 }),
      nbf: fc.integer({ min: nowSeconds - 3, max: nowSeconds + 3 }),
      aud: fc.constantFrom<unknown>(audience, [audience], ['x', audience], 'x', []),
      iss: fc.constantFrom(issuer, `${issuer}/`),
      extra: fc.jsonValue({ maxDepth: 5 }),
    },
    { requiredKeys: [] },
  );

  it('are judged alike', async () => {
    await fc.assert(
      fc.asyncProperty(key, claims, async (signer, changes) => {
        const token = await mint(signer, changes);
        expect((await judge(verifier, token)) === 'accepted').toBe(await joseAccepts(token));
      }),
      { numRuns: 300 },
    );
  });
});

describe('tokens that were tampered with', () => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=. \n%é';
  const at = fc.nat(2000);
  const character = fc.constantFrom(...alphabet);
  const header = fc.constantFrom(
    { alg: 'none' },
    { alg: 'HS256' },
    { alg: 'es256' },
    { alg: 'ES256', crit: ['x'], x: 1 },
    { alg: 'ES256', b64: false },
    { alg: 'RS256' },
    { typ: 'JWT' },
  );

  type Tamper = (token: string) => string;
  const tamper: fc.Arbitrary<Tamper> = fc.oneof(
    fc.tuple(at, character).map<Tamper>(([index, text]) => (token) => {
      const place = index % token.length;
      return token.slice(0, place) + text + token.slice(place + 1);
    }),
    fc.tuple(at, character).map<Tamper>(([index, text]) => (token) => {
      const place = index % (token.length + 1);
      return token.slice(0, place) + text + token.slice(place);
    }),
    at.map<Tamper>((index) => (token) => token.slice(0, index % token.length)),
    at.map<Tamper>((index) => (token) => token.slice(index % token.length)),
    header.map<Tamper>((value) => (token) => [encodeJson(value), ...token.split('.').slice(1)].join('.')),
    fc.constantFrom(...tokens).map<Tamper>((other) => (token) => {
      const [first, , last] = token.split('.');
      return [first, other.split('.')[1], last].join('.');
    }),
    fc.constant<Tamper>((token) => token.split('.').reverse().join('.')),
    fc.constant<Tamper>((token) => token),
  );

  it('pass here only if they pass with jose, cached or not', async () => {
    let accepted = 0;
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...tokens), tamper, async (token, change) => {
        const changed = change(token);
        const here = (await judge(verifier, changed)) === 'accepted';
        if (here) accepted++;
        if (here) expect(await joseAccepts(changed)).toBe(true);
        expect(here).toBe(changed === token);
        expect(await judge(verifier, token)).toBe('accepted');
      }),
      { numRuns: 1500 },
    );
    expect(accepted).toBeGreaterThan(0);
  });
});
