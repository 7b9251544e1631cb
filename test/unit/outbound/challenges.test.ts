import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorsOf, parseChallenges } from '../../../src/outbound/challenges.ts';

const parse = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

describe('WWW-Authenticate (RFC 9110 section 11.6.1)', () => {
  it.each([
    ['Bearer', [['bearer', {}]]],
    ['Bearer realm="a", error="invalid_token"', [['bearer', { realm: 'a', error: 'invalid_token' }]]],
    ['Bearer error=invalid_token', [['bearer', { error: 'invalid_token' }]]],
    ['bEARER ERROR = "invalid_token"', [['bearer', { error: 'invalid_token' }]]],
    ['Bearer realm="a, Basic b=\\"c\\""', [['bearer', { realm: 'a, Basic b="c"' }]]],
    [
      'Basic realm="x", Bearer error="e"',
      [
        ['basic', { realm: 'x' }],
        ['bearer', { error: 'e' }],
      ],
    ],
    [
      'Negotiate abc==, Bearer error="e"',
      [
        ['negotiate', {}],
        ['bearer', { error: 'e' }],
      ],
    ],
    [
      'Negotiate, Bearer',
      [
        ['negotiate', {}],
        ['bearer', {}],
      ],
    ],
    [' , Bearer error="e",, scope="a b" ,', [['bearer', { error: 'e', scope: 'a b' }]]],
    ['Bearer error="first", error="second"', [['bearer', { error: 'first' }]]],
    [
      'Bearer a=1, DPoP algs="ES256", error="e"',
      [
        ['bearer', { a: '1' }],
        ['dpop', { algs: 'ES256', error: 'e' }],
      ],
    ],
    ['Negotiate undefined, =x', [['negotiate', {}]]],
    ['Bearer error="", x=""', [['bearer', { error: '', x: '' }]]],
    ['Bearer error="open', []],
    ['Bearer a="1", "loose", error="e"', [['bearer', { a: '1' }]]],
    ['', []],
  ])('reads %s', (header, expected) => {
    expect(parse(header)).toEqual(expected);
  });

  it('gives back any parameters, however they are quoted', () => {
    const name = fc.stringMatching(/^[a-z]{1,6}$/);
    const value = fc.string({ maxLength: 20 });
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { minLength: 1, maxLength: 4 }), (pairs) => {
        const quoted = pairs.map(([n, v]) => `${n}="${v.replaceAll(/["\\]/g, '\\$&')}"`).join(', ');
        const expected = new Map<string, string>();
        for (const [n, v] of pairs) if (!expected.has(n)) expected.set(n, v);
        expect(parseChallenges(`Basic, Bearer ${quoted}`)[1]?.parameters).toEqual(expected);
      }),
    );
  });

  it('never throws, and reads nothing of endless size', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('Bearer', ' ', ',', '"', '=', '\\', 'error') }),
        (header) => {
          expect(parseChallenges(header)).toBeInstanceOf(Array);
        },
      ),
    );
    const padded = (length: number): string => `Bearer error="invalid_token", x="${'y'.repeat(length - 34)}"`;
    expect(parseChallenges(padded(8192))).toHaveLength(1);
    expect(parseChallenges(padded(8193))).toEqual([]);
  });
});

describe('errorsOf', () => {
  it.each<[string | null, readonly string[]]>([
    ['Bearer error="invalid_token"', ['invalid_token']],
    ['Basic realm="x", Bearer scope="a", error="invalid_token"', ['invalid_token']],
    ['Bearer error="insufficient_scope"', ['insufficient_scope']],
    ['DPoP error="use_dpop_nonce", algs="ES256"', ['use_dpop_nonce']],
    ['Bearer error="invalid_token", DPoP error="use_dpop_nonce"', ['invalid_token', 'use_dpop_nonce']],
    ['Bearer realm="error=\\"invalid_token\\""', []],
    ['Basic error="invalid_token"', []],
    ['Bearer error_description="invalid_token"', []],
    ['Bearer', []],
    [null, []],
  ])('%s: %s', (header, expected) => {
    expect([...errorsOf(header)]).toEqual(expected);
  });
});
