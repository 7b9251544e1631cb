/** What authentication comes to where it does not succeed. */
import type { ClientRefusalReason } from '../../events.ts';
import { asUndecided } from '../../shared/undecided.ts';
import { OAuthFault } from '../http/oauth-fault.ts';

/** Why a client was refused: for events alone, since the client must not learn it. */
export class Refusal {
  readonly reason: ClientRefusalReason;

  constructor(reason: ClientRefusalReason) {
    this.reason = reason;
  }
}

/** The one answer to every refusal: nothing in it tells which services there are. */
export function refused(): OAuthFault {
  return new OAuthFault('invalid_client', 'the client is unknown or its credentials are wrong');
}

const DEFAULT_RETRY_MS = 1000;

/** The answer where the keys of a client are out of reach: its assertion may well be good. */
export function undecided(error: unknown): OAuthFault {
  const { retryAfterMs = DEFAULT_RETRY_MS } = asUndecided(error, 'keys_unavailable', undefined);
  return tryAgain(String(Math.max(1, Math.ceil(retryAfterMs / 1000))));
}

/** `retryAfter` is the value of the header. */
export function tryAgain(retryAfter = '1'): OAuthFault {
  const description = 'the keys of the client cannot be read at the moment';
  return new OAuthFault('temporarily_unavailable', description, 503, { 'retry-after': retryAfter });
}
