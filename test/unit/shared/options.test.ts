import { describe, expect, it } from 'vitest';
import { optionError } from '../../../src/errors.ts';
import { OptionChecker } from '../../../src/shared/options.ts';

const check = new OptionChecker('createThing');

describe('messages name where, option, rule and value', () => {
  it.each<[() => unknown, string]>([
    [() => check.string('name', 1), 'createThing: name must be a non-empty string; got 1'],
    [() => check.string('name', ' '), 'createThing: name must be a non-empty string; got " "'],
    [
      () => check.strings('names', []),
      'createThing: names must be a non-empty string or a non-empty list of them; got []',
    ],
    [
      () => check.strings('names', ['a', null]),
      'createThing: names must be a non-empty string or a non-empty list of them; got null',
    ],
    [
      () => check.number('seconds', Number.NaN, 0, 10, 'seconds'),
      'createThing: seconds must be a number of seconds from 0 to 10; got NaN',
    ],
    [
      () => check.number('seconds', '5', 0, 10, 'seconds'),
      'createThing: seconds must be a number of seconds from 0 to 10; got "5"',
    ],
    [
      () => check.wholeNumber('count', 1.5, 1, 10, 'entries'),
      'createThing: count must be a whole number of entries from 1 to 10; got 1.5',
    ],
    [
      () => check.wholeNumber('count', '5', 1, 10, 'entries'),
      'createThing: count must be a whole number of entries from 1 to 10; got "5"',
    ],
    [
      () => check.wholeNumber('count', 11, 1, 10, 'entries'),
      'createThing: count must be a whole number of entries from 1 to 10; got 11',
    ],
    [() => check.boolean('on', 'yes'), 'createThing: on must be true or false; got "yes"'],
    [() => check.function('call', {} as () => void), 'createThing: call must be a function; got an object'],
    [() => check.oneOf('mode', 'x', ['a', 'b']), "createThing: mode must be one of 'a', 'b'; got \"x\""],
    [() => check.object('options', null, []), 'createThing: options must be an object; got null'],
    [() => check.object('options', ['a'], []), 'createThing: options must be an object; got a list'],
    [() => check.object('options', 'a secret', []), 'createThing: options must be an object; got a text'],
    [
      () => check.oneOf('mode', 'a secret that is longer than any word', ['a']),
      "createThing: mode must be one of 'a'; got a text",
    ],
    [
      () => check.string('url', 'x', 'a URL') && check.fail('url', 'a URL', 'https://user:password@ho st'),
      'createThing: url must be a URL; got a text with an @ in it',
    ],
    [() => check.headerText('realm', 'a\nb'), 'createThing: realm must be printable ASCII; got "a\\nb"'],
    [
      () => check.failSecret('secret', 'at least 32 bytes long'),
      'createThing: secret must be at least 32 bytes long',
    ],
  ])('%#', (work, message) => {
    expect(work).toThrow(optionError('option_invalid', message));
  });
});

describe('unknown options', () => {
  const known = ['scope', 'clients', 'clockToleranceSeconds'];
  it.each([
    ['scopes', 'scope'],
    ['Scope', 'scope'],
    ['clock_tolerance_seconds', 'clockToleranceSeconds'],
    ['client', 'clients'],
    ['cleints', 'clients'],
  ])('%s: did you mean %s?', (typed, meant) => {
    expect(() => check.object('options', { [typed]: 1 }, known)).toThrow(`did you mean ${meant}?`);
  });

  it('lists what there is where nothing is near', () => {
    expect(() => check.object('options', { zzz: 1 }, known)).toThrow(
      'known are scope, clients, clockToleranceSeconds',
    );
  });
});

it('lists are copies that cannot be changed', () => {
  const given = ['a'];
  const list = check.strings('names', given);
  given.push('b');
  expect(list).toEqual(['a']);
  expect(Object.isFrozen(list)).toBe(true);
});
