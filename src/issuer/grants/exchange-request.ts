/** What a request of a token exchange says of its tokens (RFC 8693 section 2.1). */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Form } from '../http/request-body.ts';
import type { StoredService } from '../storage/records.ts';

export interface ExchangeRequest {
  readonly subjectToken: string;
  /** The client's own token, for those that send one: it is the client that acts in any case. */
  readonly actorToken: string | undefined;
  /** What the answer says the new token is. */
  readonly issuedTokenType: string;
}

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';

/** Reads the parameters, none of which is believed yet. */
export function readExchangeRequest(form: Form, service: StoredService): ExchangeRequest | OAuthFault {
  const subjectToken = form.get('subject_token');
  const actorToken = form.get('actor_token');
  const issuedTokenType = form.get('requested_token_type') ?? ACCESS_TOKEN;
  if (subjectToken === undefined) return refuse('subject_token is missing');
  if (!isTokenOf(subjectToken, form.get('subject_token_type'))) {
    return refuse('subject_token_type is missing, not supported, or not that of the token');
  }
  if (actorToken === undefined) {
    if (form.get('actor_token_type') !== undefined)
      return refuse('actor_token_type came without actor_token');
  } else if (!isTokenOf(actorToken, form.get('actor_token_type'))) {
    return refuse('actor_token_type is missing, not supported, or not that of the token');
  }
  const isJwtService = service.tokenFormat === 'jwt';
  if (issuedTokenType !== ACCESS_TOKEN && !(issuedTokenType === JWT && isJwtService)) {
    return refuse('requested_token_type is not supported for this client');
  }
  return { subjectToken, actorToken, issuedTokenType };
}

function isTokenOf(token: string, type: string | undefined): boolean {
  return type === ACCESS_TOKEN || (type === JWT && token.split('.').length === 3);
}

function refuse(description: string): OAuthFault {
  return new OAuthFault('invalid_request', description);
}
