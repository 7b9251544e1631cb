/** What a token is bound to (RFC 7800): a token that somebody else may not use. */
import { Fault, type FaultSubject } from '../shared/fault.ts';
import { isObject, type JsonObject } from '../shared/json.ts';

export interface Binding {
  /** The thumbprint of a DPoP key (RFC 9449 section 6.1). */
  readonly jkt: string | undefined;
  /** The thumbprint of a TLS client certificate, `x5t#S256` (RFC 8705 section 3.1). */
  readonly certificate: string | undefined;
}

/** The binding of verified claims; a fault where the token is bound in a way that cannot be checked here. */
export function readBinding(claims: JsonObject, about: FaultSubject): Binding | Fault | undefined {
  const { cnf } = claims;
  if (cnf === undefined) return undefined;
  if (!isObject(cnf)) return unsupported(typeof cnf, about);
  const { jkt, 'x5t#S256': certificate, ...others } = cnf;
  // A member that is not understood may be the one that counts: passing the token on would undo its binding.
  const [other] = Object.keys(others);
  if (other !== undefined) return unsupported(other, about);
  if (!isThumbprint(jkt) || !isThumbprint(certificate)) return unsupported('no thumbprint', about);
  if (jkt === undefined && certificate === undefined) return unsupported('nothing', about);
  return Object.freeze({ jkt, certificate });
}

/** The base64url of a SHA-256 digest has 43 characters. */
function isThumbprint(value: unknown): value is string | undefined {
  return value === undefined || (typeof value === 'string' && value.length === 43);
}

function unsupported(actual: string, about: FaultSubject): Fault {
  return new Fault('binding', 'unsupported_binding', 'cnf with jkt or x5t#S256 alone', actual, about);
}
