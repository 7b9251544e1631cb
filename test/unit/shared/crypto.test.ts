import { createHmac, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { importSecret, type SecretAlgorithm, secretAlgorithms } from '../../../src/shared/crypto.ts';

function hmacOf(algorithm: SecretAlgorithm, secret: Uint8Array, text: string): Buffer {
  return createHmac(`sha${algorithm.slice(2)}`, secret)
    .update(text, 'latin1')
    .digest();
}

describe.each(secretAlgorithms)('%s', (algorithm) => {
  it('is that of OpenSSL, for secrets and texts of every length', () => {
    fc.assert(
      fc.property(
        // Shorter than a block of the hash, as long, and longer.
        fc.uint8Array({ minLength: 0, maxLength: 300 }),
        fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) }),
        fc.nat(255),
        (secret, text, bit) => {
          const verify = importSecret(Uint8Array.from(secret), algorithm);
          const signature = hmacOf(algorithm, secret, text);
          expect(verify(text, Uint8Array.from(signature))).toBe(true);
          // Once more, after the working memory has held something else.
          expect(verify(`${text}.`, Uint8Array.from(signature))).toBe(false);
          expect(verify(text, Uint8Array.from(signature))).toBe(true);
          const wrong = Uint8Array.from(signature);
          const byte = bit % wrong.length;
          wrong[byte] = (wrong[byte] ?? 0) ^ 1;
          expect(verify(text, wrong)).toBe(false);
          expect(verify(text, Uint8Array.from(signature.subarray(1)))).toBe(false);
        },
      ),
      { numRuns: 300 },
    );
  });

  it.each([32_640, 32_704, 32_767, 32_768, 32_769, 100_000])('of a text of %i characters', (length) => {
    const secret = Uint8Array.from(randomBytes(64));
    const verify = importSecret(secret, algorithm);
    for (const text of ['a'.repeat(length), 'b']) {
      expect(verify(text, Uint8Array.from(hmacOf(algorithm, secret, text)))).toBe(true);
    }
  });
});
