import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type ExchangeWish,
  type TokenClientIdentity,
  type TokenSubject,
  tokenSubject,
} from '../../../src/outbound/token-subject.ts';

interface Wish extends TokenClientIdentity {
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  readonly dpop: boolean;
  readonly exchange: ExchangeWish | undefined;
}

/** Few letters, and those that end strings, lists and objects in text: what collides if anything does. */
const word = fc.string({
  unit: fc.constantFrom('a', 'b', ' ', ',', '"', '[', ']', '\\', '\0', '|'),
  maxLength: 4,
});
const words = fc.array(word, { maxLength: 3 });
const maybe = fc.option(word, { nil: undefined });
const exchangeOf = (fingerprint: string): ExchangeWish => ({
  fingerprint,
  parameters: [],
  keepsBinding: false,
});
const wish: fc.Arbitrary<Wish> = fc.record({
  issuer: maybe,
  tokenEndpoint: maybe,
  clientId: word,
  audience: maybe,
  extraParameters: fc.dictionary(word, word, { maxKeys: 2 }).map((record) => Object.entries(record)),
  scopes: words,
  resources: words,
  dpop: fc.boolean(),
  exchange: fc.option(word.map(exchangeOf), { nil: undefined }),
});

const subjectOf = (of: Wish): TokenSubject => tokenSubject(of, of);
const keyOf = (of: Wish): string => subjectOf(of).key;

/** What a wish means, whatever the order and repetition: the measure that the key is held against. */
function sameMeaning(a: Wish, b: Wish): boolean {
  const sameSet = (one: readonly string[], other: readonly string[]): boolean =>
    one.every((item) => other.includes(item)) && other.every((item) => one.includes(item));
  return (
    a.issuer === b.issuer &&
    a.tokenEndpoint === b.tokenEndpoint &&
    a.clientId === b.clientId &&
    a.audience === b.audience &&
    a.dpop === b.dpop &&
    a.exchange?.fingerprint === b.exchange?.fingerprint &&
    sameSet(a.scopes, b.scopes) &&
    sameSet(a.resources, b.resources) &&
    a.extraParameters.length === b.extraParameters.length &&
    a.extraParameters.every(([name, value]) => b.extraParameters.some(([n, v]) => n === name && v === value))
  );
}

describe('threat 17: cache keys never collide', () => {
  it('two wishes have one key exactly if they mean the same', () => {
    fc.assert(
      fc.property(wish, wish, (a, b) => {
        expect(keyOf(a) === keyOf(b)).toBe(sameMeaning(a, b));
      }),
      { numRuns: 2000 },
    );
  });

  it('one changed part changes the key', () => {
    fc.assert(
      fc.property(
        wish,
        fc.constantFrom<keyof Wish>('issuer', 'clientId', 'audience', 'tokenEndpoint'),
        (a, part) => {
          expect(keyOf({ ...a, [part]: `${String(a[part])}x` })).not.toBe(keyOf(a));
        },
      ),
    );
  });

  it('order and repetition of scopes and resources change nothing', () => {
    fc.assert(
      fc.property(
        wish.chain((a) =>
          fc.tuple(
            fc.constant(a),
            fc.shuffledSubarray([...a.scopes, ...a.scopes], { minLength: a.scopes.length * 2 }),
            fc.shuffledSubarray([...a.resources], { minLength: a.resources.length }),
          ),
        ),
        ([a, scopes, resources]) => {
          const one = subjectOf(a);
          const other = subjectOf({ ...a, scopes, resources });
          expect(other).toEqual(one);
        },
      ),
    );
  });

  it.each([
    ['a scope list and one scope with a comma', { scopes: ['a', 'b'] }, { scopes: ['a,b'] }],
    ['a scope and a resource of that name', { scopes: ['a'] }, { resources: ['a'] }],
    ['no audience and the word null', {}, { audience: 'null' }],
    ['a token that is bound to a key and one that is not', { dpop: true }, {}],
    ['tokens for two callers', { exchange: exchangeOf('a') }, { exchange: exchangeOf('b') }],
    ["a token for a caller and the service's own", { exchange: exchangeOf('') }, {}],
    [
      'names and values',
      { extraParameters: [['a', 'b']] as const },
      { extraParameters: [['b', 'a']] as const },
    ],
  ])('tells %s apart', (_, one, other) => {
    const base: Wish = {
      issuer: 'https://idp.example',
      tokenEndpoint: undefined,
      clientId: 'billing',
      audience: undefined,
      extraParameters: [],
      scopes: [],
      resources: [],
      dpop: false,
      exchange: undefined,
    };
    expect(keyOf({ ...base, ...one })).not.toBe(keyOf({ ...base, ...other }));
  });
});
