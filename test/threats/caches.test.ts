import { describe, expect, it } from 'vitest';
import { createTokenCache } from '../../src/inbound/token-cache.ts';
import { createVerifier, type Jwk, type Verifier, type VerifierOptions } from '../../src/index.ts';
import { judge, reasonOf } from '../helpers/judge.ts';
import {
  audience,
  createKey,
  encodeJson,
  goodClaims,
  issuer,
  mint,
  nowMs,
  nowSeconds,
  withPart,
} from '../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const make = (options: VerifierOptions = {}): Verifier =>
  createVerifier({ issuer: { issuer, jwks }, audience, now: () => nowMs, ...options });

describe('threat 13: the cache key is the whole token, within one verifier', () => {
  it('never answers for a token that only shares the end of a cached one', async () => {
    const verifier = make();
    const good = await mint(key);
    expect(await judge(verifier, good)).toBe('accepted');
    const better = withPart(good, 1, encodeJson(goodClaims({ scope: 'admin' })));
    expect(await judge(verifier, better)).toBe('bad_signature');
    expect(await judge(verifier, withPart(good, 0, encodeJson({ alg: 'none' })))).toBe(
      'algorithm_not_allowed',
    );
    const [, payload, signature] = good.split('.');
    expect(await judge(verifier, `.${payload}.${signature}`)).toBe('malformed_token');
    expect(verifier.health().cachedTokens).toBe(1);
  });

  it('compares whole tokens even where the slot is the same', () => {
    const cache = createTokenCache<string>(10);
    const tail = 'x'.repeat(22);
    cache.set(`a${tail}`, 'a');
    expect(cache.get(`b${tail}`)).toBeUndefined();
    expect(cache.get(tail)).toBeUndefined();
    expect(cache.get(`a${tail}`)).toBe('a');
  });

  it('is not shared by verifiers', async () => {
    const good = await mint(key);
    expect(await judge(make(), good)).toBe('accepted');
    expect(await judge(make({ audience: 'https://stock.example' }), good)).toBe('wrong_audience');
    expect(await judge(make({ issuer: 'https://other.example' }), good)).toBe('unknown_issuer');
  });
});

describe('threat 14: policy and expiry are checked again on each hit', () => {
  it('policy', async () => {
    const verifier = make();
    const token = await mint(key);
    const under = (policy: object): Promise<string> => reasonOf(verifier.verifyToken(token, { policy }));
    for (let round = 0; round < 2; round++) {
      expect(await under({ scope: 'orders:read' })).toBe('accepted');
      expect(await under({ scope: 'orders:write' })).toBe('insufficient_scope');
      expect(await under({ clients: ['shipping'] })).toBe('client_not_allowed');
      expect(await under({ audience: 'https://stock.example' })).toBe('wrong_audience');
      expect(await under({ check: () => false })).toBe('check_refused');
    }
  });

  it('expiry and age', async () => {
    let time = nowMs;
    const verifier = make({ now: () => time, clockToleranceSeconds: 0 });
    const young = make({ now: () => time, clockToleranceSeconds: 0, maxTokenAgeSeconds: 60 });
    const token = await mint(key, { exp: nowSeconds + 100 });
    for (const one of [verifier, young]) expect(await judge(one, token)).toBe('accepted');
    time += 60_000;
    expect(await judge(verifier, token)).toBe('accepted');
    expect(await judge(young, token)).toBe('too_old');
    time += 39_999;
    expect(await judge(verifier, token)).toBe('accepted');
    time += 1;
    expect(await judge(verifier, token)).toBe('expired');
    expect(await judge(verifier, token)).toBe('expired');
  });

  it('a key that the issuer no longer publishes', async () => {
    let time = nowMs;
    const next = await createKey('ES256', 'next');
    let keys: readonly Jwk[] = [key.publicJwk, next.publicJwk];
    const verifier = make({
      issuer: { issuer, jwksUri: `${issuer}/keys` },
      now: () => time,
      fetch: async () => Response.json({ keys }),
    });
    const token = await mint(key, { exp: nowSeconds + 7200 });
    expect(await judge(verifier, token)).toBe('accepted');
    keys = [next.publicJwk];
    time += 3_600_001;
    expect(await judge(verifier, await mint(next, { exp: nowSeconds + 7200 }))).toBe('accepted');
    expect(await judge(verifier, token)).toBe('unknown_key');
  });
});

describe('threat 16: only verified tokens enter the cache', () => {
  it('a flood of bad tokens evicts nothing good', async () => {
    const verifier = make({ cache: { maxTokens: 10 } });
    const good = await Promise.all(Array.from({ length: 10 }, (_, at) => mint(key, { jti: `good-${at}` })));
    for (const token of good) expect(await judge(verifier, token)).toBe('accepted');
    const signature = good[0]?.split('.')[2] ?? '';
    for (let at = 0; at < 2000; at++) {
      const forged = withPart(good[0] ?? '', 1, encodeJson(goodClaims({ jti: `bad-${at}` })));
      const tail = signature.slice(0, -8) + String(at).padStart(6, '0') + signature.slice(-2);
      expect(await judge(verifier, withPart(forged, 2, tail))).toBe('bad_signature');
    }
    expect(verifier.health().cachedTokens).toBe(10);
  });
});
