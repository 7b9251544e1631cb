/** By what a token is denied. */
import { decodeBase64url, encodeBase64url } from '../shared/base64url.ts';
import { parseJsonObject } from '../shared/json.ts';
import { nodeCrypto } from '../shared/runtime.ts';

/**
 * A short key of what a token says: of a JWS what was signed, for of one ECDSA signature anybody can make another
 * that holds as well; of every other token all of its text.
 *
 * One token never has two keys. Where the runtime has no synchronous digest two tokens might share one, and be denied
 * together; none is let in by that. Then its keys are other than those of runtimes that have one, too.
 *
 * @example
 * ```ts
 * import { createVerifier, tokenKey } from 'service-auth';
 *
 * const verifier = createVerifier();
 * // What is passed on to other instances is no token.
 * export const announcement = (token: string) => JSON.stringify({ tokenKey: tokenKey(token) });
 * export const onAnnouncement = (text: string) => verifier.invalidate(JSON.parse(text));
 * ```
 */
export function tokenKey(token: string): string {
  const bytes = new TextEncoder().encode(signedPart(token));
  if (nodeCrypto === undefined) return sum(bytes);
  return encodeBase64url(nodeCrypto.createHash('sha256').update(bytes).digest());
}

/** What was signed of a JWS, which is known by its header alone; or the whole text. */
export function signedPart(token: string): string {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 1 || second < 0 || token.indexOf('.', second + 1) !== -1) return token;
  const header = decodeBase64url(token.slice(0, first));
  return header !== undefined && parseJsonObject(header) !== undefined ? token.slice(0, second) : token;
}

/** Length and two sums of 32 bits, each an FNV-1a of its own. */
function sum(bytes: Uint8Array): string {
  let one = 0x811c9dc5;
  let two = 0x050c5d1f;
  for (const byte of bytes) {
    one = Math.imul(one ^ byte, 0x01000193);
    two = Math.imul((two ^ byte) + (two >>> 15), 0x85ebca6b);
  }
  return `${bytes.length}.${one >>> 0}.${two >>> 0}`;
}
