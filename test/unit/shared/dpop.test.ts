import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accessTokenHash, normalizeHtu } from '../../../src/shared/dpop.ts';
import { hashOf } from '../../helpers/dpop.ts';

describe('normalizeHtu', () => {
  it.each([
    ['https://orders.example/orders', 'https://orders.example/orders'],
    ['HTTPS://Orders.EXAMPLE/Orders', 'https://orders.example/Orders'],
    ['https://orders.example:443/', 'https://orders.example/'],
    ['http://orders.example:80/', 'http://orders.example/'],
    ['https://orders.example:80/', 'https://orders.example:80/'],
    ['http://orders.example:443/', 'http://orders.example:443/'],
    ['https://orders.example', 'https://orders.example/'],
    ['https://orders.example?a=/b', 'https://orders.example/'],
    ['https://orders.example#a@b', 'https://orders.example/'],
    ['https://orders.example/a?x=@#y', 'https://orders.example/a'],
    ['https://orders.example/a/./b/../c', 'https://orders.example/a/c'],
    ['https://orders.example/../../a', 'https://orders.example/a'],
    ['https://orders.example/a/%2e%2E/b', 'https://orders.example/b'],
    ['https://orders.example/%7euser/%41%2d%5f', 'https://orders.example/~user/A-_'],
    ['https://orders.example/%c3%a9%2f', 'https://orders.example/%C3%A9%2F'],
    ['https://orders.example/%252e%252e/a', 'https://orders.example/%252e%252e/a'],
    ['https://orders.example/@user', 'https://orders.example/@user'],
    ['https://orders.example//a//', 'https://orders.example//a//'],
    ['https://[2001:DB8::1]:8443/a', 'https://[2001:db8::1]:8443/a'],
  ])('%s is %s', (url, expected) => {
    expect(normalizeHtu(url)).toBe(expected);
  });

  it.each([
    ['nothing', ''],
    ['a path', '/orders'],
    ['no scheme', '//orders.example/orders'],
    ['another scheme', 'ftp://orders.example/orders'],
    ['a scheme that runs code', 'javascript:alert(1)'],
    ['no host', 'https://'],
    ['no slashes', 'https:orders.example/orders'],
    ['one slash', 'https:/orders.example/orders'],
    ['three slashes', 'https:///orders.example/orders'],
    ['a user', 'https://user@orders.example/orders'],
    ['a user and a password', 'https://user:password@orders.example/orders'],
    ['an empty user', 'https://@orders.example/orders'],
    ['an empty user and password', 'https://:@orders.example/orders'],
    ['backslashes', 'https:\\\\orders.example\\orders'],
    ['a backslash in the path', 'https://orders.example/a\\..\\b'],
    ['a space before', ' https://orders.example/orders'],
    ['a space within', 'https://orders.example/or ders'],
    ['a tab', 'https://orders.example/or\tders'],
    ['a line break', 'https://orders.example/orders\n'],
    ['a null', 'https://orders.example/\0'],
    ['a letter that is not ASCII', 'https://orders.example/é'],
    ['a host that is not ASCII', 'https://ördërs.example/'],
    ['a port too high', 'https://orders.example:65536/'],
    ['a port that is none', 'https://orders.example:https/'],
    ['an open bracket', 'https://[::1/orders'],
    ['an escape cut short', 'https://orders.example/a%4'],
    ['an escape that is none', 'https://orders.example/a%zz'],
  ])('refuses %s', (_name, url) => {
    expect(normalizeHtu(url)).toBeUndefined();
  });

  const segment = fc.stringMatching(/^([\w.~!$&'()*+,;=:@-]|%[0-9a-fA-F]{2}|\.\.?|%2[eE]){0,8}$/);
  const urls = fc
    .record({
      scheme: fc.constantFrom('http', 'https', 'HTTPS', 'Http'),
      host: fc.oneof(fc.domain(), fc.constantFrom('127.0.0.1', '[::1]', 'ORDERS.example')),
      port: fc.constantFrom('', ':', ':80', ':443', ':8443'),
      path: fc.array(segment, { maxLength: 6 }),
      rest: fc.constantFrom('', '?', '?a=b', '#c', '?a#b'),
    })
    .map(({ scheme, host, port, path, rest }) => {
      const text = path.map((part) => `/${part}`).join('');
      return `${scheme}://${host}${port}${text}${rest}`;
    });

  it('changes nothing that is normal already', () => {
    fc.assert(
      fc.property(urls, (url) => {
        const normal = normalizeHtu(url);
        expect(normal).toBeTypeOf('string');
        expect(normalizeHtu(String(normal))).toBe(normal);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps the origin that the URL names', () => {
    fc.assert(
      fc.property(urls, (url) => {
        expect(new URL(String(normalizeHtu(url))).origin).toBe(new URL(url).origin);
      }),
      { numRuns: 1000 },
    );
  });

  it('throws for no text at all', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const normal = normalizeHtu(`https://orders.example/${text}`);
        expect(normal === undefined || normal.startsWith('https://orders.example/')).toBe(true);
        normalizeHtu(text);
      }),
      { numRuns: 1000 },
    );
  });

  it('takes no longer than the length of the URL asks for', () => {
    const long = `https://orders.example/${'%2e%2e/%41'.repeat(100_000)}`;
    const started = performance.now();
    expect(normalizeHtu(long)).toBeTypeOf('string');
    expect(performance.now() - started).toBeLessThan(5000);
  });
});

describe('accessTokenHash', () => {
  it('is the base64url of the SHA-256 of the token', async () => {
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[\w.~+/-]{1,200}=*$/), async (token) => {
        expect(await accessTokenHash(token)).toBe(hashOf(token));
      }),
    );
  });

  it('is there at once where the runtime has node:crypto', () => {
    expect(accessTokenHash('token')).toBeTypeOf('string');
  });
});
