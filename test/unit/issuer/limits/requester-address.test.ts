import { describe, expect, it } from 'vitest';
import { requesterAddress } from '../../../../src/issuer/limits/requester-address.ts';
import { createIpRanges } from '../../../../src/shared/ip-range.ts';
import { OptionChecker } from '../../../../src/shared/options.ts';

const isTrusted = createIpRanges(new OptionChecker('test'), 'trustProxy', ['10.0.0.0/8', 'fd00::/8']);

function addressOf(remoteAddress: string | undefined, headers: Record<string, string> = {}) {
  return requesterAddress({ headers: new Headers(headers) }, { remoteAddress }, isTrusted);
}

describe('without a proxy', () => {
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2:ffff::1', '2001:db8:1:2::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['not an address', undefined],
    [undefined, undefined],
  ])('%s counts for %s', (remote, expected) => {
    expect(addressOf(remote)).toBe(expected);
  });

  it('threat 20: what the caller writes into headers counts for nothing', () => {
    const headers = { 'x-forwarded-for': '198.51.100.9', forwarded: 'for=198.51.100.9' };
    expect(addressOf('192.0.2.1', headers)).toBe('192.0.2.1');
    expect(addressOf(undefined, headers)).toBeUndefined();
  });
});

describe('behind a trusted proxy', () => {
  it.each([
    ['the address it names', { 'x-forwarded-for': '192.0.2.1' }, '192.0.2.1'],
    ['the last that is no proxy', { 'x-forwarded-for': '198.51.100.9, 192.0.2.1, 10.0.0.2' }, '192.0.2.1'],
    ['a port', { 'x-forwarded-for': '192.0.2.1:4711' }, '192.0.2.1'],
    ['IPv6', { 'x-forwarded-for': '2001:db8:1:2::9' }, '2001:db8:1:2::/64'],
    ['IPv6 with a port', { 'x-forwarded-for': '[2001:db8:1:2::9]:4711' }, '2001:db8:1:2::/64'],
    ['IPv4 in IPv6', { 'x-forwarded-for': '::ffff:192.0.2.1' }, '192.0.2.1'],
    ['RFC 7239', { forwarded: 'for=198.51.100.9;proto=https, for="192.0.2.1:80"' }, '192.0.2.1'],
    ['RFC 7239 with IPv6', { forwarded: 'for="[2001:db8:1:2::9]"' }, '2001:db8:1:2::/64'],
    ['both kinds, of one mind', { forwarded: 'for=192.0.2.1', 'x-forwarded-for': '192.0.2.1' }, '192.0.2.1'],
  ])('%s', (_, headers: Record<string, string>, expected) => {
    expect(addressOf('10.0.0.1', headers)).toBe(expected);
  });

  it.each([
    ['says nothing', {}],
    ['names nobody', { forwarded: 'for=unknown' }],
    ['hides the caller', { forwarded: 'for=_hidden' }],
    [
      'passes on a header that the caller wrote',
      { forwarded: 'for=192.0.2.1', 'x-forwarded-for': '192.0.2.2' },
    ],
    ['passes on what is malformed', { forwarded: 'for="192.0.2.1', 'x-forwarded-for': '192.0.2.1' }],
    ['adds to a list without an end', { 'x-forwarded-for': `${'192.0.2.9,'.repeat(500)} 192.0.2.1` }],
  ])('that %s the proxy itself counts', (_, headers: Record<string, string>) => {
    expect(addressOf('10.0.0.1', headers)).toBe('10.0.0.1');
  });
});
