/** Token introspection (RFC 7662). */

import type { IssuerContext } from '../context.ts';
import { json } from '../http/http-answers.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Handler } from '../http/router.ts';
import type { StoredService } from '../storage/records.ts';
import { type AccessTokenClaims, singleOrList } from '../tokens/access-tokens.ts';
import { createClientEndpoint } from './client-endpoint.ts';

/**
 * Makes the introspection endpoint. A service learns of tokens that were issued to itself, and of those whose
 * audience has one of the resources that it is; every other token is inactive to it, as RFC 7662
 * section 2.2 advises.
 */
export function createIntrospectionEndpoint(context: IssuerContext): Handler {
  const { tokens, settings } = context;

  return createClientEndpoint(context, 'introspect', async ({ service }, { form }) => {
    const token = form.get('token');
    if (token === undefined) return new OAuthFault('invalid_request', 'token is missing');
    const claims = await tokens.readActive(token);
    if (claims === undefined || !concerns(service, claims)) return json({ active: false });
    return json({
      active: true,
      scope: claims.scope,
      client_id: claims.clientId,
      token_type: 'Bearer',
      exp: claims.expiresAt,
      iat: claims.issuedAt,
      sub: claims.subject,
      aud: singleOrList(claims.audience),
      iss: settings.issuer,
      jti: claims.tokenId,
    });
  });
}

function concerns({ clientId, serves }: StoredService, claims: AccessTokenClaims): boolean {
  return claims.clientId === clientId || claims.audience.some((name) => serves.includes(name));
}
