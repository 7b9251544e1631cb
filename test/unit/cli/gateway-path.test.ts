import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPath } from '../../../src/cli/gateway/request-path.ts';
import { createRoutes } from '../../../src/cli/gateway/routes.ts';
import { OptionChecker } from '../../../src/shared/options.ts';

describe('paths', () => {
  it.each([
    ['/', '/', '/'],
    ['/orders', '/orders', '/orders'],
    ['/Orders/7', '/Orders/7', '/orders/7'],
    ['/orders/', '/orders/', '/orders'],
    ['/%61dmin', '/admin', '/admin'],
    ['/%2561dmin', '/%61dmin', '/admin'],
    ['/admin;x=1/list', '/admin;x=1/list', '/admin/list'],
    ['/admin%3fpage', '/admin?page', '/admin'],
    ['/caf%C3%A9', '/café', '/café'],
    ['/100%25', '/100%', '/100%'],
    ['/a..b/...', '/a..b/...', '/a..b/...'],
    // What cannot be decoded again keeps nothing else from it.
    ['/%2561dmin/%25zz', '/%61dmin/%zz', '/admin/%zz'],
    // Case as it is compared by readers that turn both sides into capitals, and letters that look the same.
    ['/adm%C4%B1n', '/admın', '/admin'],
    ['/%C5%BFecret', '/ſecret', '/secret'],
    ['/cafe%CC%81', '/cafe\u0301', '/café'],
    ['/%EF%BD%81dmin', '/ａdmin', '/admin'],
  ])('%s is %s, or to a lenient reader %s', (text, decoded, lenient) => {
    expect(readPath(text)).toEqual({ decoded, lenient });
  });

  it.each([
    '',
    'orders',
    '*',
    'http://api.example/orders',
    '//orders',
    '/a//b',
    '/./a',
    '/a/..',
    '/a/../b',
    '/%2e%2e/b',
    '/%252e%252e/b',
    '/a/.%2E/b',
    '/a/..;x/b',
    '/..%3fx',
    '/a%2fb',
    '/a%2Fb',
    '/a%252fb',
    '/a%5cb',
    '/a%255cb',
    '/a\\b',
    '/a/;x/b',
    '/a%00',
    '/a%0d%0ab',
    '/a%2500',
    '/a%ff',
    '/a%zz',
    '/a%',
    '/a b',
    '/a"b',
    '/caf\u00e9',
    '/a#b',
    '/%25252561dmin',
    '/public/%252e%252e/admin/%25zz',
    '/a%25ff',
    '/a/%EF%BC%8E%EF%BC%8E/b',
    '/a/%EF%BC%8Fb',
    '/a%EF%BC%BCb',
  ])('%j is ambiguous', (text) => {
    expect(readPath(text)).toBeUndefined();
  });

  it('however it is spelt, a closed path is never taken for an open one', () => {
    const route = (path: string, isPrefix: boolean, isOpen: boolean) => ({
      host: undefined,
      methods: undefined,
      path,
      isPrefix,
      isOpen,
    });
    const find = createRoutes(new OptionChecker('test'), [
      route('/', true, true),
      route('/admin', true, false),
      route('/api/keys', false, false),
    ]);
    const spelt = (letter: string) =>
      fc.constantFrom(
        letter,
        letter.toUpperCase(),
        hex(letter),
        hex(letter).replace('%', '%25'),
        encodeURIComponent(String.fromCharCode(letter.charCodeAt(0) + 0xfee0)),
      );
    const noise = fc.constantFrom('', '/', ';x=1', '%3fx', '%23x', ';x/', '%2f', '/.', '/%2e', '/x/..');
    const below = fc.oneof(noise, fc.constant('/%25zz'));
    const word = (path: string) => fc.tuple(...[...path].map((letter) => spelt(letter)));
    fc.assert(
      fc.property(
        fc.oneof(fc.tuple(word('admin'), below), fc.tuple(word('api/keys'), noise)),
        ([letters, end]) => {
          const path = readPath(`/${letters.join('')}${end}`);
          const found = path && find('api.example', path, 'GET');
          expect(typeof found === 'object' && found.isOpen).toBe(false);
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function hex(letter: string): string {
  return `%${letter.charCodeAt(0).toString(16)}`;
}
