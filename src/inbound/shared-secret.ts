/** The `secret` of an issuer: long enough, and never a public key in disguise. */
import { decodeBase64url } from '../shared/base64url.ts';
import { type SecretAlgorithm, secretAlgorithms } from '../shared/crypto.ts';
import type { OptionChecker } from '../shared/options.ts';
import type { Bytes } from '../shared/runtime.ts';

export interface SharedSecret {
  readonly bytes: Bytes;
  readonly algorithms: readonly SecretAlgorithm[];
}

const hashBytes = (algorithm: SecretAlgorithm): number => Number(algorithm.slice(2)) / 8;

/** Checks secret and algorithms together; messages never show the secret. */
export function readSecret(check: OptionChecker, secret: unknown, algorithms: unknown): SharedSecret {
  if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) {
    return check.failSecret('secret', 'a string or bytes');
  }
  const bytes = typeof secret === 'string' ? new TextEncoder().encode(secret) : new Uint8Array(secret);
  if (isKeyMaterial(bytes)) {
    check.failSecret('secret', 'a random value; this is a public or private key, which belongs into jwks');
  }
  if (algorithms === undefined) {
    const allowed = secretAlgorithms.filter((algorithm) => bytes.length >= hashBytes(algorithm));
    if (allowed.length === 0) check.failSecret('secret', 'at least 32 bytes long');
    return { bytes, algorithms: allowed };
  }
  const chosen = check
    .strings('algorithms', algorithms)
    .map((algorithm) => check.oneOf('algorithms', algorithm, secretAlgorithms));
  for (const algorithm of chosen) {
    const least = hashBytes(algorithm);
    if (bytes.length < least) check.failSecret('secret', `at least ${least} bytes long for ${algorithm}`);
  }
  return { bytes, algorithms: chosen };
}

/** Whether the bytes are a key in PEM, JWK, DER, or base64 of DER: whoever has the public key could sign with it. */
function isKeyMaterial(bytes: Bytes): boolean {
  if (isDer(bytes)) return true;
  const text = new TextDecoder().decode(bytes).trim();
  if (text.includes('-----BEGIN') || isJwk(text)) return true;
  const base64url = text.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '').replaceAll(/\s/g, '');
  const decoded = decodeBase64url(base64url);
  return decoded !== undefined && isDer(decoded);
}

function isJwk(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && ('kty' in value || 'keys' in value);
  } catch {
    return false;
  }
}

/** A DER SEQUENCE that fills the bytes to the last and begins with a SEQUENCE or an INTEGER, as every key does. */
function isDer(bytes: Bytes): boolean {
  const [tag, first = 0] = bytes;
  if (tag !== 0x30) return false;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 3) return false;
  let length = first < 0x80 ? first : 0;
  for (const byte of bytes.subarray(2, 2 + lengthBytes)) length = length * 256 + byte;
  const content = 2 + lengthBytes;
  const inner = bytes[content];
  return bytes.length === content + length && (inner === 0x30 || inner === 0x02);
}
