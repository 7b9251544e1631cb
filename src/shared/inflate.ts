import type { Bytes } from './runtime.ts';
import { joinBytes } from './transport.ts';

/**
 * Unpacks ZLIB data (RFC 1950), and stops where it grows larger than allowed; `undefined` then, and for data that is
 * broken, cut off or followed by more.
 */
export async function inflate(packed: Bytes, maxBytes: number): Promise<Bytes | undefined> {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate'));
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.byteLength;
      if (length > maxBytes) {
        void reader.cancel().catch(() => {});
        return undefined;
      }
      chunks.push(value);
    }
  } catch {
    return undefined;
  }
  const bytes = joinBytes(chunks, length);
  return endsWithChecksum(packed, bytes) ? bytes : undefined;
}

/** Some runtimes ignore what follows the checksum, with which the data must end (RFC 1950 section 2.2). */
function endsWithChecksum(packed: Bytes, bytes: Bytes): boolean {
  const { buffer, byteOffset, byteLength } = packed;
  return (
    byteLength >= 4 &&
    new DataView(buffer, byteOffset, byteLength).getUint32(byteLength - 4) === adler32(bytes)
  );
}

const ADLER_BASE = 65_521;
/** So many additions cannot overflow 32 bits, so that the remainder is taken only now and then. */
const ADLER_RUN = 3_800;

function adler32(bytes: Bytes): number {
  let a = 1;
  let b = 0;
  for (let start = 0; start < bytes.length; start += ADLER_RUN) {
    const end = Math.min(start + ADLER_RUN, bytes.length);
    for (let at = start; at < end; at++) {
      a += bytes[at] ?? 0;
      b += a;
    }
    a %= ADLER_BASE;
    b %= ADLER_BASE;
  }
  return b * 65_536 + a;
}
