/** Who acts (RFC 8693 section 4.1): the chain that grows by one with every exchange. */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { AccessTokenClaims, Actor } from '../tokens/access-token-claims.ts';

/** More hops than this are a circle rather than a design, and tokens must stay short. */
const LONGEST_ACTOR_CHAIN = 5;

/** The actor of the new token: the client that asks, before all who acted already. */
export function nextActor(clientId: string, subject: AccessTokenClaims): Actor | OAuthFault {
  if (lengthOf(subject.actor) >= LONGEST_ACTOR_CHAIN) {
    const description = `subject_token has passed through ${LONGEST_ACTOR_CHAIN} actors, which is the most`;
    return new OAuthFault('invalid_request', description);
  }
  return subject.actor === undefined ? { sub: clientId } : { sub: clientId, act: subject.actor };
}

function lengthOf(chain: Actor | undefined): number {
  let length = 0;
  for (let actor = chain; actor !== undefined; actor = actor.act) length++;
  return length;
}
