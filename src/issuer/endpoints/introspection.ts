/** Token introspection: answers in JSON (RFC 7662), or signed for the one who asks (RFC 9701). */

import type { IssuerContext } from '../context.ts';
import { json, signed } from '../http/http-answers.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Handler } from '../http/router.ts';
import { signJwt } from '../keys/signed-jwt.ts';
import type { StoredService } from '../storage/records.ts';
import { type AccessTokenClaims, toJwtClaims } from '../tokens/access-token-claims.ts';
import { createClientEndpoint } from './client-endpoint.ts';
import { prefers } from './prefers.ts';

const ANSWER_TYPE = 'token-introspection+jwt';

/**
 * Makes the introspection endpoint. A service learns of tokens that were issued to itself, and of those whose
 * audience has one of the resources that it is; every other token is inactive to it, as RFC 7662
 * section 2.2 advises.
 */
export function createIntrospectionEndpoint(context: IssuerContext): Handler {
  const { tokens, keys, settings } = context;
  const { issuer, now } = settings;

  function describe(service: StoredService, claims: AccessTokenClaims | undefined): object {
    if (claims === undefined || !concerns(service, claims)) return { active: false };
    const tokenType = claims.confirmation?.jkt === undefined ? 'Bearer' : 'DPoP';
    return { active: true, token_type: tokenType, ...toJwtClaims(issuer, claims) };
  }

  /** RFC 9701 section 5: no `sub` and `exp` of its own, so that it does not pass for a token itself. */
  async function sign(clientId: string, answer: object): Promise<Response> {
    const iat = Math.floor(now() / 1000);
    const claims = { iss: issuer, aud: clientId, iat, token_introspection: answer };
    return signed(ANSWER_TYPE, await signJwt(await keys.signer(0), ANSWER_TYPE, claims));
  }

  return createClientEndpoint(context, 'introspect', async ({ service }, { request, form }) => {
    const token = form.get('token');
    if (token === undefined) return new OAuthFault('invalid_request', 'token is missing');
    const answer = describe(service, await tokens.readActive(token));
    const wantsSigned = prefers(
      request.headers.get('accept'),
      `application/${ANSWER_TYPE}`,
      'application/json',
    );
    return wantsSigned ? sign(service.clientId, answer) : json(answer);
  });
}

function concerns({ clientId, serves }: StoredService, claims: AccessTokenClaims): boolean {
  return claims.clientId === clientId || claims.audience.some((name) => serves.includes(name));
}
