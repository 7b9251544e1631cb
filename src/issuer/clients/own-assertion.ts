/** `client_secret_jwt` and `private_key_jwt`: a client that vouches for itself (RFC 7523 section 2.2). */
import {
  type KeyAlgorithm,
  keyAlgorithms,
  type SecretAlgorithm,
  secretAlgorithms,
} from '../../shared/crypto.ts';
import type { IssuerContext } from '../context.ts';
import type { OAuthFault } from '../http/oauth-fault.ts';
import type { StoredService } from '../storage/records.ts';
import { checkOwnClaims } from './client-assertion.ts';
import type { AuthenticatedClient, ClientRequest } from './client-request.ts';
import { verifyBySecret } from './client-secret-jwt.ts';
import type { PresentedAssertion } from './presented-credentials.ts';
import { verifyByKey } from './private-key-jwt.ts';
import { Refusal } from './refusal.ts';

/** Whether a name is that of an algorithm of this family; which key it may verify with follows from that alone. */
function isOneOf<T extends string>(family: readonly T[], name: string): name is T {
  return (family as readonly string[]).includes(name);
}

export async function authenticateByOwnAssertion(
  context: IssuerContext,
  { endpointUrl }: ClientRequest,
  { clientId, assertion }: PresentedAssertion,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal | OAuthFault> {
  const { settings, secrets } = context;
  const { claims, jws } = assertion;
  const audiences = [settings.issuer, `${settings.baseUrl}/token`, endpointUrl];
  const held = checkOwnClaims(claims, clientId, audiences, settings.now());
  if (held === undefined) return new Refusal('wrong_claims');
  const { alg } = jws.header;
  const verdict = isOneOf<SecretAlgorithm>(secretAlgorithms, alg)
    ? await verifyBySecret(context, jws, alg, service)
    : isOneOf<KeyAlgorithm>(keyAlgorithms, alg)
      ? await verifyByKey(context, jws, alg, service)
      : new Refusal('wrong_method');
  if (!('service' in verdict)) return verdict;
  // What has expired while its signature was waited for, the storage may have forgotten.
  if (settings.now() >= held.expiresAtMs) return new Refusal('wrong_claims');
  // Last of all: an assertion that was not good enough is not used up.
  const name = secrets.fingerprint('assertion', JSON.stringify([clientId, held.jti]));
  const isFirst = await settings.storage.useOnce(name, held.expiresAtMs);
  return isFirst ? verdict : new Refusal('replayed_assertion');
}
