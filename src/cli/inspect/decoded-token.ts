import { Fault } from '../../shared/fault.ts';
import { type JsonObject, parseJsonObject } from '../../shared/json.ts';
import { type JwsHeader, parseJws } from '../../shared/jws.ts';

/** What a token says of itself; nothing of it is true before it was verified. */
export interface DecodedToken {
  readonly kind: 'jwt' | 'opaque';
  readonly header: JwsHeader | undefined;
  readonly claims: JsonObject;
}

/** Reads a token, neither of whose parts is kept as text. */
export function decodeToken(token: string): DecodedToken {
  const jws = parseJws(token);
  if (jws instanceof Fault) return { kind: 'opaque', header: undefined, claims: {} };
  return { kind: 'jwt', header: jws.header, claims: parseJsonObject(jws.payload) ?? {} };
}

/** A token as people paste it: with its scheme or whole header, between white space. */
export function tokenOf(text: string): string {
  return text.trim().replace(/^(authorization:\s*)?(bearer|dpop)\s+/i, '');
}
