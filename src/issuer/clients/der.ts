/** The little of DER (ITU-T X.690) that is needed to read names out of certificates that OpenSSL has parsed before. */

export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content. */
  readonly encoded: Uint8Array;
}

const LONG_TAG = 0x1f;
const MOST_LENGTH_BYTES = 4;

/** The values that stand one after another in some bytes. @throws RangeError for what is not DER */
export function readDer(bytes: Uint8Array): readonly DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length; ) {
    const tag = bytes[at] ?? 0;
    if ((tag & LONG_TAG) === LONG_TAG) throw malformed();
    const { length, start } = readLength(bytes, at + 1);
    const end = start + length;
    if (end > bytes.length) throw malformed();
    values.push({ tag, content: bytes.subarray(start, end), encoded: bytes.subarray(at, end) });
    at = end;
  }
  return values;
}

function readLength(bytes: Uint8Array, at: number): { readonly length: number; readonly start: number } {
  const first = bytes[at];
  if (first === undefined) throw malformed();
  if (first < 0x80) return { length: first, start: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > MOST_LENGTH_BYTES || at + count >= bytes.length) throw malformed();
  let length = 0;
  for (const byte of bytes.subarray(at + 1, at + 1 + count)) length = length * 256 + byte;
  return { length, start: at + 1 + count };
}

/** An object identifier in dotted decimals. */
export function decodeOid(content: Uint8Array): string {
  const arcs: number[] = [];
  let arc = 0;
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f);
    if (byte >= 0x80) continue;
    arcs.push(arc);
    arc = 0;
  }
  // The first number holds two arcs, of which the first is at most 2.
  const [both = 0, ...others] = arcs;
  const root = Math.min(Math.floor(both / 40), 2);
  return [root, both - root * 40, ...others].join('.');
}

const encodings: ReadonlyMap<number, string> = new Map([
  [0x0c, 'utf-8'], // UTF8String
  [0x12, 'latin1'], // NumericString
  [0x13, 'latin1'], // PrintableString
  [0x14, 'latin1'], // TeletexString
  [0x16, 'latin1'], // IA5String
  [0x1e, 'utf-16be'], // BMPString
]);

/** The text of a value of a string type; `undefined` for other types and for broken text. */
export function decodeText({ tag, content }: DerValue): string | undefined {
  const encoding = encodings.get(tag);
  if (encoding === undefined) return undefined;
  if (encoding === 'latin1') return Buffer.from(content).toString('latin1');
  try {
    return new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(content);
  } catch {
    return undefined;
  }
}

function malformed(): RangeError {
  return new RangeError('not DER');
}
