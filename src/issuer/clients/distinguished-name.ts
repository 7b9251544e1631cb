/** Distinguished names, as text (RFC 4514) and in certificates, in a form in which equal names are equal. */
import { type DerValue, decodeOid, decodeText, readDer } from './der.ts';

/** From the root on. Each part lists its attributes, sorted: those of one part have no order. */
export type DistinguishedName = readonly (readonly string[])[];

/** Of RFC 4514 section 3, and some more that certificates of services have; any other is written as its number. */
const types: ReadonlyMap<string, string> = new Map([
  ['CN', '2.5.4.3'],
  ['SERIALNUMBER', '2.5.4.5'],
  ['C', '2.5.4.6'],
  ['L', '2.5.4.7'],
  ['ST', '2.5.4.8'],
  ['STREET', '2.5.4.9'],
  ['O', '2.5.4.10'],
  ['OU', '2.5.4.11'],
  ['ORGANIZATIONIDENTIFIER', '2.5.4.97'],
  ['DC', '0.9.2342.19200300.100.1.25'],
  ['UID', '0.9.2342.19200300.100.1.1'],
  ['EMAILADDRESS', '1.2.840.113549.1.9.1'],
]);

const utf8 = new TextEncoder();

/**
 * Parses the text of a distinguished name; `undefined` for what is none. Spaces around attributes count for nothing.
 *
 * Values are compared to the letter, which is stricter than LDAP is.
 */
export function parseDistinguishedName(text: string): DistinguishedName | undefined {
  const parts: string[][] = [];
  let part: string[] = [];
  for (let at = 0; ; ) {
    const equals = text.indexOf('=', at);
    const type = equals === -1 ? undefined : readType(text.slice(at, equals).trim());
    const value = type === undefined ? undefined : readValue(text, equals + 1);
    if (type === undefined || value === undefined) return undefined;
    part.push(attribute(type, value.text));
    const separator = text[value.end];
    if (separator !== '+') {
      parts.push(part.sort());
      part = [];
    }
    // The text begins with the part farthest from the root (RFC 4514 section 2.1).
    if (separator === undefined) return parts.reverse();
    at = value.end + 1;
  }
}

/** The name in DER: the content of an X.501 `RDNSequence`. @throws RangeError for what is not DER */
export function readDistinguishedName(content: Uint8Array): DistinguishedName {
  return readDer(content).map((part) =>
    readDer(part.content)
      .map((pair) => {
        const [type, value] = readDer(pair.content);
        if (type === undefined || value === undefined) throw new RangeError('not a distinguished name');
        return attribute(decodeOid(type.content), toText(value));
      })
      .sort(),
  );
}

export function isSameName(a: DistinguishedName, b: DistinguishedName): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function attribute(type: string, value: string): string {
  return `${type}=${value}`;
}

/** What is no text is told by its bytes; the mark in front keeps it apart from a text that looks like them. */
function toText(value: DerValue): string {
  const text = decodeText(value);
  return text === undefined ? `#${Buffer.from(value.encoded).toString('hex')}` : `"${text}`;
}

function readType(text: string): string | undefined {
  return types.get(text.toUpperCase()) ?? (/^[0-2](\.(0|[1-9]\d*))+$/.test(text) ? text : undefined);
}

interface ReadValue {
  readonly text: string;
  /** Where the separator stands, or the end. */
  readonly end: number;
}

/** RFC 4514 section 3. */
function readValue(text: string, from: number): ReadValue | undefined {
  let at = from;
  while (text[at] === ' ') at++;
  if (text[at] === '#') return readHexValue(text, at + 1);
  const bytes: number[] = [];
  let length = 0;
  for (; at < text.length; at++) {
    const character = String.fromCodePoint(text.codePointAt(at) ?? 0);
    if (character === ',' || character === '+') break;
    if ('";<>\0'.includes(character)) return undefined;
    if (character === '\\') {
      const escaped = readEscape(text, at + 1);
      if (escaped === undefined) return undefined;
      bytes.push(escaped.byte);
      at += escaped.characters;
    } else {
      bytes.push(...utf8.encode(character));
      at += character.length - 1;
    }
    // Spaces at the end are not part of the value, unless they were escaped.
    if (character !== ' ') length = bytes.length;
  }
  const value = decodeText({ tag: 0x0c, content: Uint8Array.from(bytes.slice(0, length)), encoded: none });
  return value === undefined ? undefined : { text: `"${value}`, end: at };
}

const none = new Uint8Array(0);

function readEscape(
  text: string,
  at: number,
): { readonly byte: number; readonly characters: number } | undefined {
  const character = text[at] ?? '';
  if (character !== '' && ' "#+,;<=>\\'.includes(character)) {
    return { byte: character.charCodeAt(0), characters: 1 };
  }
  const digits = text.slice(at, at + 2);
  return /^[0-9a-f]{2}$/i.test(digits) ? { byte: Number.parseInt(digits, 16), characters: 2 } : undefined;
}

/** A value by its BER encoding (RFC 4514 section 2.4). */
function readHexValue(text: string, from: number): ReadValue | undefined {
  const digits = /^(?:[0-9a-f]{2})+/i.exec(text.slice(from))?.[0] ?? '';
  let end = from + digits.length;
  while (text[end] === ' ') end++;
  if (end < text.length && text[end] !== ',' && text[end] !== '+') return undefined;
  try {
    const [value, ...more] = readDer(Buffer.from(digits, 'hex'));
    return value === undefined || more.length > 0 ? undefined : { text: toText(value), end };
  } catch {
    return undefined;
  }
}
