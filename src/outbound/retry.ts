/** The one retry after a token was refused (RFC 6750 section 3.1). */
import { LRUCache } from 'lru-cache';
import { isServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { unlessAborted } from './abortable.ts';
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

export function createRetry({ source, fetch, now, emit }: RetryOptions): Retry {
  const pausedUntil = new LRUCache<string, number>({ max: MOST_PAUSES });

  async function retry(
    hop: Hop,
    subject: TokenSubject,
    refused: AccessToken,
    response: Response,
  ): Promise<Response> {
    const { origin } = new URL(hop.href);
    const place = `${origin} ${subject.key}`;
    if (!hop.replayable || now() < (pausedUntil.get(place) ?? 0)) return response;
    const renewed = await renew(hop, subject, refused, response);
    if (renewed === undefined) return response;
    const isNew = renewed.accessToken !== refused.accessToken;
    if (isNew) {
      discard(response);
      emit?.({ type: 'retry', reason: 'invalid_token', origin });
    }
    const answer = isNew ? await sendHop(fetch, hop, renewed.authorization) : response;
    if (refusesToken(answer)) pausedUntil.set(place, now() + FRUITLESS_PAUSE_MS);
    else pausedUntil.delete(place);
    return answer;
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
