import { BlockList, isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createIpRanges, parseAddress } from '../../../src/shared/ip-range.ts';
import { OptionChecker } from '../../../src/shared/options.ts';

const make = (value: unknown) => createIpRanges(new OptionChecker('test'), 'trustProxy', value);

describe('createIpRanges', () => {
  it.each([
    ['10.0.0.1', '10.0.0.1', true],
    ['10.0.0.1', '10.0.0.2', false],
    ['10.0.0.0/8', '10.255.255.255', true],
    ['10.0.0.0/8', '11.0.0.0', false],
    ['10.1.2.3/8', '10.9.9.9', true],
    ['192.168.4.0/22', '192.168.7.255', true],
    ['192.168.4.0/22', '192.168.8.0', false],
    ['0.0.0.0/0', '203.0.113.7', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '203.0.113.7', false],
    ['10.0.0.0/8', '::ffff:10.1.2.3', true],
    ['10.0.0.0/8', '::FFFF:0a01:0203', true],
    ['::ffff:10.0.0.1', '10.0.0.1', true],
    ['10.0.0.0/8', '::10.1.2.3', false],
    ['2001:db8::/32', '2001:DB8:ffff::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::1', '2001:0db8:0:0:0:0:0:1', true],
    ['::1', '0:0:0:0:0:0:0:1', true],
    ['fe80::/10', 'fe80::1%eth0', true],
    ['2001:db8::8000/113', '2001:db8::7fff', false],
    ['2001:db8::8000/113', '2001:db8::ffff', true],
  ])('%s has %s: %s', (range, address, expected) => {
    expect(make([range])(address)).toBe(expected);
  });

  it('knows several ranges, and one that is not in a list', () => {
    const isTrusted = make(['127.0.0.1', '::1', '10.0.0.0/8']);
    expect(['127.0.0.1', '::1', '10.1.1.1', '127.0.0.2'].map(isTrusted)).toEqual([true, true, true, false]);
    expect(make('10.0.0.0/8')('10.0.0.1')).toBe(true);
  });

  it.each([
    undefined,
    '',
    'unknown',
    '_hidden',
    '10.0.0.1:80',
    '[::1]',
    ' 10.0.0.1',
    '10.0.0.01',
    '10.0.1',
    '0xa.0.0.1',
    '167772161',
    '10.0.0.1/8',
    '１0.0.0.1',
  ])('takes %j for no address of anybody', (address) => {
    expect(make(['10.0.0.0/8', '0.0.0.0/0', '::/0'])(address)).toBe(false);
  });

  it.each([
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/08',
    '10.0.0.0/8/8',
    '10.0.0/8',
    '10.0.0.256',
    '::/129',
    '1::2::3',
    ':::',
    ':',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '12345::',
    'g::',
    '1.2.3.4::',
    '::1.2.3',
    'loopback',
    'proxy.example',
  ])('refuses the range %s, by name', (range) => {
    expect(() => make(['127.0.0.1', range])).toThrow(TypeError);
    expect(() => make(['127.0.0.1', range])).toThrow(JSON.stringify(range));
  });

  it('refuses an empty list', () => {
    expect(() => make([])).toThrow(TypeError);
    expect(() => make(undefined)).toThrow(TypeError);
  });

  it('knows the same addresses as node:net', () => {
    const text = fc.oneof(fc.ipV4(), fc.ipV6(), fc.stringMatching(/^[0-9a-f:.]{1,20}$/));
    fc.assert(
      fc.property(text, (address) => {
        expect(parseAddress(address) !== undefined).toBe(isIP(address) !== 0);
      }),
      { numRuns: 3000 },
    );
  });

  it('judges as the block list of node:net', () => {
    const pairs = fc.oneof(
      fc.record({
        family: fc.constant('ipv4' as const),
        range: fc.ipV4(),
        address: fc.ipV4(),
        bits: fc.nat(32),
      }),
      fc.record({
        family: fc.constant('ipv6' as const),
        range: fc.ipV6(),
        address: fc.ipV6(),
        bits: fc.nat(128),
      }),
    );
    fc.assert(
      fc.property(pairs, fc.boolean(), ({ family, range, address, bits }, same) => {
        const tried = same ? range : address;
        const list = new BlockList();
        list.addSubnet(range, bits, family);
        // Node reads mapped addresses its own way; the table above has them.
        fc.pre(!range.toLowerCase().startsWith('::') && !tried.toLowerCase().startsWith('::'));
        expect(make([`${range}/${bits}`])(tried)).toBe(list.check(tried, family));
      }),
      { numRuns: 2000 },
    );
  });
});
