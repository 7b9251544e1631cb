/** IP addresses and CIDR ranges (RFC 4632, RFC 4291), as lists of trusted proxies name them. */
import type { OptionChecker } from './options.ts';

interface Range {
  readonly bytes: readonly number[];
  readonly bits: number;
}

const rule = "IP addresses or CIDR ranges such as '10.0.0.0/8'";

/** Makes the function that tells whether an address is in a list of addresses and ranges. */
export function createIpRanges(
  check: OptionChecker,
  option: string,
  value: unknown,
): (address: string | undefined) => boolean {
  const ranges = check
    .strings(option, value)
    .map((text) => parseRange(text) ?? check.fail(option, rule, text));
  return (address) => {
    const bytes = address === undefined ? undefined : parseAddress(address);
    return bytes !== undefined && ranges.some((range) => isWithin(bytes, range));
  };
}

function parseRange(text: string): Range | undefined {
  const slash = text.indexOf('/');
  const bytes = parseAddress(slash === -1 ? text : text.slice(0, slash));
  if (bytes === undefined) return undefined;
  const most = bytes.length * 8;
  const bits = slash === -1 ? most : parseNumber(text.slice(slash + 1), most);
  return bits === undefined ? undefined : { bytes, bits };
}

function isWithin(bytes: readonly number[], range: Range): boolean {
  if (bytes.length !== range.bytes.length) return false;
  return range.bytes.every((byte, at) => {
    const bits = Math.min(Math.max(range.bits - at * 8, 0), 8);
    const mask = (0xff << (8 - bits)) & 0xff;
    return (byte & mask) === ((bytes[at] ?? 0) & mask);
  });
}

/** The bytes of an address; an IPv4 address in IPv6 clothes (`::ffff:10.0.0.1`) is the IPv4 address. */
export function parseAddress(text: string): readonly number[] | undefined {
  if (!text.includes(':')) return parseIpv4(text);
  const zone = text.indexOf('%');
  const bytes = parseIpv6(zone === -1 ? text : text.slice(0, zone));
  if (bytes === undefined) return undefined;
  const isMapped = bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 0xff && bytes[11] === 0xff;
  return isMapped ? bytes.slice(12) : bytes;
}

function parseIpv4(text: string): readonly number[] | undefined {
  const bytes = text.split('.').map((part) => parseNumber(part, 255));
  return bytes.length === 4 && bytes.every((byte) => byte !== undefined) ? bytes : undefined;
}

function parseIpv6(text: string): readonly number[] | undefined {
  const [head = '', tail, ...more] = text.split('::');
  if (more.length > 0) return undefined;
  const before = parseGroups(head, tail === undefined);
  if (tail === undefined) return before?.length === 16 ? before : undefined;
  const after = parseGroups(tail, true);
  if (before === undefined || after === undefined || before.length + after.length > 14) return undefined;
  return [...before, ...new Array<number>(16 - before.length - after.length).fill(0), ...after];
}

/** Groups of sixteen bits; the last may be an IPv4 address (RFC 4291 section 2.2). */
function parseGroups(text: string, mayEndInIpv4: boolean): readonly number[] | undefined {
  if (text === '') return [];
  const groups = text.split(':');
  const bytes: number[] = [];
  for (const [at, group] of groups.entries()) {
    const ipv4 =
      mayEndInIpv4 && at === groups.length - 1 && group.includes('.') ? parseIpv4(group) : undefined;
    const value = ipv4 === undefined ? parseDigits(group, 16, 4) : undefined;
    if (ipv4 !== undefined) bytes.push(...ipv4);
    else if (value !== undefined) bytes.push(value >> 8, value & 0xff);
    else return undefined;
  }
  return bytes;
}

/** Decimal digits without leading zeros, which some readers take for octal. */
function parseNumber(text: string, most: number): number | undefined {
  const value = text.length > 1 && text.startsWith('0') ? undefined : parseDigits(text, 10, 3);
  return value !== undefined && value <= most ? value : undefined;
}

function parseDigits(text: string, base: 10 | 16, most: number): number | undefined {
  if (text === '' || text.length > most) return undefined;
  let value = 0;
  for (const character of text.toLowerCase()) {
    const digit = '0123456789abcdef'.indexOf(character);
    if (digit < 0 || digit >= base) return undefined;
    value = value * base + digit;
  }
  return value;
}
