/** Documents that an issuer signs for machines to read: status lists, introspection answers. */
import { ServiceAuthError } from '../errors.ts';
import { Fault } from './fault.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import { parseJws } from './jws.ts';
import type { KeySet } from './key-set.ts';

export interface SignedDocumentRules {
  /** What the document is called in messages. */
  readonly name: string;
  /** The media type of its `typ` header, without `application/`. */
  readonly typ: string;
  readonly keys: KeySet;
  readonly algorithms: ReadonlySet<string>;
}

/**
 * The claims of a signed JWT of one kind.
 *
 * Not checked: any claim.
 *
 * @throws ServiceAuthError `response_malformed`, and what `KeySet.find` throws.
 */
export async function readSignedDocument(token: string, rules: SignedDocumentRules): Promise<JsonObject> {
  const { name, typ, keys, algorithms } = rules;
  const jws = parseJws(token);
  const claims = jws instanceof Fault ? undefined : parseJsonObject(jws.payload);
  if (jws instanceof Fault || claims === undefined) throw malformed(name, 'is no JWT');
  const { header } = jws;
  const kind = header.typ?.toLowerCase();
  if (kind !== typ && kind !== `application/${typ}`) throw malformed(name, `does not have the typ ${typ}`);
  if (!algorithms.has(header.alg)) throw malformed(name, 'is signed with an algorithm that is not allowed');
  for (const key of await keys.find(header.alg, header.kid)) {
    if (await key.verify(jws.signingInput, jws.signature)) return claims;
  }
  throw malformed(name, 'is not signed by a key of its issuer');
}

function malformed(name: string, what: string): ServiceAuthError {
  return new ServiceAuthError('response_malformed', `${name} ${what}`);
}
