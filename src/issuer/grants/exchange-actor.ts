/** Who acts (RFC 8693 section 4.1): the chain that grows by one with every exchange. */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { AccessTokenClaims, Actor } from '../tokens/access-token-claims.ts';

/** More hops than this are a circle rather than a design, and tokens must stay short. */
const LONGEST_ACTOR_CHAIN = 5;

/** The actor of the new token: the client that asks, or whom the actor token names, before all who acted already. */
export function nextActor(
  clientId: string,
  subject: AccessTokenClaims,
  actor: AccessTokenClaims | undefined,
): Actor | OAuthFault {
  // Whoever acts in the name of another would drop out of the chain.
  if (actor?.actor !== undefined) return refuse('actor_token is that of an actor in turn');
  if (lengthOf(subject.actor) >= LONGEST_ACTOR_CHAIN) {
    return refuse(`subject_token has passed through ${LONGEST_ACTOR_CHAIN} actors, which is the most`);
  }
  const sub = actor?.subject ?? clientId;
  return subject.actor === undefined ? { sub } : { sub, act: subject.actor };
}

function lengthOf(chain: Actor | undefined): number {
  let length = 0;
  for (let actor = chain; actor !== undefined; actor = actor.act) length++;
  return length;
}

function refuse(description: string): OAuthFault {
  return new OAuthFault('invalid_request', description);
}
