import type { CircuitState } from '../shared/circuit-breaker.ts';
import { Fault } from '../shared/fault.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import type { DocumentState } from '../shared/remote-document.ts';
import type { Caller } from './caller.ts';
import { type AuthRequest, areNone, readCredentials, type Scheme } from './credentials.ts';
import {
  type AuthOutcome,
  anonymous,
  closed,
  createOutcomes,
  type StartedAt,
  withNonce,
} from './outcomes.ts';
import { type CompiledPolicy, compilePolicy, type Policy } from './policy.ts';
import type { UsedProof } from './sender-constraint.ts';
import { type AcceptedToken, createTokenVerifier, type Invalidation } from './token-verifier.ts';
import { resolveRules, type VerifierOptions } from './verifier-options.ts';

/** Judges requests under one policy that was compiled before. */
export type Guard<C extends Caller | undefined = Caller | undefined> = (
  request: AuthRequest,
) => MaybePromise<AuthOutcome<C>>;

/** The caller under a policy: possibly undefined only where that may be `optional`. */
export type CallerOf<P> = true extends P['optional' & keyof P] ? Caller | undefined : Caller;
export type NoPolicy = Record<never, never>;

/** What a readiness probe may look at; made anew on each call. */
export interface VerifierHealth {
  readonly issuers: readonly {
    readonly issuer: string;
    /** The state of the fetched keys; undefined where keys are configured. */
    readonly keys: DocumentState | undefined;
    /** The circuit breaker of its introspection endpoint; undefined where nothing is introspected. */
    readonly introspection: CircuitState | undefined;
  }[];
  readonly cachedTokens: number;
}

/** How a token that came without a request is judged. */
export interface VerifyTokenOptions {
  readonly policy?: Policy | undefined;
  /** How the token was presented. @default 'Bearer' */
  readonly scheme?: Scheme | undefined;
}

/** Verifies access tokens of requests. Made by {@link createVerifier}. */
export interface Verifier {
  /**
   * Judges one request. Synchronous when everything needed is in memory, save on Node for new signatures of a burst:
   * those wait for the thread pool. The policy is compiled on each call.
   */
  authenticate<P extends Policy = NoPolicy>(
    request: AuthRequest,
    policy?: P,
  ): MaybePromise<AuthOutcome<CallerOf<P>>>;
  /** Compiles a policy once, for all requests of a route. */
  guard<P extends Policy = NoPolicy>(policy?: P): Guard<CallerOf<P>>;
  /**
   * Judges a token that came without a request, from a queue or a WebSocket for example.
   *
   * Not checked: possession of the key that a DPoP token is bound to. Such a token is refused unless `scheme` is
   * `'DPoP'`, by which the program says that it has seen a proof itself. Tokens bound to a certificate are refused.
   */
  verifyToken(token: string, options?: VerifyTokenOptions): MaybePromise<AuthOutcome<Caller>>;
  /** Fetches metadata and keys of every issuer, so that the first request need not wait. Rejects if one fails. */
  ready(): Promise<void>;
  /** The state of every issuer's keys and introspection endpoint, and how many tokens are cached. */
  health(): VerifierHealth;
  /**
   * Refuses a token from now on: it itself, by its `jti`, or all that a client was issued up to now.
   *
   * Known to this verifier alone; other instances must be told too, by `createRedisInvalidations` of
   * `service-auth/redis` for example, or with the `tokenKey` of a token in its place. Lasts until the token expires, or for a day
   * where its expiry is not known.
   *
   * @throws ServiceAuthError `deny_list_full`
   */
  invalidate(what: Invalidation): void;
  /** Forgets cached tokens; every later request is answered with 503. */
  close(): void;
}

/**
 * Makes a verifier of access tokens: signature by the issuer's keys or introspection, issuer, audience, times, kind,
 * binding to a key or certificate, status, and policy.
 *
 * Not checked: revocation of JWTs, unless `statusList` or introspection of all tokens is asked for, and whether the
 * caller's network place is what it should be. RFC 6750, RFC 7519, RFC 7662, RFC 8705, RFC 8725, RFC 9068, RFC 9449.
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
 *   // Where nonces are asked for, every answer brings one.
 *   return Response.json({ hello: outcome.caller.clientId }, { headers: outcome.headers ?? {} });
 * }
 * ```
 */
export function createVerifier(options: VerifierOptions = {}): Verifier {
  const rules = resolveRules(options);
  const { cache, constraint, nonces } = rules;
  const tokens = createTokenVerifier(rules);
  const outcomes = createOutcomes(rules.challenges, rules.emit, rules.now);
  const isObserved = rules.emit !== undefined;
  const takesDpop = rules.challenges.schemes.includes('DPoP');
  const issuers = new Set(rules.issuers.keys());
  const compile = (policy: Policy): CompiledPolicy => compilePolicy(policy, issuers, takesDpop);
  const anyCaller = compile({});
  let isClosed = false;

  function authorize(request: AuthRequest, policy: CompiledPolicy): MaybePromise<AuthOutcome> {
    const outcome = readRequest(request, policy);
    if (nonces === undefined) return outcome;
    return andThen(outcome, (given) => andThen(nonces.current(), (nonce) => withNonce(given, nonce)));
  }

  function readRequest(request: AuthRequest, policy: CompiledPolicy): MaybePromise<AuthOutcome> {
    const credentials = readCredentials(request.headers.get('authorization'), takesDpop);
    if (credentials === undefined || credentials instanceof Fault) {
      if (policy.optional && areNone(credentials)) return anonymous;
      const fault = credentials ?? new Fault('credentials', 'no_credentials', 'an Authorization header');
      return outcomes.rejected(fault, policy, undefined, undefined);
    }
    const { scheme, token } = credentials;
    const since = tokens.invalidations();
    return verifyPresented({ token, scheme, policy, request, since, startedAt: undefined });
  }

  /** The one corridor of every token: verified (or found verified), its binding proven, then judged by the policy. */
  function verifyPresented(presented: Presented): MaybePromise<AuthOutcome> {
    try {
      if (isClosed) return outcomes.undecided(closed(), undefined);
      const known = tokens.find(presented.token);
      // Not for what takes microseconds: reading the clock is a measurable share of that.
      if (isObserved && needsTime(known)) presented.startedAt = performance.now();
      const outcome =
        known !== undefined
          ? proveBinding(known, presented, true)
          : andThen(tokens.verify(presented.token), (result) => proveBinding(result, presented, false));
      return outcome instanceof Promise
        ? outcome.catch((error) => outcomes.undecided(error, presented.startedAt))
        : outcome;
    } catch (error) {
      return outcomes.undecided(error, presented.startedAt);
    }
  }

  function proveBinding(
    result: AcceptedToken | Fault,
    presented: Presented,
    cached: boolean,
  ): MaybePromise<AuthOutcome> {
    const { policy, scheme, request, startedAt } = presented;
    if (result instanceof Fault) return outcomes.rejected(result, policy, scheme, startedAt);
    const { binding, status } = result;
    // The path of nearly every request: nothing is bound and nothing has a status.
    if (binding === undefined && status === undefined && constraint.allowsUnbound(scheme)) {
      return applyPolicy(result, presented, cached, undefined);
    }
    return andThen(status?.judge(), (fault) => {
      if (fault !== undefined) return outcomes.rejected(fault, policy, scheme, startedAt);
      return andThen(constraint.check(result, scheme, request), (proof) =>
        proof instanceof Fault
          ? outcomes.rejected(proof, policy, scheme, startedAt)
          : applyPolicy(result, presented, cached, proof),
      );
    });
  }

  /** The policy, and last of all the proof's record: a proof that was not good enough is not used up. */
  function applyPolicy(
    accepted: AcceptedToken,
    presented: Presented,
    cached: boolean,
    proof: UsedProof | undefined,
  ): MaybePromise<AuthOutcome> {
    const { policy, scheme, request, startedAt } = presented;
    const { caller } = accepted;
    const fault = policy.judge(caller, request);
    if (fault === undefined && proof === undefined) return accept(accepted, presented, cached);
    return andThen(fault, (late) => {
      if (late !== undefined) return outcomes.rejected(late, policy, scheme, startedAt);
      if (proof === undefined) return accept(accepted, presented, cached);
      return andThen(constraint.record(proof, caller, request), (replayed) =>
        replayed === undefined
          ? accept(accepted, presented, cached)
          : outcomes.rejected(replayed, policy, scheme, startedAt),
      );
    });
  }

  /** While something was waited for, the token may have been taken back, or the verifier closed. */
  function accept(accepted: AcceptedToken, presented: Presented, cached: boolean): AuthOutcome {
    const { since, token, policy, scheme, startedAt } = presented;
    if (isClosed) {
      cache?.clear();
      return outcomes.undecided(closed(), startedAt);
    }
    const fault = tokens.invalidations() === since ? undefined : tokens.recheck(accepted, token);
    if (fault !== undefined) return outcomes.rejected(fault, policy, scheme, startedAt);
    return outcomes.accepted(accepted.outcome, cached, startedAt);
  }

  // The casts give back what `optional` decides at run time: only such a policy lets a request pass without caller.
  return Object.freeze({
    authenticate: (request, policy) => authorize(request, policy === undefined ? anyCaller : compile(policy)),
    guard: (policy) => {
      const compiled = policy === undefined ? anyCaller : compile(policy);
      return (request) => authorize(request, compiled);
    },
    verifyToken: (token, { policy, scheme = 'Bearer' } = {}) => {
      const compiled = policy === undefined ? anyCaller : compile(policy);
      // What comes from a queue may be anything.
      if (typeof token !== 'string') {
        const fault = new Fault('credentials', 'malformed_credentials', 'a token as a string', typeof token);
        return outcomes.rejected(fault, compiled, scheme, undefined);
      }
      const since = tokens.invalidations();
      const presented = { token, scheme, policy: compiled, request: undefined, since, startedAt: undefined };
      return verifyPresented(presented);
    },
    async ready() {
      // Async, so that what one throws at once leaves no rejection of another without a listener.
      await Promise.all([...rules.issuers.values()].map(async (issuer) => issuer.load()));
    },
    health: () => ({
      issuers: [...rules.issuers.values()].map(({ issuer, keys, introspector }) => ({
        issuer,
        keys: keys.state(),
        introspection: introspector?.state(),
      })),
      cachedTokens: cache?.size ?? 0,
    }),
    invalidate: tokens.invalidate,
    close() {
      isClosed = true;
      cache?.clear();
    },
  } as Verifier);
}

/** A token as it came, and what is asked of it. */
interface Presented {
  readonly token: string;
  readonly scheme: Scheme;
  readonly policy: CompiledPolicy;
  readonly request: AuthRequest | undefined;
  /** How often something had been invalidated when it came. */
  readonly since: number;
  startedAt: StartedAt;
}

/** Whether more is asked than memory. */
function needsTime(known: AcceptedToken | Fault | undefined): boolean {
  if (known === undefined) return true;
  return !(known instanceof Fault) && (known.binding !== undefined || known.status !== undefined);
}
