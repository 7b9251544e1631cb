/** The JWTs that the issuer signs itself, of every kind, and knows again by their kind. */
import { encodeBase64url, encodeJson } from '../../shared/base64url.ts';
import { Fault } from '../../shared/fault.ts';
import { type JsonObject, parseJsonObject } from '../../shared/json.ts';
import { parseJws } from '../../shared/jws.ts';
import type { SigningKey } from './sealed-keys.ts';
import type { SigningKeys } from './signing-keys.ts';

/** Signs claims; `typ` keeps JWTs of one kind from passing for another (RFC 8725 section 3.11). */
export async function signJwt(
  { algorithm, kid, sign }: SigningKey,
  typ: string,
  claims: object,
): Promise<string> {
  const signingInput = `${encodeJson({ alg: algorithm, typ, kid })}.${encodeJson(claims)}`;
  return `${signingInput}.${encodeBase64url(await sign(signingInput))}`;
}

/** The claims of a JWT of this kind that a key of this issuer signed; none of them is checked. */
export async function readSignedJwt(
  keys: SigningKeys,
  typ: string,
  token: string,
): Promise<JsonObject | undefined> {
  const jws = parseJws(token);
  if (jws instanceof Fault || jws.header.typ !== typ || jws.header.kid === undefined) return undefined;
  const { alg, kid } = jws.header;
  const key = (await keys.published(kid)).find((candidate) => candidate.kid === kid);
  if (key === undefined || key.algorithm !== alg) return undefined;
  return (await key.verify(jws.signingInput, jws.signature)) ? parseJsonObject(jws.payload) : undefined;
}
