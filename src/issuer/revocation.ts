/** Token revocation (RFC 7009). */
import { createClientEndpoint } from './client-endpoint.ts';
import type { IssuerContext } from './context.ts';
import { empty } from './http-answers.ts';
import { OAuthFault } from './oauth-fault.ts';
import type { Handler } from './router.ts';

const CLEAN_UP_EVERY_MS = 60_000;

/**
 * Makes the revocation endpoint. A client revokes its own tokens only; a token that is unknown or has expired
 * is as good as revoked (RFC 7009 section 2.2).
 */
export function createRevocationEndpoint(context: IssuerContext): Handler {
  const { tokens, settings, emit } = context;
  const { storage, now } = settings;
  let cleanUpAt = Number.NEGATIVE_INFINITY;

  async function cleanUp(): Promise<void> {
    if (now() < cleanUpAt) return;
    cleanUpAt = now() + CLEAN_UP_EVERY_MS;
    await storage.deleteExpiredTokens(now());
  }

  return createClientEndpoint(context, 'revoke', async ({ clientId }, form) => {
    const token = form.get('token');
    if (token === undefined) return new OAuthFault('invalid_request', 'token is missing');
    const claims = await tokens.read(token);
    if (claims === undefined) return empty(200);
    if (claims.clientId !== clientId) {
      return new OAuthFault('invalid_grant', 'the token was issued to another client');
    }
    const { tokenId, expiresAt } = claims;
    await storage.revokeToken({ tokenId, clientId, expiresAtMs: expiresAt * 1000 });
    emit?.({ type: 'issuer.token_revoked', clientId, tokenId });
    await cleanUp();
    return empty(200);
  });
}
