/** What an exchanged token is bound to (RFC 9449 section 5, RFC 8705 section 3). */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { AccessTokenClaims, Confirmation } from '../tokens/access-token-claims.ts';
import type { Sender } from './sender-constraint.ts';

/**
 * A token that is bound is exchanged for one that is bound, too: to what the request proves possession of, or as it
 * was, if it stays with the client that it was issued to.
 */
export function exchangeBinding(
  clientId: string,
  subject: AccessTokenClaims,
  { confirmation, certificate }: Sender,
): Confirmation | OAuthFault | undefined {
  if (confirmation !== undefined || subject.confirmation === undefined) return confirmation;
  if (certificate !== undefined) return { 'x5t#S256': certificate };
  if (subject.clientId === clientId) return subject.confirmation;
  return new OAuthFault(
    'invalid_request',
    'subject_token is bound to a key, so the request needs a DPoP proof or a client certificate',
  );
}
