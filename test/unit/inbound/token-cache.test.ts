import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
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

describe('its two generations', () => {
  const fill = (...tokens: readonly string[]) => {
    const cache = createTokenCache<string>(2);
    for (const token of tokens) cache.set(token, `of ${token}`);
    return cache;
  };
  const found = (cache: ReturnType<typeof fill>, ...tokens: readonly string[]) =>
    tokens.filter((token) => cache.get(token) === `of ${token}`);

  it('the older one makes room as a whole', () => {
    expect(fill('a', 'b').size).toBe(2);
    expect(fill('a', 'b', 'c').size).toBe(3);
    for (const token of ['a', 'b', 'c', 'd']) expect(found(fill('a', 'b', 'c', 'd'), token)).toEqual([token]);
    const cache = fill('a', 'b', 'c', 'd', 'e');
    expect(cache.size).toBe(3);
    expect(found(cache, 'a', 'b', 'c', 'd', 'e')).toEqual(['c', 'd', 'e']);
  });

  it('what is used or set again moves into the younger one, and counts once', () => {
    const cache = fill('a', 'b', 'c');
    expect(cache.get('a')).toBe('of a');
    expect(cache.size).toBe(3);
    cache.set('d', 'of d');
    expect(found(cache, 'b')).toEqual([]);
    expect(found(cache, 'a', 'c', 'd')).toEqual(['a', 'c', 'd']);
    const other = fill('a', 'b', 'c');
    other.set('b', 'new');
    expect(other.size).toBe(3);
    expect(other.get('b')).toBe('new');
  });

  it('both are looked through to forget', () => {
    const cache = fill('a', 'b', 'c', 'd');
    cache.deleteIf((value) => value === 'of a' || value === 'of d');
    expect(cache.size).toBe(2);
    expect(found(cache, 'a', 'b', 'c', 'd')).toEqual(['b', 'c']);
    const other = fill('a', 'b', 'c', 'd');
    other.delete('a');
    other.delete('d');
    expect(other.size).toBe(2);
    other.clear();
    expect([other.size, other.get('b'), other.get('c')]).toEqual([0, undefined, undefined]);
  });

  it('characters are counted anew in each', () => {
    const cache = createTokenCache<number>(1000, 100);
    const token = (at: number): string => `${at}`.padEnd(50, 'x');
    for (let at = 1; at <= 5; at++) cache.set(token(at), at);
    expect(cache.size).toBe(3);
    expect([1, 2, 3, 4, 5].map((at) => cache.get(token(at)))).toEqual([undefined, undefined, 3, 4, 5]);
  });
});

describe('JWTs that end alike', () => {
  const end = 'twelve-chars';
  const [first, second] = [`eyJ.first.${end}`, `eyJ.second.${end}`];

  it('share one place, by their last twelve characters', () => {
    const cache = createTokenCache<number>(10);
    cache.set(first, 1);
    cache.set(second, 2);
    expect([cache.size, cache.get(first), cache.get(second)]).toEqual([1, undefined, 2]);
    cache.delete(first);
    expect(cache.get(second)).toBe(2);
    cache.set(`eyJ.second.T${end.slice(1)}`, 3);
    expect([cache.size, cache.get(second)]).toEqual([2, 2]);
  });

  it('are told apart in the older generation too', () => {
    const cache = createTokenCache<number>(1);
    cache.set(first, 1);
    cache.set('other', 2);
    expect([cache.get(second), cache.size]).toEqual([undefined, 2]);
    cache.delete(second);
    expect(cache.get(first)).toBe(1);
  });
});
