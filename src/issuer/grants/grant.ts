import type { AuthenticatedClient, ClientRequest } from '../clients/client-request.ts';
import type { IssuerContext } from '../context.ts';
import type { OAuthFault } from '../http/oauth-fault.ts';
import type { IssuedToken } from '../tokens/access-tokens.ts';

/** What a grant gives: a token, and what the answer says of it besides (RFC 8693 section 2.2.1). */
export interface Granted {
  readonly token: IssuedToken;
  readonly issuedTokenType?: string;
}

/** Decides on one token request of an authenticated client. */
export type Grant = (
  context: IssuerContext,
  client: AuthenticatedClient,
  request: ClientRequest,
) => Promise<Granted | OAuthFault>;
