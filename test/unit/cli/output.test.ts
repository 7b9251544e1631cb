import { describe, expect, it } from 'vitest';
import { readChallenge } from '../../../src/cli/doctor/challenge.ts';
import { aheadOf } from '../../../src/cli/doctor/get-document.ts';
import { harmless, hasColours } from '../../../src/cli/output.ts';
import { relativeTime } from '../../../src/cli/relative-time.ts';
import { environmentLines } from '../../../src/cli/services/environment-lines.ts';
import { suggestion } from '../../../src/cli/suggestion.ts';
import { urlDifference } from '../../../src/shared/url-difference.ts';

describe('colours', () => {
  it.each<[boolean | undefined, NodeJS.ProcessEnv, boolean]>([
    [true, {}, true],
    [false, {}, false],
    [undefined, {}, false],
    [true, { NO_COLOR: '1' }, false],
    [true, { NO_COLOR: '' }, true],
    [true, { TERM: 'dumb' }, false],
    [false, { FORCE_COLOR: '1' }, true],
    [false, { FORCE_COLOR: '' }, true],
    [true, { FORCE_COLOR: '0' }, false],
    [false, { FORCE_COLOR: '1', NO_COLOR: '1' }, true],
  ])('terminal %s with %j: %s', (isTerminal, environment, expected) => {
    expect(hasColours(isTerminal, environment)).toBe(expected);
  });
});

describe('texts', () => {
  it('no control characters and marks of direction are left, but line ends', () => {
    expect(harmless('a\u001b[2J\nb\r\u009b\u202ec\u0000')).toBe('a\uFFFD[2J\nb\uFFFD\uFFFD\uFFFDc\uFFFD');
  });

  it.each<[number, string]>([
    [0, '(in 0 seconds)'],
    [-1, '(1 second ago)'],
    [90, '(in 90 seconds)'],
    [-125, '(2 minutes ago)'],
    [7200, '(in 2 hours)'],
    [-200_000, '(2 days ago)'],
  ])('a time %i seconds from now is %s', (distance, text) => {
    expect(relativeTime(1_800_000_000 + distance, 1_800_000_000_000)).toContain(text);
  });

  it('a time that is none is said as it is', () => {
    expect(relativeTime(1e300, 0)).toBe('1e+300, which is no time');
  });

  it.each<[string, string, string | undefined]>([
    ['https://a.example', 'https://a.example/', 'a slash at the end alone'],
    ['https://a.example/x/', 'https://a.example/x', 'a slash at the end alone'],
    ['https://a.example', 'http://a.example', 'http and https'],
    ['http://localhost:4000', 'http://127.0.0.1:4000', 'one machine, but two names'],
    ['https://a.example', 'https://A.example', 'two spellings'],
    ['https://a.example:1', 'https://a.example:2', 'ports'],
    ['https://a.example', 'https://b.example', undefined],
    ['https://a.example/x', 'https://a.example/y', undefined],
    ['https://a.example', 'orders', undefined],
  ])('%s and %s: %s', (a, b, expected) => {
    const difference = urlDifference(a, b);
    if (expected === undefined) expect(difference).toBeUndefined();
    else expect(difference).toContain(expected);
  });

  it('a word is suggested where one is near', () => {
    expect(suggestion('isuer', ['issuer', 'token'], '--')).toBe('; did you mean --issuer?');
    expect(suggestion('colour', ['issuer', 'token'])).toBe('');
  });

  it('variables are quoted as a shell takes them', () => {
    expect(environmentLines({ A: 'https://a.example/x', B: 'a b', C: "it's $HOME" })).toBe(
      "A=https://a.example/x\nB='a b'\nC='it'\\''s $HOME'",
    );
  });
});

describe('the clock of a server', () => {
  const date = 'Sat, 21 Nov 2026 11:00:00 GMT';
  const at = Date.parse(date);

  it.each<[string, number, number, number]>([
    ['within the second', at + 100, at + 900, 0],
    ['made while the request was under way', at - 3000, at + 2000, 0],
    ['behind', at + 10_999, at + 12_000, -10_000],
    ['ahead', at - 12_000, at - 10_000, 10_000],
  ])('%s', (_, startedMs, endedMs, expected) => {
    expect(aheadOf(date, startedMs, endedMs)).toBe(expected);
  });

  it.each([null, 'soon'])('is not known by %s', (text) => {
    expect(aheadOf(text, at, at)).toBeUndefined();
  });
});

describe('challenges', () => {
  it('tells the error, whichever scheme has it', () => {
    const header = 'Bearer realm="a", DPoP error="invalid_dpop_proof", error_description="No", algs="ES256"';
    expect(readChallenge(header)).toEqual({
      error: 'invalid_dpop_proof',
      description: 'No',
      takesDpop: true,
    });
    expect(readChallenge('Bearer')).toEqual({ error: undefined, description: undefined, takesDpop: false });
    expect(readChallenge(null)).toBeUndefined();
  });
});
