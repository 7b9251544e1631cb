/** Certificates as nobody would issue them: unsigned, with whatever names a test wants. */

export type DerBytes = Buffer;

/** One value of DER. */
export function der(tag: number, ...contents: readonly (Uint8Array | string)[]): DerBytes {
  const content = Buffer.concat(contents.map((part) => Buffer.from(part)));
  const { length } = content;
  const head = length < 0x80 ? [length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}

const SEQUENCE = 0x30;
const SET = 0x31;
const OID = 0x06;
export const UTF8 = 0x0c;
export const PRINTABLE = 0x13;
export const BMP = 0x1e;

/** The last two arcs of 2.5.4.x, or 2.5.29.x. */
const oid = (...bytes: readonly number[]): DerBytes => der(OID, Uint8Array.from(bytes));

export interface Attribute {
  /** The x of 2.5.4.x. */
  readonly type: number;
  readonly value: DerBytes;
}

export const attribute = (type: number, text: string, tag = UTF8): Attribute => ({
  type,
  value: der(tag, text),
});

/** From the root on; each part lists its attributes. */
export function certificateWith(
  subject: readonly (readonly Attribute[])[],
  ...altNames: readonly (readonly DerBytes[])[]
): DerBytes {
  const parts = subject.map((part) =>
    der(SET, ...part.map(({ type, value }) => der(SEQUENCE, oid(0x55, 4, type), value))),
  );
  const empty = der(SEQUENCE);
  const extensions = altNames.map((names) =>
    der(SEQUENCE, oid(0x55, 29, 17), der(0x04, der(SEQUENCE, ...names))),
  );
  const body = [
    der(0xa0, der(0x02, Uint8Array.of(2))),
    der(0x02, Uint8Array.of(1)),
    empty,
    empty,
    empty,
    der(SEQUENCE, ...parts),
    empty,
    ...(extensions.length > 0 ? [der(0xa3, der(SEQUENCE, ...extensions))] : []),
  ];
  return der(SEQUENCE, der(SEQUENCE, ...body), empty, der(0x03, Uint8Array.of(0)));
}
