import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createTargetFinder,
  readTargets,
  type Target,
  type Targets,
  targetOfResource,
} from '../../../src/outbound/targets.ts';
import { OptionChecker } from '../../../src/shared/options.ts';
import { parseUrl } from '../../../src/shared/url.ts';
import { secretCanary } from './support.ts';

const read = (targets: Targets) => readTargets(new OptionChecker('createAuthedFetch'), targets);

function finder(targets: Targets): (url: string) => string | undefined {
  const { ofUrl, ofPlainText } = createTargetFinder(read(targets));
  return (url) => {
    const target = ofUrl(new URL(url));
    // The shortcut may know nothing, but never something else.
    const short = ofPlainText(url);
    if (short !== undefined) expect(short).toBe(target);
    return target && `${target.origin}${target.pathPrefix}`;
  };
}

describe('threat 21: a URL is covered only by a target that names its origin', () => {
  const find = finder([
    'https://orders.internal',
    { origin: 'HTTPS://API.Internal:443/' },
    'http://localhost:8080',
  ]);

  it.each([
    ['https://orders.internal', 'https://orders.internal/'],
    ['https://orders.internal/a/b?c=d#e', 'https://orders.internal/'],
    ['https://ORDERS.internal:443/', 'https://orders.internal/'],
    ['https://api.internal/x', 'https://api.internal/'],
    ['http://localhost:8080/x', 'http://localhost:8080/'],
    ['https://orders.internal/..%2fadmin', 'https://orders.internal/'],
  ])('%s: yes', (url, target) => {
    expect(find(url)).toBe(target);
  });

  it.each([
    'https://orders.internal./',
    'https://orders.internal:8443/',
    'http://orders.internal/',
    'https://orders.internal.evil.example/',
    'https://evil.example/https://orders.internal/',
    'https://evil.example/?https://orders.internal',
    'https://evil.example/#https://orders.internal',
    'https://orders.internal@evil.example/',
    'https://user@orders.internal/',
    'https://user:password@orders.internal/',
    'https://:password@orders.internal/',
    'https://sub.orders.internal/',
    'https://orders-internal/',
    'https://evil.example\\@orders.internal/',
    'http://localhost/',
    'http://localhost:8081/',
    'http://127.0.0.1:8080/',
    'blob:https://orders.internal/5b1f',
    'wss://orders.internal/',
    'ftp://orders.internal/',
    'file:///orders.internal',
    'data:text/plain,x',
    'javascript:alert(1)',
  ])('%s: no', (url) => {
    expect(find(url)).toBeUndefined();
  });

  it('any URL at all: only one of the origins, and never with a user in it', () => {
    const origins = ['https://orders.internal', 'https://api.internal', 'http://localhost:8080'];
    const piece = fc.constantFrom(
      ...[
        'https:',
        'http:',
        '//',
        '/',
        '\\',
        '@',
        ':',
        '.',
        '?',
        '#',
        '%2f',
        '%2e',
        '%40',
        '\t',
        '\u3002',
        '443',
        ' ',
      ],
      ...[
        'orders.internal',
        'ORDERS.INTERNAL',
        'api.internal',
        'localhost',
        '8080',
        'evil.example',
        'user',
        '\u00ad',
      ],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.array(piece, { maxLength: 9 }).map((all) => all.join('')),
          fc.webUrl(),
        ),
        (text) => {
          const url = parseUrl(text);
          if (url === undefined) return;
          const plain = /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
          expect(find(text) !== undefined).toBe(plain && origins.includes(url.origin));
        },
      ),
      { numRuns: 3000 },
    );
  });

  it('the shortcut answers for the very origin alone', () => {
    const { ofPlainText } = createTargetFinder(
      read([
        'https://orders.internal',
        'http://[::1]:8080',
        { origin: 'https://api.internal', pathPrefix: '/api' },
      ]),
    );
    for (const text of ['https://orders.internal/', 'http://[::1]:8080/x']) {
      expect(ofPlainText(text)?.origin).toBe(new URL(text).origin);
    }
    for (const text of [
      'https://orders.internal/\t@evil.example',
      'https://orders.internal/\\x',
      'https://orders.internal',
      'https://orders.internalx',
      'https://orders.internal:',
      'https://orders.internal.evil.example/',
      'https://orders.internal\\/',
      'https://orders.internal@evil.example/',
      'https://orders.internal:443/',
      'https://api.internal/api',
      ' https://orders.internal/',
      '*/',
      '*x',
      '',
    ]) {
      expect(ofPlainText(text)).toBeUndefined();
    }
    expect(createTargetFinder(read('*')).ofPlainText('*/https://')).toBeUndefined();
  });
});

describe('path prefixes', () => {
  const find = finder([
    { origin: 'https://api.internal', pathPrefix: '/orders' },
    { origin: 'https://api.internal', pathPrefix: '/orders/archive/' },
    { origin: 'https://api.internal', pathPrefix: '/caf\u00e9' },
  ]);

  it.each([
    ['/orders', '/orders'],
    ['/orders?x=1', '/orders'],
    ['/orders/7', '/orders'],
    ['/orders//7', '/orders'],
    ['/x/../orders/7', '/orders'],
    ['/x/%2e%2e/orders/7', '/orders'],
    ['/orders/..../7', '/orders'],
    ['/orders/a%2fb', '/orders'],
    ['/orders/50%25', '/orders'],
    ['/orders/..!/7', '/orders'],
    ['/orders/..%21/7', '/orders'],
    ['/orders/..~/7', '/orders'],
    ['/orders/x;..', '/orders'],
    ['/orders/a%20b%7fc', '/orders'],
    ['/orders/%80%ff', '/orders'],
    ['/orders/%2525252566', '/orders'],
    ['/orders/archive', '/orders'],
    ['/orders/archive/7', '/orders/archive/'],
    ['/caf\u00e9/x', '/caf%C3%A9'],
    ['/caf%C3%A9/x', '/caf%C3%A9'],
  ])('%s is below %s', (path, prefix) => {
    expect(find(`https://api.internal${path}`)).toBe(`https://api.internal${prefix}`);
  });

  it.each([
    '/',
    '/ordersx',
    '/orders-other/7',
    '/Orders',
    '//orders',
    '/%6frders',
    '/orders%2f7',
    '/orders/../admin',
    '/orders/%2e%2e/admin',
    '/orders/.%2E/admin',
    '/orders/..%2fadmin',
    '/orders/..%2Fadmin',
    '/orders/%2e%2e%2fadmin',
    '/orders/x%2f..%2f..%2fadmin',
    '/orders/..\\admin',
    '/orders/..%5cadmin',
    '/orders/%252e%252e%252fadmin',
    '/orders/%25252e%25252e/admin',
    '/orders/%2525252525252e%2525252525252e/admin',
    '/orders/..;/admin',
    '/orders/..;x=1/admin',
    '/orders/..%3b/admin',
    '/orders/%2e%2e;/admin',
    '/orders/%2f./admin',
    '/orders/..%00x/admin',
    '/orders/..%20/admin',
    '/orders/%20../admin',
    '/orders/..%09/admin',
    '/orders/%1f..%1F/admin',
    '/orders/..%7f/admin',
    '/orders/..%7F/admin',
    '/orders/x%2f.',
    // What is still encoded after four decodings is refused unread.
    '/orders/%252525252566',
  ])('%s is below none', (path) => {
    expect(find(`https://api.internal${path}`)).toBeUndefined();
  });

  it('a climb is not caught by a wider target of the same origin either', () => {
    const both = finder(['https://api.internal', { origin: 'https://api.internal', pathPrefix: '/admin' }]);
    expect(both('https://api.internal/x')).toBe('https://api.internal/');
    expect(both('https://api.internal/x/..%2fadmin')).toBeUndefined();
  });

  it('no path that a server could read as one outside is covered', () => {
    const piece = fc.constantFrom(
      '/',
      '.',
      '..',
      '%2e',
      '%2E',
      '%2f',
      '%5c',
      '\\',
      '%25',
      '2e',
      '2f',
      ';',
      'a',
      'orders',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
        const text = `https://api.internal/orders/${pieces.join('')}`;
        if (find(text) === undefined) return;
        let { pathname } = new URL(text);
        for (let decodings = 0; decodings < 4; decodings++) {
          const seen = new URL(
            `https://api.internal${pathname.replaceAll('\\', '/').replaceAll(/;[^/]*/g, '')}`,
          );
          expect(`${seen.pathname}/`).toMatch(/^\/orders\//);
          pathname = pathname.replaceAll(/%(2e|2f|5c|25|3b)/gi, (encoded) => decodeURIComponent(encoded));
        }
      }),
      { numRuns: 3000 },
    );
  });
});

describe("the opt-out '*'", () => {
  it.each([
    ['https://anything.example/x', true],
    ['http://127.0.0.1:1234/', true],
    ['http://anything.example/', false],
    ['https://user@anything.example/', false],
    ['ftp://anything.example/', false],
  ])('%s: %s', (url, covered) => {
    expect(finder('*')(url)).toBe(covered ? '*/' : undefined);
  });
});

describe('the option', () => {
  const origin = 'https://a.example';

  it.each<[unknown, string]>([
    [[], "targets must be a non-empty list of origins or targets, or '*'"],
    ['https://a.example', "targets must be a non-empty list of origins or targets, or '*'; got a text"],
    [[7], 'targets must be an object; got 7'],
    [[{}], 'targets.origin must be an origin such as'],
    [['a.example'], 'targets.origin must be an origin such as'],
    [['https://a.example/api'], 'targets.origin must be an origin such as'],
    [['https://a.example?x'], 'targets.origin must be an origin such as'],
    [['https://a.example#x'], 'targets.origin must be an origin such as'],
    [['ftp://a.example'], 'targets.origin must be an origin such as'],
    [['*'], 'targets.origin must be an origin such as'],
    [['https://*.example'], 'targets.origin must be one origin; patterns are not known'],
    [
      ['http://orders:8080'],
      'targets.origin must be https; for plain http to another machine set allowInsecure',
    ],
    [[{ origin: 'http://orders', allowInsecure: false }], 'targets.origin must be https'],
    [
      [{ origin: 'http://orders', allowInsecure: 'yes' }],
      'targets.allowInsecure must be true or false; got "yes"',
    ],
    [[{ origin, pathPrefix: 'api' }], 'targets.pathPrefix must be a path that begins with a slash'],
    [[{ origin, pathPrefix: '' }], 'targets.pathPrefix must be a path that begins with a slash'],
    [[{ origin, pathPrefix: '/a/../b' }], 'targets.pathPrefix must be a path that begins with a slash'],
    [[{ origin, pathPrefix: '/a%2f..' }], 'targets.pathPrefix must be a path that begins with a slash'],
    [[{ origin, pathPrefix: '/a?b' }], 'targets.pathPrefix must be a path that begins with a slash'],
    [[{ origin, pathPrefix: '/a\\b' }], 'targets.pathPrefix must be a path that begins with a slash'],
    [[{ origin, path: '/a' }], 'unknown option path in targets; did you mean pathPrefix?'],
    [[{ origin, scope: '' }], 'targets.scope must be a non-empty string'],
    [[{ origin, resource: 'x' }], 'targets.resource must be an absolute URI'],
    [[origin, 'HTTPS://A.example:443'], 'targets must be named once; got "https://a.example/"'],
  ])('refuses %j', (targets, message) => {
    expect(() => read(targets as Targets)).toThrow(TypeError);
    expect(() => read(targets as Targets)).toThrow(`createAuthedFetch: ${message}`);
  });

  it('shows no password of an origin', () => {
    const create = (): unknown => read([`https://a:${secretCanary}@a.example`]);
    expect(create).toThrow('targets.origin must be');
    expect(create).not.toThrow(secretCanary);
  });

  it('is read as it was meant', () => {
    const onBehalfOf = (): string => 'alice';
    const nothing = { scopes: undefined, resources: undefined, dpop: undefined, onBehalfOf: undefined };
    expect(read('*')).toStrictEqual([{ origin: '*', pathPrefix: '/', ...nothing }]);
    expect(read([origin])).toStrictEqual([{ origin, pathPrefix: '/', ...nothing }]);
    expect(
      read([{ origin, pathPrefix: '/a b', scope: 'x y', resource: 'urn:z', dpop: false, onBehalfOf }]),
    ).toStrictEqual([
      { origin, pathPrefix: '/a%20b', scopes: ['x', 'y'], resources: ['urn:z'], dpop: false, onBehalfOf },
    ]);
  });

  it('lets plain http through where it is allowed by name', () => {
    const find = finder([{ origin: 'http://orders:8080', allowInsecure: true }]);
    expect(find('http://orders:8080/x')).toBeDefined();
    expect(find('https://orders:8080/x')).toBeUndefined();
  });
});

describe('the target that a resource stands for', () => {
  it.each<[readonly string[], Target | undefined]>([
    [['https://orders.internal'], { origin: 'https://orders.internal', pathPrefix: '/' }],
    [['https://orders.internal/api'], { origin: 'https://orders.internal', pathPrefix: '/api' }],
    [['http://orders.internal:8080/'], { origin: 'http://orders.internal:8080', pathPrefix: '/' }],
    [['https://:password@orders.internal/'], undefined],
    [['no URL'], undefined],
    [['urn:orders'], undefined],
    [['api://orders'], undefined],
    [['https://orders.internal/?a=b'], undefined],
    [['https://user@orders.internal/'], undefined],
    [['https://a.example', 'https://b.example'], undefined],
    [[], undefined],
  ])('%j', (resources, target) => {
    expect(targetOfResource(resources)).toEqual(target);
  });
});
