/** The token endpoint (RFC 6749 section 3.2): one table of grants. */
import type { IssuerContext } from '../context.ts';
import { clientCredentialsGrant } from '../grants/client-credentials-grant.ts';
import type { Grant } from '../grants/grant.ts';
import { createSenderConstraint } from '../grants/sender-constraint.ts';
import { TOKEN_EXCHANGE, tokenExchangeGrant } from '../grants/token-exchange-grant.ts';
import { json } from '../http/http-answers.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Handler } from '../http/router.ts';
import type { IssuedToken } from '../tokens/access-tokens.ts';
import { createClientEndpoint } from './client-endpoint.ts';

const grants: ReadonlyMap<string, Grant> = new Map([
  ['client_credentials', clientCredentialsGrant],
  [TOKEN_EXCHANGE, tokenExchangeGrant],
]);

/** For the metadata. */
export const grantTypes: readonly string[] = [...grants.keys()];

export function createTokenEndpoint(context: IssuerContext): Handler {
  const { settings, tokens, emit } = context;
  const senders = createSenderConstraint(settings, emit);

  return createClientEndpoint(context, 'token', async (client, request) => {
    const grantType = request.form.get('grant_type');
    if (grantType === undefined) return new OAuthFault('invalid_request', 'grant_type is missing');
    const grant = grants.get(grantType);
    if (grant === undefined)
      return new OAuthFault('unsupported_grant_type', 'the grant type is not supported');
    const sender = await senders.check(client.service, request);
    if (sender instanceof OAuthFault) return sender;
    const granted = await grant(context, client, request, sender);
    if (granted instanceof OAuthFault) return granted;
    // Last of all checks: a request that is refused for another reason may be sent again with its proof.
    const replayed = await senders.record(sender, client.service.clientId);
    if (replayed !== undefined) return replayed;
    const token = await tokens.issue(granted.grant, granted.form);
    const { clientId, scope, audience, tokenId, expiresAt } = token;
    emit?.({ type: 'issuer.token_issued', clientId, grantType, scope, audience, tokenId, expiresAt });
    return tokenResponse(token, granted.issuedTokenType, await senders.answerHeaders());
  });
}

/** RFC 6749 section 5.1. The scope is always said, also where it is what was asked for. */
function tokenResponse(
  { accessToken, issuedAt, expiresAt, scope, confirmation }: IssuedToken,
  issuedTokenType: string | undefined,
  headers: Readonly<Record<string, string>>,
): Response {
  const body = {
    access_token: accessToken,
    token_type: confirmation?.jkt === undefined ? 'Bearer' : 'DPoP',
    expires_in: expiresAt - issuedAt,
    scope,
    issued_token_type: issuedTokenType,
  };
  return json(body, { pragma: 'no-cache', ...headers });
}
