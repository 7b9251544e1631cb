import { isServiceAuthError } from '../errors.ts';
import type { UndecidedReason } from '../events.ts';
import { Fault } from '../shared/fault.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import type { DocumentState } from '../shared/remote-document.ts';
import type { Caller } from './caller.ts';
import { type Rejection, rejectionOf, undecided } from './challenge.ts';
import { checkTimes, usableUntilMs } from './claims.ts';
import { type AuthRequest, checkLength, checkSpelling, readCredentials } from './credentials.ts';
import { createJwtVerifier, type VerifiedToken } from './jwt.ts';
import { CheckError, type CompiledPolicy, compilePolicy, type Policy } from './policy.ts';
import {
  type AcceptedOutcome,
  type AcceptedToken,
  resolveRules,
  type VerifierOptions,
} from './verifier-options.ts';

/** Let in, with the caller; turned away with an answer. `caller` is undefined only where a policy is `optional`. */
export type AuthOutcome<C extends Caller | undefined = Caller | undefined> =
  | { readonly ok: true; readonly caller: C; readonly headers?: Readonly<Record<string, string>> }
  | { readonly ok: false; readonly rejection: Rejection };

/** Judges requests under one policy that was compiled before. */
export type Guard<C extends Caller | undefined = Caller | undefined> = (
  request: AuthRequest,
) => MaybePromise<AuthOutcome<C>>;

/** Possibly undefined only where the policy may be `optional`. */
type CallerOf<P> = true extends P['optional' & keyof P] ? Caller | undefined : Caller;
type NoPolicy = Record<never, never>;

export interface VerifierHealth {
  readonly issuers: readonly {
    readonly issuer: string;
    /** The state of the fetched keys; undefined where keys are configured. */
    readonly keys: DocumentState | undefined;
  }[];
  readonly cachedTokens: number;
}

/** Verifies access tokens of requests. Made by {@link createVerifier}. */
export interface Verifier {
  /** Judges one request. Synchronous when everything needed is in memory. The policy is compiled on each call. */
  authenticate<P extends Policy = NoPolicy>(
    request: AuthRequest,
    policy?: P,
  ): MaybePromise<AuthOutcome<CallerOf<P>>>;
  /** Compiles a policy once, for all requests of a route. */
  guard<P extends Policy = NoPolicy>(policy?: P): Guard<CallerOf<P>>;
  /** Judges a token that came without a request, from a queue or a WebSocket for example. */
  verifyToken(token: string, options?: { readonly policy?: Policy }): MaybePromise<AuthOutcome<Caller>>;
  /** Fetches metadata and keys of every issuer, so that the first request need not wait. Rejects if one fails. */
  ready(): Promise<void>;
  health(): VerifierHealth;
  /** Forgets cached tokens; every later request is answered with 503. */
  close(): void;
}

const UNDECIDED_RETRY_MS = 1000;

/**
 * Makes a verifier of access tokens: signature by the issuer's keys, issuer, audience, times, kind, and policy.
 *
 * Not checked: revocation, and whether the caller's network place is what it should be. Tokens that are bound
 * to a key (`cnf`) are refused. RFC 6750, RFC 7519, RFC 8725, RFC 9068.
 *
 * @throws TypeError that names the option, the rule and the value, for every mistake in the options.
 *
 * @example
 * ```ts
 * import { createVerifier } from 'service-auth';
 *
 * const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 * });
 *
 * export async function handle(request: Request): Promise<Response> {
 *   const outcome = await verifier.authenticate(request, { scope: 'orders:read' });
 *   if (!outcome.ok) {
 *     const { status, headers, body } = outcome.rejection;
 *     return new Response(body, { status, headers });
 *   }
 *   return Response.json({ hello: outcome.caller.clientId });
 * }
 * ```
 */
export function createVerifier(options: VerifierOptions = {}): Verifier {
  const rules = resolveRules(options);
  const { emit, now, realm, cache } = rules;
  const verifyJwt = createJwtVerifier(rules);
  const anyCaller = compilePolicy({}, 'createVerifier');
  let closed = false;

  function authorize(request: AuthRequest, policy: CompiledPolicy): MaybePromise<AuthOutcome> {
    const token = readCredentials(request.headers.get('authorization'));
    if (typeof token === 'string') return decide(token, policy, request);
    if (policy.optional && (token === undefined || token.reason === 'unsupported_scheme')) return anonymous;
    return reject(token ?? new Fault('credentials', 'no_credentials', 'an Authorization header'), policy);
  }

  /** The one corridor of every token: verified (or found verified), then judged by the policy. */
  function decide(
    token: string,
    policy: CompiledPolicy,
    request: AuthRequest | undefined,
  ): MaybePromise<AuthOutcome> {
    try {
      if (closed) return undecidable('closed', undefined);
      const known = cache?.get(token);
      const outcome =
        known !== undefined && !known.key.retired
          ? judge(stillValid(known), policy, request, true)
          : andThen(verifyNew(token), (result) => judge(result, policy, request, false));
      return outcome instanceof Promise ? outcome.catch(failed) : outcome;
    } catch (error) {
      return failed(error);
    }
  }

  function verifyNew(token: string): MaybePromise<AcceptedToken | Fault> {
    const tooLarge = checkLength(token);
    if (tooLarge !== undefined) return tooLarge;
    return andThen(verifyJwt(token), (result) => {
      // A token that is no JWT may be no token at all: then the request is malformed, not the token invalid.
      if (result instanceof Fault) {
        return result.reason === 'malformed_token' ? (checkSpelling(token) ?? result) : result;
      }
      const accepted = acceptedToken(result, usableUntilMs(result.caller, rules));
      cache?.set(token, accepted);
      return accepted;
    });
  }

  function stillValid(known: AcceptedToken): AcceptedToken | Fault {
    const time = now();
    return time < known.usableUntilMs ? known : (checkTimes(known.outcome.caller, rules, time) ?? known);
  }

  function judge(
    result: AcceptedToken | Fault,
    policy: CompiledPolicy,
    request: AuthRequest | undefined,
    cached: boolean,
  ): MaybePromise<AuthOutcome> {
    if (result instanceof Fault) return reject(result, policy);
    const { outcome } = result;
    const fault = policy.judge(outcome.caller, request);
    // Spelt out rather than chained: this is the path of nearly every request.
    if (fault === undefined) return accept(outcome, cached);
    return andThen(fault, (late) => (late === undefined ? accept(outcome, cached) : reject(late, policy)));
  }

  function accept(outcome: AcceptedOutcome, cached: boolean): AuthOutcome {
    const { issuer, clientId } = outcome.caller;
    emit?.({ type: 'request.accepted', issuer, clientId, cached });
    return outcome;
  }

  function reject(fault: Fault, policy: CompiledPolicy): AuthOutcome {
    const rejection = rejectionOf(fault, { realm }, policy.scope);
    const { step, reason, expected, actual, about } = fault;
    const { status } = rejection;
    const subject = { issuer: about?.issuer, clientId: about?.clientId };
    emit?.({ type: 'request.rejected', reason, status, step, expected, actual, ...subject });
    return { ok: false, rejection };
  }

  function failed(error: unknown): AuthOutcome {
    if (error instanceof CheckError) return undecidable('check_failed', error.message);
    if (!isServiceAuthError(error)) return undecidable('keys_unavailable', 'unexpected failure');
    return undecidable('keys_unavailable', `${error.code}: ${error.message}`, error.retryAfterMs);
  }

  function undecidable(
    reason: UndecidedReason,
    message = 'the verifier is closed',
    retryAfterMs = UNDECIDED_RETRY_MS,
  ): AuthOutcome {
    emit?.({ type: 'request.undecided', reason, issuer: undefined, retryAfterMs, message });
    return { ok: false, rejection: undecided(reason, retryAfterMs) };
  }

  // The casts give back what `optional` decides at run time: only such a policy lets a request pass without caller.
  return Object.freeze({
    authenticate: (request, policy) =>
      authorize(request, policy === undefined ? anyCaller : compilePolicy(policy, 'authenticate')),
    guard: (policy) => {
      const compiled = policy === undefined ? anyCaller : compilePolicy(policy, 'guard');
      return (request) => authorize(request, compiled);
    },
    verifyToken: (token, { policy } = {}) =>
      decide(token, policy === undefined ? anyCaller : compilePolicy(policy, 'verifyToken'), undefined),
    async ready() {
      await Promise.all([...rules.issuers.values()].map(({ keys }) => keys.load()));
    },
    health: () => ({
      issuers: [...rules.issuers.values()].map(({ issuer, keys }) => ({ issuer, keys: keys.state() })),
      cachedTokens: cache?.size ?? 0,
    }),
    close() {
      closed = true;
      cache?.clear();
    },
  } as Verifier);
}

const anonymous: AuthOutcome = Object.freeze({ ok: true, caller: undefined });

function acceptedToken({ caller, key }: VerifiedToken, usableUntilMs: number): AcceptedToken {
  return { outcome: Object.freeze({ ok: true, caller }), key, usableUntilMs };
}
