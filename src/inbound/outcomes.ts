/** What a request is answered with, and what listeners hear about it. */
import type { Emit } from '../events.ts';
import type { Fault } from '../shared/fault.ts';
import { asUndecided, UndecidedError } from '../shared/undecided.ts';
import type { Caller } from './caller.ts';
import { type ChallengeOptions, type Rejection, rejectionOf, undecided } from './challenge.ts';
import type { Scheme } from './credentials.ts';
import type { CompiledPolicy } from './policy.ts';
import { createRejectionHints } from './rejection-hints.ts';

/**
 * Let in, with the caller; turned away with an answer. `caller` is undefined only where a policy is `optional`.
 * `headers` are to be set on the answer of a request that was let in; absent where there are none.
 */
export type AuthOutcome<C extends Caller | undefined = Caller | undefined> =
  | { readonly ok: true; readonly caller: C; readonly headers?: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly rejection: Rejection };

/** What an accepted request is answered with; one object serves every request of its token. */
export interface AcceptedOutcome {
  readonly ok: true;
  readonly caller: Caller;
}

export interface Outcomes {
  accepted(outcome: AcceptedOutcome, cached: boolean, startedAt: StartedAt): AuthOutcome;
  /** 400, 401 or 403; the error stands in the challenge of the scheme that was used. */
  rejected(
    fault: Fault,
    policy: CompiledPolicy,
    scheme: Scheme | undefined,
    startedAt: StartedAt,
  ): AuthOutcome;
  /** 503, whatever was thrown: what broke on our side or the issuer's is no fault of the token. */
  undecided(error: unknown, startedAt: StartedAt): AuthOutcome;
}

/** By `performance.now()`, which is finer than the clock; undefined where that is not measured. */
export type StartedAt = number | undefined;

const UNDECIDED_RETRY_MS = 1000;

export function createOutcomes(
  challenges: ChallengeOptions,
  emit: Emit | undefined,
  now: () => number,
): Outcomes {
  const hintOf = createRejectionHints(now);
  return {
    accepted(outcome, cached, startedAt) {
      const { issuer, clientId } = outcome.caller;
      emit?.({ type: 'request.accepted', issuer, clientId, cached, durationMs: since(startedAt) });
      return outcome;
    },

    rejected(fault, policy, scheme, startedAt) {
      const rejection = rejectionOf(fault, challenges, policy.scope, scheme);
      const { step, reason, expected, actual, about } = fault;
      const { status } = rejection;
      const subject = { issuer: about?.issuer, clientId: about?.clientId };
      const durationMs = since(startedAt);
      emit?.({
        type: 'request.rejected',
        reason,
        status,
        step,
        expected,
        actual,
        hint: hintOf(fault),
        ...subject,
        durationMs,
      });
      return { ok: false, rejection };
    },

    undecided(error, startedAt) {
      const {
        reason,
        issuer,
        message,
        retryAfterMs = UNDECIDED_RETRY_MS,
      } = asUndecided(error, 'keys_unavailable', undefined);
      const durationMs = since(startedAt);
      emit?.({ type: 'request.undecided', reason, issuer, retryAfterMs, message, durationMs });
      return { ok: false, rejection: undecided(reason, retryAfterMs) };
    },
  };
}

function since(startedAt: StartedAt): number | undefined {
  return startedAt === undefined ? undefined : performance.now() - startedAt;
}

export const closed = (): UndecidedError => new UndecidedError('closed', 'the verifier is closed');

/** The outcome of an `optional` policy where no credentials came. */
export const anonymous: AuthOutcome = Object.freeze({ ok: true, caller: undefined });

/** Every answer brings a nonce for the next proof (RFC 9449 section 9). */
export function withNonce(outcome: AuthOutcome, nonce: string): AuthOutcome {
  const added = { 'DPoP-Nonce': nonce };
  if (outcome.ok) return { ...outcome, headers: added };
  const headers = Object.freeze({ ...outcome.rejection.headers, ...added });
  return { ok: false, rejection: Object.freeze({ ...outcome.rejection, headers }) };
}
