/** The token endpoint (RFC 6749 section 3.2): one table of grants. */

import type { IssuerContext } from '../context.ts';
import { clientCredentialsGrant } from '../grants/client-credentials-grant.ts';
import type { Grant, Granted } from '../grants/grant.ts';
import { json } from '../http/http-answers.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Handler } from '../http/router.ts';
import { createClientEndpoint } from './client-endpoint.ts';

const grants: ReadonlyMap<string, Grant> = new Map([['client_credentials', clientCredentialsGrant]]);

/** For the metadata. */
export const grantTypes: readonly string[] = [...grants.keys()];

export function createTokenEndpoint(context: IssuerContext): Handler {
  return createClientEndpoint(context, 'token', async (client, request) => {
    const grantType = request.form.get('grant_type');
    if (grantType === undefined) return new OAuthFault('invalid_request', 'grant_type is missing');
    const grant = grants.get(grantType);
    if (grant === undefined)
      return new OAuthFault('unsupported_grant_type', 'the grant type is not supported');
    const granted = await grant(context, client, request);
    if (granted instanceof OAuthFault) return granted;
    const { clientId, scope, audience, tokenId, expiresAt } = granted.token;
    context.emit?.({ type: 'issuer.token_issued', clientId, grantType, scope, audience, tokenId, expiresAt });
    return tokenResponse(granted);
  });
}

/** RFC 6749 section 5.1. The scope is always said, also where it is what was asked for. */
function tokenResponse({ token, issuedTokenType }: Granted): Response {
  const { accessToken, issuedAt, expiresAt, scope, confirmation } = token;
  const body = {
    access_token: accessToken,
    token_type: confirmation?.jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: expiresAt - issuedAt,
    scope,
    issued_token_type: issuedTokenType,
  };
  return json(body, { pragma: 'no-cache' });
}
