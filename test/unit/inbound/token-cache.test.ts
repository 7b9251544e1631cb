import fc from 'fast-check';
import { expect, it } from 'vitest';
import { createTokenCache } from '../../../src/inbound/token-cache.ts';

const tail = (at: number): string => String(at).padStart(22, 't');

it('answers as a map of whole tokens does, for what was used last', () => {
  const token = fc
    .tuple(fc.constantFrom('eyJ', 'eyJhb', 'a', ''), fc.nat(12))
    .map(([head, at]) => head + tail(at));
  const command = fc.tuple(fc.boolean(), token);
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 6 }),
      fc.array(command, { maxLength: 200 }),
      (maxTokens, commands) => {
        const cache = createTokenCache<number>(maxTokens);
        const model = new Map<string, number>();
        for (const [at, [isSet, key]] of commands.entries()) {
          if (isSet) {
            cache.set(key, at);
            model.set(key, at);
          } else {
            // Forgetting is allowed, another answer is not.
            expect([undefined, model.get(key)]).toContain(cache.get(key));
          }
          expect(cache.size).toBeLessThanOrEqual(2 * maxTokens);
        }
      },
    ),
  );
});

it('keeps at least as many as it was made for, however they are used', () => {
  const cache = createTokenCache<number>(100);
  for (let round = 0; round < 5; round++) {
    for (let at = 0; at < 100; at++) {
      if (round > 0) expect(cache.get(tail(at))).toBe(at);
      else cache.set(tail(at), at);
    }
  }
});

it('never holds more than twice as many', () => {
  const cache = createTokenCache<number>(100);
  for (let at = 0; at < 10_000; at++) cache.set(tail(at), at);
  expect(cache.size).toBeLessThanOrEqual(200);
  expect(cache.get(tail(9999))).toBe(9999);
  expect(cache.get(tail(0))).toBeUndefined();
  cache.clear();
  expect(cache.size).toBe(0);
});

it('tokens that end alike do not push each other out, unless they are JWTs', () => {
  const cache = createTokenCache<number>(100);
  const opaque = Array.from({ length: 20 }, (_, at) => `${at}-of-the-region-eu-west`);
  for (const [at, token] of opaque.entries()) cache.set(token, at);
  expect(opaque.map((token) => cache.get(token))).toEqual(opaque.map((_, at) => at));
  cache.delete('3-of-the-region-eu-west');
  expect(cache.get('3-of-the-region-eu-west')).toBeUndefined();
  expect(cache.get('4-of-the-region-eu-west')).toBe(4);
});

it('a token that is set again counts once', () => {
  const cache = createTokenCache<number>(1000, 1000);
  const tokens = Array.from({ length: 9 }, (_, at) => `${at}`.repeat(50));
  for (const [at, token] of tokens.entries()) cache.set(token, at);
  for (let round = 0; round < 220; round++) cache.set('x'.repeat(50), round);
  expect(tokens.map((token) => cache.get(token))).toEqual(tokens.map((_, at) => at));
});
