/** The one retry after a token was refused (RFC 6750 section 3.1). */
import { LRUCache } from 'lru-cache';
import { isServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { unlessAborted } from '../shared/abort.ts';
import type { AccessToken } from './access-token.ts';
import { saysInvalidToken } from './bearer-challenge.ts';
import { discard, type FetchFunction, type Hop, sendHop } from './hop.ts';
import type { TokenSource } from './token-source.ts';
import type { TokenSubject } from './token-subject.ts';

export interface RetryOptions {
  readonly source: TokenSource;
  readonly fetch: FetchFunction;
  readonly now: () => number;
  readonly emit: Emit | undefined;
}

/** Gives the answer to a hop whose token was refused: that of one more attempt, or the refusal itself. */
export type Retry = (
  hop: Hop,
  subject: TokenSubject,
  refused: AccessToken,
  response: Response,
) => Promise<Response>;

/** A service that refuses even a new token is not helped by a newer one; for so long none is asked for. */
const FRUITLESS_PAUSE_MS = 10_000;
const MOST_PAUSES = 1000;

/** Got because a place refused the one before; if it is refused too, soon after, newer ones are of no use. */
interface Pause {
  readonly token: AccessToken;
  readonly from: number;
}

export function createRetry({ source, fetch, now, emit }: RetryOptions): Retry {
  const pauses = new LRUCache<string, Pause>({ max: MOST_PAUSES });

  async function retry(
    hop: Hop,
    subject: TokenSubject,
    refused: AccessToken,
    response: Response,
  ): Promise<Response> {
    const { origin } = new URL(hop.href);
    const place = `${origin} ${subject.key}`;
    if (isPaused(place, refused)) return response;
    if (!hop.replayable) {
      renewForNext(place, subject, refused);
      return response;
    }
    const renewed = await renew(hop, subject, refused, response);
    if (renewed === undefined) return response;
    const isNew = renewed.accessToken !== refused.accessToken;
    if (isNew) {
      discard(response);
      emit?.({ type: 'retry', reason: 'invalid_token', origin });
    }
    const answer = isNew ? await sendHop(fetch, hop, renewed.authorization) : response;
    if (refusesToken(answer)) pauses.set(place, { token: renewed, from: now() });
    else pauses.delete(place);
    return answer;
  }

  /** Only for the very token that was new and refused: any other may have been revoked meanwhile. */
  function isPaused(place: string, refused: AccessToken): boolean {
    const pause = pauses.get(place);
    if (pause === undefined || pause.token !== refused) return false;
    const age = now() - pause.from;
    return age >= 0 && age < FRUITLESS_PAUSE_MS;
  }

  /** A call that cannot be sent again still tells that the next one needs a better token. */
  function renewForNext(place: string, subject: TokenSubject, refused: AccessToken): void {
    const renewing = (async () => source.renew(subject, refused))();
    renewing.then(
      (renewed) => pauses.set(place, { token: renewed, from: now() }),
      () => {},
    );
  }

  /** The token to use instead; `undefined` if there is none to be had: then the refusal is the answer. */
  async function renew(
    { signal }: Hop,
    subject: TokenSubject,
    refused: AccessToken,
    response: Response,
  ): Promise<AccessToken | undefined> {
    try {
      const renewing = source.renew(subject, refused);
      return renewing instanceof Promise ? await unlessAborted(renewing, signal) : renewing;
    } catch (error) {
      if (isServiceAuthError(error)) return undefined;
      discard(response);
      throw error;
    }
  }

  return retry;
}

/** Whether the answer is a 401 that blames the token. */
export function refusesToken(response: Response): boolean {
  return response.status === 401 && saysInvalidToken(response.headers.get('www-authenticate'));
}
