/** Assertions of other issuers about their workloads (RFC 7523): federation, such as with a Kubernetes cluster. */
import { type KeyAlgorithm, keyAlgorithms } from '../../shared/crypto.ts';
import type { IssuerContext } from '../context.ts';
import type { OAuthFault } from '../http/oauth-fault.ts';
import type { StoredService } from '../storage/records.ts';
import type { Assertion } from './client-assertion.ts';
import type { AuthenticatedClient } from './client-request.ts';
import type { PresentedAssertion } from './presented-credentials.ts';
import { Refusal, tryAgain } from './refusal.ts';

/** Such assertions may be sent again until they expire: a projected token of Kubernetes is used for an hour. */
export async function authenticateByFederation(
  { clientKeys }: IssuerContext,
  { assertion }: PresentedAssertion,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal | OAuthFault> {
  const { text, jws, claims } = assertion;
  // Who is to be asked follows from the registration: an assertion cannot make this server call anywhere.
  const identities = (service?.federatedIdentities ?? []).filter(
    ({ issuer, subject }) => issuer === claims.iss && subject === claims.sub,
  );
  if (service === undefined || identities.length === 0) {
    await verifyInVain(clientKeys, assertion);
    return new Refusal('unknown_identity');
  }
  let undecided: OAuthFault | undefined;
  // One that is for others too could be sent here by any of them.
  if (Array.isArray(claims.aud) && claims.aud.length > 1) return new Refusal('wrong_assertion');
  for (const identity of identities) {
    const outcome = await clientKeys.verifierOf(identity, jws.header.typ !== undefined).verifyToken(text);
    if (outcome.ok && outcome.caller.subject === identity.subject) return { service, method: 'federated' };
    if (!outcome.ok && outcome.rejection.status === 503) {
      undecided ??= tryAgain(outcome.rejection.headers['Retry-After']);
    }
  }
  return undecided ?? new Refusal('wrong_assertion');
}

/** Takes as long as a signature that does not hold. */
async function verifyInVain(
  { decoyFor }: IssuerContext['clientKeys'],
  { jws: { header, signingInput, signature } }: Assertion,
): Promise<void> {
  const algorithm = keyAlgorithms.find((name): name is KeyAlgorithm => name === header.alg);
  if (algorithm !== undefined) await decoyFor(algorithm).verify(signingInput, signature);
}
