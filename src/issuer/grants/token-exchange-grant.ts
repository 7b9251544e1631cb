/**
 * Token exchange (RFC 8693): a service that was called asks for a token to call on with, in the name of who called.
 * Nothing gets wider by it: neither scope, nor lifetime, nor audience, and no binding is lost.
 */
import type { IssuerContext } from '../context.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { StoredService } from '../storage/records.ts';
import type { AccessTokenClaims } from '../tokens/access-token-claims.ts';
import { nextActor } from './exchange-actor.ts';
import { exchangeBinding } from './exchange-binding.ts';
import { readExchangeRequest } from './exchange-request.ts';
import { exchangeResources } from './exchange-resources.ts';
import type { Grant } from './grant.ts';
import { grantScope, joinScope, scopesOfResources, splitScope } from './grant-scope.ts';

export const TOKEN_EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
/** What was revoked meanwhile must not live on in exchanged tokens for long. */
const LONGEST_EXCHANGED_SECONDS = 600;

export const tokenExchangeGrant: Grant = async (context, { service }, { form }, sender) => {
  const { clientId, tokenFormat: format } = service;
  const request = readExchangeRequest(form, service);
  if (request instanceof OAuthFault) return request;
  const subject = await readToken(context, service, 'subject_token', request.subjectToken);
  if (subject instanceof OAuthFault) return subject;
  const actorToken =
    request.actorToken === undefined
      ? undefined
      : await readToken(context, service, 'actor_token', request.actorToken);
  if (actorToken instanceof OAuthFault) return actorToken;
  const actor = nextActor(clientId, subject, actorToken);
  if (actor instanceof OAuthFault) return actor;
  const confirmation = exchangeBinding(clientId, subject, sender);
  if (confirmation instanceof OAuthFault) return confirmation;
  const resources = await exchangeResources(context, service, form);
  if (resources instanceof OAuthFault) return resources;
  const owned = splitScope(subject.scope);
  const shared = scopesOfResources(intersection(owned, service.scopes), resources);
  const scopes = grantScope(shared, form.get('scope'));
  if (scopes instanceof OAuthFault) return scopes;
  if (scopes.length === 0 && owned.length > 0) {
    return new OAuthFault('invalid_scope', 'no scope of subject_token is allowed for this client and target');
  }
  const audience = resources.map(({ resource }) => resource);
  return {
    grant: { clientId, subject: subject.subject, audience, scope: joinScope(scopes), confirmation, actor },
    form: { format, lifetimeSeconds: lifetimeOf(context, service), expiresBy: subject.expiresAt },
    issuedTokenType: request.issuedTokenType,
  };
};

/** A live token of this issuer that came to this client, or that is its own. */
async function readToken(
  { tokens }: IssuerContext,
  { clientId, serves }: StoredService,
  parameter: string,
  token: string,
): Promise<AccessTokenClaims | OAuthFault> {
  const claims = await tokens.readActive(token);
  const isHeld =
    claims?.clientId === clientId || claims?.audience.some((resource) => serves.includes(resource));
  // The same words in every case: whoever found a token does not learn from here whether it is live.
  if (claims === undefined || !isHeld) {
    return new OAuthFault(
      'invalid_request',
      `${parameter} is not a live token that this client may exchange`,
    );
  }
  return claims;
}

function lifetimeOf({ settings }: IssuerContext, { accessTokenSeconds }: StoredService): number {
  return Math.min(LONGEST_EXCHANGED_SECONDS, accessTokenSeconds ?? settings.accessTokenSeconds);
}

function intersection(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return some.filter((item) => known.has(item));
}
