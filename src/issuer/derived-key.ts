import { hkdfSync } from 'node:crypto';

const KEY_BYTES = 32;

/** Derives a key for one purpose, so that no key of the issuer serves two (RFC 5869). */
export function deriveKey(secretKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secretKey, '', `service-auth ${purpose}`, KEY_BYTES));
}
