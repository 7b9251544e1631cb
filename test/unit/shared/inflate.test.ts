import { deflateRawSync, deflateSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inflate } from '../../../src/shared/inflate.ts';

const MEBIBYTE = 1024 * 1024;
const plain = Uint8Array.from({ length: 1000 }, (_, at) => (at * 7) % 256);
const packed = deflateSync(plain);
const open = (bytes: Uint8Array, maxBytes = MEBIBYTE) => inflate(Uint8Array.from(bytes), maxBytes);

/** The data with one bit of one byte turned. */
function withFlippedBit(bytes: Uint8Array, at: number): Uint8Array {
  return bytes.map((byte, index) => (index === at ? byte ^ 1 : byte));
}

describe('inflate', () => {
  it('gives back whatever was packed', async () => {
    const anything = fc.record({
      bytes: fc.uint8Array({ maxLength: 20_000 }),
      level: fc.integer({ min: 0, max: 9 }),
    });
    await fc.assert(
      fc.asyncProperty(anything, async ({ bytes, level }) => {
        expect(await open(deflateSync(bytes, { level }))).toEqual(bytes);
      }),
    );
  });

  it('gives back much of the largest byte, whose sums are the largest', async () => {
    const bytes = new Uint8Array(MEBIBYTE).fill(255);
    expect(await open(deflateSync(bytes))).toEqual(bytes);
  });

  it('reads a part of a larger buffer', async () => {
    const around = new Uint8Array(packed.length + 20);
    around.set(packed, 7);
    expect(await inflate(around.subarray(7, 7 + packed.length), MEBIBYTE)).toEqual(plain);
  });

  it('allows so many bytes, and not one more', async () => {
    expect(await open(packed, 1000)).toEqual(plain);
    expect(await open(packed, 999)).toBeUndefined();
  });

  it('stops where a small text becomes a large one', async () => {
    expect(await open(deflateSync(new Uint8Array(64 * MEBIBYTE)), MEBIBYTE)).toBeUndefined();
  });

  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['a single byte', packed.subarray(0, 1)],
    ['data that lacks its last byte', packed.subarray(0, -1)],
    ['data that lacks its checksum', packed.subarray(0, -4)],
    ['data cut in half', packed.subarray(0, packed.length / 2)],
    ['data followed by a byte', Buffer.concat([packed, Buffer.from('x')])],
    ['data followed by zeros', Buffer.concat([packed, Buffer.alloc(8)])],
    ['data followed by other data', Buffer.concat([packed, deflateSync('more')])],
    ['a wrong checksum', withFlippedBit(packed, packed.length - 1)],
    ['a wrong header', withFlippedBit(packed, 0)],
    ['data without its wrapping', deflateRawSync(plain)],
    ['data in another wrapping', gzipSync(plain)],
    ['data that is not packed', plain],
  ])('refuses %s', async (_name, bytes) => {
    expect(await open(bytes)).toBeUndefined();
  });
});
