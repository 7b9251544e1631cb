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
  const subject = await readSubject(context, service, request.subjectToken);
  if (subject instanceof OAuthFault) return subject;
  if (request.actorToken !== undefined && !(await isOwnToken(context, clientId, request.actorToken))) {
    return new OAuthFault('invalid_request', 'actor_token is not a live token of this client alone');
  }
  const actor = nextActor(clientId, subject);
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
async function readSubject(
  { tokens }: IssuerContext,
  { clientId, serves }: StoredService,
  token: string,
): Promise<AccessTokenClaims | OAuthFault> {
  const claims = await tokens.readActive(token);
  const isHeld =
    claims?.clientId === clientId || claims?.audience.some((resource) => serves.includes(resource));
  // The same words in every case: whoever found a token does not learn from here whether it is live.
  if (claims === undefined || !isHeld) {
    return new OAuthFault(
      'invalid_request',
      'subject_token is not a live token that this client may exchange',
    );
  }
  return claims;
}

/** A token that came from elsewhere would make its sender an actor who never acted. */
async function isOwnToken({ tokens }: IssuerContext, clientId: string, token: string): Promise<boolean> {
  const claims = await tokens.readActive(token);
  return claims?.clientId === clientId && claims.actor === undefined;
}

function lifetimeOf({ settings }: IssuerContext, { accessTokenSeconds }: StoredService): number {
  return Math.min(LONGEST_EXCHANGED_SECONDS, accessTokenSeconds ?? settings.accessTokenSeconds);
}

function intersection(some: readonly string[], others: readonly string[]): readonly string[] {
  const known = new Set(others);
  return some.filter((item) => known.has(item));
}
