import { encodeBase64url } from './base64url.ts';
import { type Jwk, sha256 } from './crypto.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';

/** The members that make a key, by type, in the order of RFC 7638 section 3.3 (for OKP RFC 8037 section 2). */
const members: ReadonlyMap<unknown, readonly string[]> = new Map([
  ['RSA', ['e', 'kty', 'n']],
  ['EC', ['crv', 'kty', 'x', 'y']],
  ['OKP', ['crv', 'kty', 'x']],
]);

/** The SHA-256 thumbprint of a public key (RFC 7638); `undefined` for keys of other types or with parts missing. */
export function thumbprint(jwk: Jwk): MaybePromise<string> | undefined {
  const names = members.get(jwk.kty);
  if (names?.every((name) => typeof jwk[name] === 'string') !== true) return undefined;
  const canonical = JSON.stringify(Object.fromEntries(names.map((name) => [name, jwk[name]])));
  return andThen(sha256(new TextEncoder().encode(canonical)), encodeBase64url);
}
