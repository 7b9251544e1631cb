/** What a call is sent with, and what its answer teaches: the same for `fetch` and for undici. */
import { LRUCache } from 'lru-cache';
import { isServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { unlessAborted } from '../shared/abort.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import type { AnswerHeaders } from '../shared/transport.ts';
import { errorsOf } from './challenges.ts';
import type { HeldToken } from './held-token.ts';
import type { RetryBudget } from './retry-budget.ts';
import { isOtherClock } from './servers.ts';
import type { TokenSource } from './token-source.ts';
import type { TokenSubject } from './token-subject.ts';

/** One request to be authorized, before every attempt. */
export interface Call {
  readonly subject: TokenSubject;
  readonly method: string;
  readonly href: string;
  readonly signal: AbortSignal | undefined;
  /** Whether its body can be sent a second time. */
  readonly replayable: boolean;
}

/** What proves who calls. */
export interface Credentials {
  readonly authorization: string;
  /** The DPoP proof, where the token is bound. */
  readonly dpop: string | undefined;
  readonly held: HeldToken;
  readonly nonce: string | undefined;
  /** How far the server's clock was thought to be from ours when the proof was made. */
  readonly skewMs: number;
  readonly sentAt: number;
  /** Got because the token before it was refused. */
  readonly isRenewed: boolean;
}

export interface Answer {
  readonly status: number;
  readonly headers: AnswerHeaders;
}

export interface CallAuth {
  /** At once where the token is in memory and needs no proof. @throws (or rejects with) ServiceAuthError */
  credentials(call: Call): MaybePromise<Credentials>;
  /** Whether `again` has to look at an answer: not at most of them, so that most calls cost nothing more. */
  concerns(credentials: Credentials, answer: { readonly status: number }): boolean;
  /** Learns from an answer. Gives what to send the call with again, or `undefined`: then the answer is final. */
  again(
    call: Call,
    credentials: Credentials,
    answer: Answer,
    budget: RetryBudget,
  ): MaybePromise<Credentials | undefined>;
}

/** A service that refuses even a new token is not helped by a newer one; for so long none is asked for. */
const FRUITLESS_PAUSE_MS = 10_000;
const MOST_PAUSES = 1000;

/** Got because a place refused the one before; if it is refused too, soon after, newer ones are of no use. */
interface Pause {
  readonly held: HeldToken;
  readonly from: number;
}

export function createCallAuth(source: TokenSource, now: () => number, emit: Emit | undefined): CallAuth {
  const pauses = new LRUCache<string, Pause>({ max: MOST_PAUSES });

  function credentials(call: Call): MaybePromise<Credentials> {
    return andThen(waitFor(source.acquire(call.subject), call.signal), (held) => present(held, call));
  }

  function present(held: HeldToken, { method, href }: Call, isRenewed = false): MaybePromise<Credentials> {
    const { authorization } = held.token;
    const { signer } = held;
    if (signer === undefined) {
      return { authorization, dpop: undefined, held, nonce: undefined, skewMs: 0, sentAt: 0, isRenewed };
    }
    const { origin } = new URL(href);
    const nonce = source.servers.nonce('resource', origin);
    const skewMs = source.servers.skewMs('resource', origin);
    const claims = { method, url: href, nonce, now: now() + skewMs };
    return andThen(held.hash(), (accessTokenHash) =>
      andThen(signer.prove({ ...claims, accessTokenHash }), (dpop) => ({
        authorization,
        dpop,
        held,
        nonce,
        skewMs,
        sentAt: now(),
        isRenewed,
      })),
    );
  }

  function concerns({ dpop, isRenewed }: Credentials, { status }: { readonly status: number }): boolean {
    return status === 401 || dpop !== undefined || isRenewed;
  }

  function again(
    call: Call,
    sent: Credentials,
    { status, headers }: Answer,
    budget: RetryBudget,
  ): MaybePromise<Credentials | undefined> {
    const { origin } = new URL(call.href);
    const { servers } = source;
    if (sent.dpop !== undefined) servers.learn('resource', origin, headers, sent.sentAt);
    const place = `${origin} ${call.subject.key}`;
    if (status !== 401) {
      if (sent.isRenewed) pauses.delete(place);
      return undefined;
    }
    const errors = errorsOf(headers.get('www-authenticate'));
    const nonce = servers.nonce('resource', origin);
    if (
      sent.dpop !== undefined &&
      errors.has('use_dpop_nonce') &&
      nonce !== undefined &&
      nonce !== sent.nonce
    ) {
      const isLeft = (): boolean => budget.take('use_dpop_nonce', nonce);
      return repeat(call, origin, 'use_dpop_nonce', isLeft, sent.held, sent.isRenewed);
    }
    const isClockNews =
      sent.dpop !== undefined && isOtherClock(servers.skewMs('resource', origin), sent.skewMs);
    if (errors.has('invalid_dpop_proof') && isClockNews) {
      const isLeft = (): boolean => budget.take('clock_skew');
      return repeat(call, origin, 'clock_skew', isLeft, sent.held, sent.isRenewed);
    }
    if (!errors.has('invalid_token')) return undefined;
    if (sent.isRenewed) pauses.set(place, { held: sent.held, from: now() });
    return renewed(call, origin, place, sent, budget);
  }

  function repeat(
    call: Call,
    origin: string,
    reason: 'use_dpop_nonce' | 'clock_skew' | 'invalid_token',
    isLeft: () => boolean,
    held: HeldToken,
    isRenewed: boolean,
  ): MaybePromise<Credentials | undefined> {
    if (!call.replayable) return leave(origin);
    if (!isLeft()) return undefined;
    emit?.({ type: 'retry', reason, origin });
    return present(held, call, isRenewed);
  }

  /** The refusal is the answer, since the body is used up. */
  function leave(origin: string): undefined {
    emit?.({ type: 'retry.refused', reason: 'body_not_replayable', origin });
    return undefined;
  }

  function renewed(
    call: Call,
    origin: string,
    place: string,
    { held }: Credentials,
    budget: RetryBudget,
  ): MaybePromise<Credentials | undefined> {
    if (isPaused(place, held)) return undefined;
    if (!call.replayable) {
      // It still tells that the next call needs a better token.
      void renew(call.subject, held).then(
        (better) => better && pauses.set(place, { held: better, from: now() }),
        () => {},
      );
      return leave(origin);
    }
    // Asked before the token is: none is fetched that this call could not use.
    if (!budget.take('invalid_token')) return undefined;
    return unlessAborted(renew(call.subject, held), call.signal).then((better) => {
      if (better === undefined) return undefined;
      if (better.token.accessToken !== held.token.accessToken) {
        return repeat(call, origin, 'invalid_token', () => true, better, true);
      }
      pauses.set(place, { held: better, from: now() });
      return undefined;
    });
  }

  /** The token to use instead; `undefined` if there is none to be had: then the refusal is the answer. */
  async function renew(subject: TokenSubject, refused: HeldToken): Promise<HeldToken | undefined> {
    try {
      return await source.renew(subject, refused);
    } catch (error) {
      if (isServiceAuthError(error)) return undefined;
      throw error;
    }
  }

  /** Only for the very token that was new and refused: any other may have been revoked meanwhile. */
  function isPaused(place: string, refused: HeldToken): boolean {
    const pause = pauses.get(place);
    if (pause === undefined || pause.held !== refused) return false;
    const age = now() - pause.from;
    return age >= 0 && age < FRUITLESS_PAUSE_MS;
  }

  return { credentials, concerns, again };
}

function waitFor<T>(work: MaybePromise<T>, signal: AbortSignal | undefined): MaybePromise<T> {
  return work instanceof Promise ? unlessAborted(work, signal) : work;
}
