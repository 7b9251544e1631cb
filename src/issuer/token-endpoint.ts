/** The token endpoint (RFC 6749 section 3.2): one table of grants. */
import type { IssuedToken } from './access-tokens.ts';
import { clientCredentialsGrant } from './client-credentials-grant.ts';
import { createClientEndpoint } from './client-endpoint.ts';
import type { IssuerContext } from './context.ts';
import type { Grant } from './grant.ts';
import { json } from './http-answers.ts';
import { OAuthFault } from './oauth-fault.ts';
import type { Handler } from './router.ts';

const grants: ReadonlyMap<string, Grant> = new Map([['client_credentials', clientCredentialsGrant]]);

/** For the metadata. */
export const grantTypes: readonly string[] = [...grants.keys()];

export function createTokenEndpoint(context: IssuerContext): Handler {
  return createClientEndpoint(context, 'token', async (client, form) => {
    const grantType = form.get('grant_type');
    if (grantType === undefined) return new OAuthFault('invalid_request', 'grant_type is missing');
    const grant = grants.get(grantType);
    if (grant === undefined)
      return new OAuthFault('unsupported_grant_type', 'the grant type is not supported');
    const issued = await grant(context, client, form);
    if (issued instanceof OAuthFault) return issued;
    const { clientId, scope, audience, tokenId, expiresAt } = issued;
    context.emit?.({ type: 'issuer.token_issued', clientId, grantType, scope, audience, tokenId, expiresAt });
    return tokenResponse(issued);
  });
}

/** RFC 6749 section 5.1. The scope is always said, also where it is what was asked for. */
function tokenResponse({ accessToken, issuedAt, expiresAt, scope }: IssuedToken): Response {
  const body = { access_token: accessToken, token_type: 'Bearer', expires_in: expiresAt - issuedAt, scope };
  return json(body, { pragma: 'no-cache' });
}
