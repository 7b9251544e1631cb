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
  return joinBytes(chunks, length);
}
