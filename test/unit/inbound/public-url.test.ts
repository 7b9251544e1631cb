import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Connection } from '../../../src/inbound/credentials.ts';
import { createPublicUrl, type PublicUrl } from '../../../src/inbound/public-url.ts';
import { OptionChecker } from '../../../src/shared/options.ts';

type HeaderValues = Record<string, string>;

const make = (option?: PublicUrl) => createPublicUrl(option, new OptionChecker('test'));
const over = (remoteAddress: string | undefined, encrypted = false): Connection => ({
  encrypted,
  remoteAddress,
  peerCertificate: undefined,
});

function urlOf(option: PublicUrl | undefined, url: string, headers: HeaderValues, connection?: Connection) {
  return make(option)({ method: 'GET', url, headers: new Headers(headers), connection });
}

describe('without an option, the request speaks for itself', () => {
  const host = 'orders.example';

  it('by its absolute URL', () => {
    expect(urlOf(undefined, 'https://orders.example/a?b', {})).toBe('https://orders.example/a?b');
    expect(urlOf(undefined, 'https://orders.example/a', { host })).toBe('https://orders.example/a');
    expect(urlOf(undefined, 'https://orders.example/a', { host: 'ORDERS.example:443' })).toBe(
      'https://orders.example/a',
    );
  });

  it('by its path, its Host, and whether the connection is TLS', () => {
    expect(urlOf(undefined, '/a?b', { host }, over('::1', true))).toBe('https://orders.example/a?b');
    expect(urlOf(undefined, '/a', { host: `${host}:8080` }, over('::1'))).toBe(
      'http://orders.example:8080/a',
    );
    expect(urlOf(undefined, '/a', { host })).toBe('http://orders.example/a');
    expect(urlOf(undefined, '/a', { host: '[2001:db8::1]:8080' })).toBe('http://[2001:db8::1]:8080/a');
  });

  it('a path of two slashes is a path', () => {
    expect(urlOf(undefined, '//evil.example/a', { host })).toBe('http://orders.example//evil.example/a');
  });

  it.each([
    ['another host', 'https://orders.example/a', { host: 'evil.example' }],
    ['another port', 'https://orders.example/a', { host: 'orders.example:8443' }],
    ['no Host', '/a', {}],
    ['an asterisk', '*', { host }],
    ['an authority', 'orders.example:443', { host }],
    ['another scheme', 'ftp://orders.example/a', { host }],
    ['nothing', '', { host }],
  ])('and with %s it says nothing', (_name, url, headers: HeaderValues) => {
    expect(urlOf(undefined, url, headers)).toBeUndefined();
  });

  it('forwarded headers say nothing, from wherever', () => {
    const headers = { host, 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example;proto=https' };
    expect(urlOf(undefined, '/a', headers, over('127.0.0.1'))).toBe('http://orders.example/a');
  });
});

const badHosts = [
  '',
  'evil.example/orders.example',
  'user@orders.example',
  'orders.example\\evil.example',
  'orders example',
  'orders.example?a',
  'orders.example#a',
  'orders.example, evil.example',
  'orders.example:port',
  'orders.example:99999',
  'orders.example:1:2',
  '[::1',
  'ördërs.example',
  'a%2fb',
  'a%40b',
  'a,b',
  'orders\t.example',
  'orders.example/',
  'orders.example?',
  'orders.example#',
  '@orders.example',
  'orders.example\\',
];

it.each(badHosts)('the Host %j is malformed', (host) => {
  const headers = { get: (name: string) => (name === 'host' ? host : null) };
  const request = { method: 'GET', url: '/a', headers };
  expect(make()(request)).toBeUndefined();
});

it.each(['a!b', 'a~b', 'orders_1', '127.0.0.1', '[::1]:80'])('the Host %j is none of these', (host) => {
  expect(urlOf(undefined, '/a', { host }, over('::1', true))).toBe(`${new URL(`https://${host}`).origin}/a`);
  expect(urlOf(undefined, '/a', { host })).toBe(`${new URL(`http://${host}`).origin}/a`);
});

it('a request without headers speaks by its absolute URL alone', () => {
  const get = (host: string | null | undefined) => (url: string) =>
    make()({ method: 'GET', url, headers: { get: () => host } });
  for (const none of [null, undefined]) {
    expect(get(none)('https://orders.example/a')).toBe('https://orders.example/a');
    expect(get(none)('http://orders.example/a')).toBe('http://orders.example/a');
    expect(get(none)('ftp://orders.example/a')).toBeUndefined();
    expect(get(none)('/a')).toBeUndefined();
  }
  expect(get('')('https://orders.example/a')).toBeUndefined();
  expect(get('orders.example ')('/a')).toBeUndefined();
});

describe('a base URL', () => {
  it.each(['*', '', 'orders', 'http://'])('with the target %j is none', (url) => {
    expect(urlOf('https://gateway.example', url, {})).toBeUndefined();
  });

  it.each([
    ['https://gateway.example', '/a?b', 'https://gateway.example/a?b'],
    ['https://gateway.example/', '/a', 'https://gateway.example/a'],
    ['https://gateway.example/orders', '/a', 'https://gateway.example/orders/a'],
    ['https://gateway.example/orders/', '/', 'https://gateway.example/orders/'],
    ['http://gateway.example:8080', '/a', 'http://gateway.example:8080/a'],
    ['https://gateway.example', 'https://orders.example/a?b', 'https://gateway.example/a?b'],
  ])('%s with %s is %s', (base, url, expected) => {
    const headers = { host: 'evil.example', 'x-forwarded-host': 'evil.example' };
    expect(urlOf(base, url, headers, over('10.0.0.1'))).toBe(expected);
  });

  it.each([
    '',
    'gateway.example',
    '/orders',
    'ftp://gateway.example',
    'https://user@gateway.example',
    'https://gateway.example?a',
    'https://gateway.example#a',
  ])('%j is refused', (base) => {
    expect(() => make(base)).toThrow(TypeError);
    expect(() => make(base)).toThrow('publicUrl');
  });
});

describe('trusted proxies', () => {
  const option = { trustProxy: ['10.0.0.0/8', '2001:db8::/32'] };
  const behind = (headers: HeaderValues, remote: string | undefined = '10.0.0.1') =>
    urlOf(option, '/a?b', { host: 'inner.example', ...headers }, over(remote));

  it('are believed, in either kind of header', () => {
    const expected = 'https://orders.example/a?b';
    const custom = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' };
    expect(behind(custom)).toBe(expected);
    expect(behind(custom, '::ffff:10.0.0.1')).toBe(expected);
    expect(behind(custom, '2001:db8::5')).toBe(expected);
    expect(behind({ forwarded: 'for=203.0.113.7;proto=https;host=orders.example' })).toBe(expected);
    expect(behind({ forwarded: 'For="[2001:db8:cafe::17]:4711"; Proto=HTTPS; Host="orders.example"' })).toBe(
      expected,
    );
  });

  it.each(['11.0.0.1', '::1', '', 'unknown', undefined])('nobody at %s is', (remote) => {
    const headers = {
      host: 'inner.example',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'orders.example',
      forwarded: 'proto=https;host=orders.example',
    };
    expect(urlOf(option, '/a', headers, over(remote))).toBe('http://inner.example/a');
    expect(urlOf(option, '/a', headers)).toBe('http://inner.example/a');
  });

  it('may say a part, the rest is the request’s own', () => {
    expect(behind({})).toBe('http://inner.example/a?b');
    expect(behind({ 'x-forwarded-proto': 'https' })).toBe('https://inner.example/a?b');
    expect(behind({ 'x-forwarded-host': 'orders.example' })).toBe('http://orders.example/a?b');
    expect(behind({ forwarded: 'for=203.0.113.7' })).toBe('http://inner.example/a?b');
  });

  it.each<[string, HeaderValues, string | undefined]>([
    ['/a', { 'x-forwarded-proto': 'https' }, undefined],
    ['/a', { 'x-forwarded-host': 'orders.example' }, undefined],
    [
      '/a',
      { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' },
      'https://orders.example/a',
    ],
    ['*', { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' }, undefined],
    [
      'http://inner.example/a?b',
      { 'x-forwarded-proto': 'https', host: 'o.example' },
      'https://o.example/a?b',
    ],
    ['https://inner.example/a', { 'x-forwarded-host': 'o.example' }, 'https://o.example/a'],
    ['/a', {}, undefined],
  ])('of %s with %j say what is asked for: %s', (url, headers, expected) => {
    expect(urlOf(option, url, headers, over('10.0.0.1'))).toBe(expected);
  });

  it('may say the same in both kinds', () => {
    const custom = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' };
    expect(behind({ ...custom, forwarded: 'for=203.0.113.7;proto=HTTPS;host=Orders.example' })).toBe(
      'https://orders.example/a?b',
    );
    // For whom the request was passed on says nothing of the URL.
    expect(behind({ ...custom, forwarded: 'for=203.0.113.7' })).toBe('https://orders.example/a?b');
    expect(behind({ forwarded: 'proto=https;host=orders.example', 'x-forwarded-for': '203.0.113.7' })).toBe(
      'https://orders.example/a?b',
    );
  });

  it('may say a port', () => {
    const headers = { 'x-forwarded-proto': 'https', 'x-forwarded-host': 'orders.example' };
    expect(behind({ ...headers, 'x-forwarded-port': '8443' })).toBe('https://orders.example:8443/a?b');
    expect(behind({ ...headers, 'x-forwarded-port': '443' })).toBe('https://orders.example/a?b');
    expect(
      behind({ ...headers, 'x-forwarded-host': 'orders.example:9000', 'x-forwarded-port': '8443' }),
    ).toBe('https://orders.example:9000/a?b');
    expect(behind({ ...headers, 'x-forwarded-host': '[::1]', 'x-forwarded-port': '8443' })).toBe(
      'https://[::1]:8443/a?b',
    );
  });

  it('are walked from the right: the outermost trusted one knows what the client saw', () => {
    const lists = {
      'x-forwarded-for': '203.0.113.7, 10.0.0.9',
      'x-forwarded-host': 'orders.example, middle.example',
      'x-forwarded-proto': 'https, http',
    };
    expect(behind(lists)).toBe('https://orders.example/a?b');
    expect(
      behind({
        forwarded:
          'for=203.0.113.7;proto=https;host=orders.example, for=10.0.0.9;proto=http;host=middle.example',
      }),
    ).toBe('https://orders.example/a?b');
  });

  it('what stands left of the first hop that is not trusted is the caller’s invention', () => {
    expect(
      behind({
        'x-forwarded-for': '10.0.0.5, 203.0.113.7',
        'x-forwarded-host': 'evil.example, orders.example',
        'x-forwarded-proto': 'http, https',
      }),
    ).toBe('https://orders.example/a?b');
    expect(
      behind({
        forwarded:
          'for=10.0.0.5;host=evil.example;proto=http, for=203.0.113.7;host=orders.example;proto=https',
      }),
    ).toBe('https://orders.example/a?b');
    expect(behind({ forwarded: 'host=evil.example, for=unknown;host=orders.example;proto=https' })).toBe(
      'https://orders.example/a?b',
    );
  });

  it.each([
    ['a scheme of another kind', { 'x-forwarded-proto': 'ftp' }],
    ['a scheme with more', { 'x-forwarded-proto': 'https://evil.example' }],
    ['an empty scheme', { 'x-forwarded-proto': '' }],
    ['more schemes than hops', { 'x-forwarded-for': '203.0.113.7', 'x-forwarded-proto': 'https, http' }],
    ['hosts without hops', { 'x-forwarded-host': 'orders.example, middle.example' }],
    ['a port that is none', { 'x-forwarded-host': 'orders.example', 'x-forwarded-port': '443/..' }],
    ['a port with a user', { 'x-forwarded-host': 'orders.example', 'x-forwarded-port': '1@evil.example' }],
    ['an open quote', { forwarded: 'host="orders.example' }],
    ['a pair twice', { forwarded: 'host=orders.example;host=evil.example' }],
    ['no pair', { forwarded: 'orders.example' }],
    ['an empty element', { forwarded: 'host=orders.example,,host=evil.example' }],
    ['an empty name', { forwarded: '=orders.example' }],
    ['a header far too long', { forwarded: `host=orders.example;by=${'x'.repeat(5000)}` }],
    [
      'two kinds that differ in the host',
      { forwarded: 'host=orders.example', 'x-forwarded-host': 'evil.example' },
    ],
    ['two kinds that differ in the scheme', { forwarded: 'proto=https', 'x-forwarded-proto': 'http' }],
    [
      'a host in Forwarded beside a scheme in the other kind',
      { forwarded: 'host=evil.example', 'x-forwarded-proto': 'https' },
    ],
    [
      'a host in Forwarded that the other kind does not say',
      { forwarded: 'proto=https;host=evil.example', 'x-forwarded-proto': 'https' },
    ],
    [
      'X-Forwarded-Host beside a scheme in Forwarded',
      { forwarded: 'proto=https', 'x-forwarded-host': 'evil.example' },
    ],
    [
      'X-Forwarded-Host that Forwarded does not say',
      { forwarded: 'proto=https', 'x-forwarded-proto': 'https', 'x-forwarded-host': 'evil.example' },
    ],
    [
      'a scheme that one kind does not say',
      { forwarded: 'host=orders.example', 'x-forwarded-proto': 'http', 'x-forwarded-host': 'orders.example' },
    ],
  ])('%s is no guess', (_name, headers: HeaderValues) => {
    expect(behind(headers)).toBeUndefined();
  });

  it.each(badHosts.filter((host) => host !== '' && host !== 'ördërs.example'))(
    'the forwarded host %j is malformed',
    (host) => {
      expect(behind({ 'x-forwarded-host': host, 'x-forwarded-proto': 'https' })).toBeUndefined();
      const forwarded = `host="${host.replaceAll('\\', '\\\\')}";proto=https`;
      const result = behind({ forwarded });
      // A quoted backslash is an escape, and so may leave a host that is another, but never two.
      expect(result === undefined || new URL(result).username === '').toBe(true);
    },
  );

  it('whatever headers say, the path stays the request’s and the origin is plain', () => {
    const value = fc.oneof(
      fc.stringMatching(/^[ -~]{0,40}$/),
      fc.stringMatching(/^[a-z0-9.:,;="[\]@/\\ -]{0,40}$/),
    );
    const names = [
      'forwarded',
      'x-forwarded-for',
      'x-forwarded-proto',
      'x-forwarded-host',
      'x-forwarded-port',
      'host',
    ];
    const headers = fc.dictionary(fc.constantFrom(...names), value);
    fc.assert(
      fc.property(headers, (given) => {
        const request = {
          method: 'GET',
          url: '/a?b',
          headers: { get: (name: string) => (Object.hasOwn(given, name) ? given[name] : undefined) },
          connection: over('10.0.0.1'),
        };
        const url = make(option)(request);
        if (url === undefined) return;
        const { origin, protocol } = new URL(url);
        expect(url).toBe(`${origin}/a?b`);
        expect(['http:', 'https:']).toContain(protocol);
      }),
      { numRuns: 2000 },
    );
  });

  it.each<[string, object]>([
    ['no list', {}],
    ['an empty list', { trustProxy: [] }],
    ['a name', { trustProxy: ['proxy.example'] }],
    ['true', { trustProxy: true }],
    ['an unknown option', { trustProxies: ['10.0.0.1'] }],
  ])('%s is refused at creation', (_name, wrong) => {
    expect(() => make(wrong as PublicUrl)).toThrow(TypeError);
  });
});
