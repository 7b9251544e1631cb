import type { AuthenticatedClient, ClientRequest } from '../clients/client-request.ts';
import type { IssuerContext } from '../context.ts';
import type { OAuthFault } from '../http/oauth-fault.ts';
import type { AccessTokenGrant, TokenForm } from '../tokens/access-tokens.ts';
import type { Sender } from './sender-constraint.ts';

/** What a grant decides: which token is to be issued, and what the answer says of it besides. */
export interface GrantedToken {
  readonly grant: AccessTokenGrant;
  readonly form: TokenForm;
  /** RFC 8693 section 2.2.1. */
  readonly issuedTokenType?: string;
}

/** Decides on one token request of an authenticated client. Nothing is written: the request may still be refused. */
export type Grant = (
  context: IssuerContext,
  client: AuthenticatedClient,
  request: ClientRequest,
  sender: Sender,
) => Promise<GrantedToken | OAuthFault>;
