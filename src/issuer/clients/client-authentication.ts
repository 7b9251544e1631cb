/** Client authentication (RFC 6749 section 2.3): who sends this request, proven by one of the registered methods. */
import type { IssuerContext } from '../context.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import { authMethods, type StoredService } from '../storage/records.ts';
import type { AuthenticatedClient, ClientRequest } from './client-request.ts';
import { authenticateBySecret } from './client-secret.ts';
import { authenticateByFederation } from './federated-identity.ts';
import { authenticateByOwnAssertion } from './own-assertion.ts';
import { type PresentedCredentials, readPresentedCredentials } from './presented-credentials.ts';
import { Refusal, refused } from './refusal.ts';
import { authenticateByCertificate } from './tls-client-auth.ts';

/** The methods that {@link authenticateClient} understands, as the metadata names them. */
export const clientAuthenticationMethods = authMethods;

const LONGEST_CLIENT_ID = 200;

/**
 * Finds out which service sends the request.
 *
 * An unknown service, a revoked one, a method that is not registered and a wrong secret cost and answer the same, so
 * that nothing tells which services there are. Where keys are out of reach the answer is 503: nobody was refused.
 */
export async function authenticateClient(
  context: IssuerContext,
  request: ClientRequest,
): Promise<AuthenticatedClient | OAuthFault> {
  const presented = readPresentedCredentials(request);
  if (presented instanceof OAuthFault) return presented;
  const { clientId } = presented;
  const known = isClientId(clientId) ? await context.settings.storage.findService(clientId) : undefined;
  const service = known?.revokedAtMs === undefined ? known : undefined;
  const verdict = await authenticate(context, request, presented, service);
  if (!(verdict instanceof Refusal)) return verdict;
  const reason =
    known === undefined ? 'unknown_client' : service === undefined ? 'revoked_client' : verdict.reason;
  const { kind } = presented;
  context.emit?.({ type: 'issuer.client_refused', clientId: known?.clientId, presented: kind, reason });
  return refused();
}

/** `service` is undefined for unknown and revoked ones: every method does the same work for them, and then refuses. */
function authenticate(
  context: IssuerContext,
  request: ClientRequest,
  presented: PresentedCredentials,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal | OAuthFault> {
  switch (presented.kind) {
    case 'secret':
      return authenticateBySecret(context, presented, service);
    case 'own assertion':
      return authenticateByOwnAssertion(context, request, presented, service);
    case 'federated assertion':
      return authenticateByFederation(context, presented, service);
    case 'certificate':
      return authenticateByCertificate(context, request, service);
  }
}

/** RFC 6749 appendix A.1; what is not spelt so cannot be registered and need not trouble the storage. */
function isClientId(text: string): boolean {
  return text.length <= LONGEST_CLIENT_ID && /^[\x20-\x7e]+$/.test(text);
}
