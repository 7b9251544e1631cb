/** The TLS client certificate that a proxy writes into a header: what is read of it, and of whom. */
import { describe, expect, it } from 'vitest';
import {
  type ForwardedCertificateOptions,
  forwardedClientCertificate,
  isOptionError,
} from '../../../src/index.ts';

const XFCC = 'x-forwarded-client-cert';
const trustProxy = ['10.0.0.0/8'];

/** What is found in a header, which the view of the request has under its name in lower case alone. */
function read(
  value: string | null | undefined,
  options: object = {},
  remoteAddress: string | undefined = '10.0.0.1',
) {
  const given: ForwardedCertificateOptions = { trustProxy, ...options };
  const name = (given.header ?? XFCC).toLowerCase();
  return forwardedClientCertificate(given)({
    method: 'GET',
    url: '/',
    headers: { get: (asked) => (asked === name ? value : undefined) },
    connection: { encrypted: false, remoteAddress, peerCertificate: undefined },
  });
}

describe('x-forwarded-client-cert', () => {
  it.each([
    ['Cert="a%20b"', 'a%20b'],
    ['Cert=a', 'a'],
    ['cert="a"', 'a'],
    ['CERT="a"', 'a'],
    ['Cert=""', ''],
    ['Cert="a=b"', 'a=b'],
    ['Cert="a;b,c"', 'a;b,c'],
    ['Hash=1;Cert="a";Subject="CN=a,O=b;c"', 'a'],
    ['Cert="a",Cert="b"', 'b'],
    ['Cert="a",By=x;Cert="b"', 'b'],
    ['Cert=a"b"', 'a"b"'],
    ['Cert="a"b', '"a"b'],
    ['Cert="a",Hash=1', undefined],
    ['Cert="a";Cert="b"', undefined],
    ['Cert="a', undefined],
    ['Chain="a"', undefined],
    ['Certs="a"', undefined],
    ['Certs', undefined],
    ['Cert="a";Certs', 'a'],
    ['', undefined],
  ])('%s: %s', (header, certificate) => {
    expect(read(header)).toBe(certificate);
  });
});

describe('another header', () => {
  it.each([
    ['a%20b', 'a%20b'],
    ['Cert="a"', 'Cert="a"'],
    ['', ''],
    ['a,b', undefined],
    [',', undefined],
    [null, undefined],
    [undefined, undefined],
  ])('%s: %s', (header, certificate) => {
    expect(read(header, { header: 'SSL-Client-Cert' })).toBe(certificate);
  });

  it('is the same in any case', () => {
    expect(read('Cert="a"', { header: 'X-Forwarded-Client-Cert' })).toBe('a');
  });
});

it('a header that is far too long is not looked at', () => {
  const header = 'ssl-client-cert';
  const longest = 'a'.repeat(64 * 1024);
  expect(read(longest, { header })).toBe(longest);
  expect(read(`${longest}a`, { header })).toBeUndefined();
});

it.each(['192.0.2.1', '', 'proxy'])('nobody at %j is believed', (address) => {
  expect(read('Cert="a"', {}, address)).toBeUndefined();
});

it('nobody is believed where the connection is not known', () => {
  const source = forwardedClientCertificate({ trustProxy });
  const headers = { get: () => 'Cert="a"' };
  expect(source({ method: 'GET', url: '/', headers })).toBeUndefined();
});

describe('a mistake', () => {
  const texts = 'a non-empty string or a non-empty list of them';
  it.each<[unknown, string, string?]>([
    [7, 'options must be an object; got 7'],
    [{}, `trustProxy must be ${texts}; got undefined`],
    [{ trustProxy: ['a'] }, `trustProxy must be IP addresses or CIDR ranges such as '10.0.0.0/8'; got "a"`],
    [{ trustProxy, header: '' }, 'header must be a non-empty string; got ""'],
    [{ trustProxy, a: 1 }, 'unknown option a in options; known are trustProxy, header', 'option_unknown'],
  ])('%j', (options, message, code = 'option_invalid') => {
    try {
      forwardedClientCertificate(options as ForwardedCertificateOptions);
    } catch (error) {
      if (!isOptionError(error)) throw error;
      const whole = `forwardedClientCertificate: ${message} (npx service-auth explain ${code})`;
      expect([error.code, error.message]).toEqual([code, whole]);
      return;
    }
    throw new Error('it was accepted');
  });
});
