/** The `secret` of an issuer: long enough, and never a public key in disguise. */
import { decodeBase64url } from '../shared/base64url.ts';
import { type SecretAlgorithm, secretAlgorithms } from '../shared/crypto.ts';
import { isObject } from '../shared/json.ts';
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
    check.failSecret('secret', 'a random value; this is a public or private key, which belongs into jwks', {
      code: 'secret_misplaced',
    });
  }
  if (algorithms === undefined) {
    const allowed = secretAlgorithms.filter((algorithm) => bytes.length >= hashBytes(algorithm));
    if (allowed.length === 0)
      check.failSecret('secret', 'at least 32 bytes long', { code: 'secret_too_short' });
    return { bytes, algorithms: allowed };
  }
  const chosen = check
    .strings('algorithms', algorithms)
    .map((algorithm) => check.oneOf('algorithms', algorithm, secretAlgorithms));
  for (const algorithm of chosen) {
    const least = hashBytes(algorithm);
    if (bytes.length < least)
      check.failSecret('secret', `at least ${least} bytes long for ${algorithm}`, {
        code: 'secret_too_short',
      });
  }
  return { bytes, algorithms: chosen };
}

/** In what a key may be wrapped: quotes around base64 of PEM, for example. */
const DEEPEST_WRAPPING = 3;

/**
 * Whether the bytes are a key in PEM, JWK, DER or of OpenSSH, however wrapped (base64, hexadecimal, a JSON string, white space):
 * whoever has the public key could sign with it.
 */
function isKeyMaterial(bytes: Bytes, depth = DEEPEST_WRAPPING): boolean {
  if (isDer(bytes) || isSshKey(bytes)) return true;
  const text = new TextDecoder().decode(bytes).trim();
  if (text.includes('---- BEGIN') || text.includes('-----BEGIN') || isJwk(parseJson(text)) || hasSshKey(text))
    return true;
  if (depth === 0) return false;
  return unwrapped(text).some((inner) => isKeyMaterial(inner, depth - 1));
}

function unwrapped(text: string): readonly Bytes[] {
  const compact = text.replaceAll('\\n', '').replaceAll(/\s/g, '');
  const base64url = compact.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
  const quoted = parseJson(text);
  const hex = compact.length % 2 === 0 && /^[0-9a-f]+$/i.test(compact) ? compact.match(/../g) : null;
  return [
    decodeBase64url(base64url),
    hex === null ? undefined : Uint8Array.from(hex, (digits) => Number.parseInt(digits, 16)),
    typeof quoted === 'string' ? new TextEncoder().encode(quoted) : undefined,
  ].filter((inner) => inner !== undefined);
}

/** Whether it is a JWK, a set or a list of them. */
function isJwk(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isJwk);
  return isObject(value) && (Object.hasOwn(value, 'kty') || Object.hasOwn(value, 'keys'));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * A DER SEQUENCE that begins with a SEQUENCE or an INTEGER, as every key does, and fills the bytes: what may follow is
 * white space, by which text editors end a file, and which may as well be the key's own last byte.
 */
function isDer(bytes: Bytes): boolean {
  const [tag, first = 0] = bytes;
  if (tag !== 0x30) return false;
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
  if (lengthBytes > 3) return false;
  let length = first < 0x80 ? first : 0;
  for (const byte of bytes.subarray(2, 2 + lengthBytes)) length = length * 256 + byte;
  const content = 2 + lengthBytes;
  const inner = bytes[content];
  const end = content + length;
  return end <= bytes.length && bytes.subarray(end).every(isSpace) && (inner === 0x30 || inner === 0x02);
}

function isSpace(byte: number): boolean {
  return byte === 0x0a || byte === 0x0d || byte === 0x20;
}

/** The blob of a public key of SSH begins with the name of its kind, and the length of that in four bytes. */
function isSshKey(bytes: Bytes): boolean {
  const [first, second, third, length = 0] = bytes;
  const isShort = first === 0 && second === 0 && third === 0 && length <= LONGEST_SSH_NAME;
  return isShort && isSshName(new TextDecoder().decode(bytes.subarray(4, 4 + length)));
}

const LONGEST_SSH_NAME = 64;

/** A line of a public key file: what may be done with the key, its kind, the key, and whose it is. */
function hasSshKey(text: string): boolean {
  const words = text.split(/\s+/);
  return words.some((word, at) => isSshName(word) && words[at + 1]?.startsWith('AAAA') === true);
}

function isSshName(text: string): boolean {
  return ['ssh-', 'ecdsa-sha2-', 'sk-ssh-', 'sk-ecdsa-'].some((start) => text.startsWith(start));
}
