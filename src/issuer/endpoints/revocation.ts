/** Token revocation (RFC 7009). */

import type { IssuerContext } from '../context.ts';
import { empty } from '../http/http-answers.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Handler } from '../http/router.ts';
import { AFTERLIFE_MS } from '../tokens/afterlife.ts';
import { createClientEndpoint } from './client-endpoint.ts';

/**
 * Makes the revocation endpoint. A client revokes its own tokens only; a token that is unknown or has expired
 * is as good as revoked (RFC 7009 section 2.2).
 */
export function createRevocationEndpoint(context: IssuerContext): Handler {
  const { tokens, settings, emit } = context;
  const { storage } = settings;

  return createClientEndpoint(context, 'revoke', async ({ service: { clientId } }, { form }) => {
    const token = form.get('token');
    if (token === undefined) return new OAuthFault('invalid_request', 'token is missing');
    const claims = await tokens.read(token);
    if (claims === undefined) return empty(200);
    if (claims.clientId !== clientId) {
      return new OAuthFault('invalid_grant', 'the token was issued to another client');
    }
    const { tokenId, expiresAt, status } = claims;
    const expiresAtMs = expiresAt * 1000 + AFTERLIFE_MS;
    await storage.revokeToken({ tokenId, clientId, expiresAtMs, status });
    emit?.({ type: 'issuer.token_revoked', clientId, tokenId });
    return empty(200);
  });
}
