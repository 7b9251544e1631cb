/** Whether a bound token comes from whom it is bound to: a DPoP proof (RFC 9449), a TLS certificate (RFC 8705). */
import type { Emit } from '../events.ts';
import { accessTokenHash } from '../shared/dpop.ts';
import { Fault } from '../shared/fault.ts';
import { andThen, attempt, type MaybePromise } from '../shared/maybe-async.ts';
import type { ReplayStore } from '../shared/stores.ts';
import { UndecidedError } from '../shared/undecided.ts';
import type { Binding } from './binding.ts';
import type { Caller } from './caller.ts';
import type { CertificateCheck } from './certificate.ts';
import type { AuthRequest, Scheme } from './credentials.ts';
import type { DpopRules } from './dpop-options.ts';

/** The part of an accepted token that possession is proven of. */
export interface BoundToken {
  readonly caller: Caller;
  readonly binding: Binding | undefined;
  /** Filled at the first proof; every later one names the same hash. */
  accessTokenHash: string | undefined;
}

/** A proof that held, to be recorded once all else has. */
export interface UsedProof {
  readonly jkt: string;
  readonly jti: string;
  readonly expiresAt: number;
}

export interface SenderConstraint {
  /** Whether a token that is not bound may come under this scheme, which needs no further look. */
  allowsUnbound(scheme: Scheme): boolean;
  check(
    token: BoundToken,
    scheme: Scheme,
    request: AuthRequest | undefined,
  ): MaybePromise<Fault | UsedProof | undefined>;
  /**
   * Records a proof, as the very last check; a fault where it was used before (RFC 9449 section 11.1), unless by
   * this same request.
   */
  record(proof: UsedProof, caller: Caller, request: AuthRequest | undefined): MaybePromise<Fault | undefined>;
}

export interface SenderConstraintRules {
  /** `undefined` where DPoP is switched off. */
  readonly dpop: DpopRules | undefined;
  readonly checkCertificate: CertificateCheck;
  /** The URL that clients see. */
  readonly publicUrl: (request: AuthRequest) => string | undefined;
  readonly emit: Emit | undefined;
}

const STORE_RETRY_MS = 1000;

export function createSenderConstraint(rules: SenderConstraintRules): SenderConstraint {
  const { dpop, checkCertificate, publicUrl, emit } = rules;

  function check(
    token: BoundToken,
    scheme: Scheme,
    request: AuthRequest | undefined,
  ): MaybePromise<Fault | UsedProof | undefined> {
    const { binding, caller } = token;
    const jkt = binding?.jkt;
    const fault = checkScheme(jkt, scheme, caller);
    if (fault !== undefined) return fault;
    if (binding?.certificate === undefined) return checkProof(token, jkt, request);
    return andThen(
      checkCertificate(request, binding.certificate),
      (mismatch) => mismatch ?? checkProof(token, jkt, request),
    );
  }

  function checkScheme(jkt: string | undefined, scheme: Scheme, caller: Caller): Fault | undefined {
    const refuse = (reason: Fault['reason'], expected: string, actual: string): Fault =>
      new Fault('binding', reason, expected, actual, caller);
    if (jkt === undefined) {
      if (scheme === 'DPoP') return refuse('token_not_bound', 'a token with cnf.jkt', 'an unbound token');
      return dpop?.required
        ? refuse('token_not_bound', 'a token with cnf.jkt', 'an unbound token')
        : undefined;
    }
    if (dpop === undefined) return refuse('unsupported_binding', 'a token without cnf.jkt', 'cnf.jkt');
    // A stolen token would be worth something again if its binding could be left out (RFC 9449 section 7.2).
    return scheme === 'Bearer' ? refuse('bound_token_as_bearer', 'the DPoP scheme', 'Bearer') : undefined;
  }

  function checkProof(
    token: BoundToken,
    jkt: string | undefined,
    request: AuthRequest | undefined,
  ): MaybePromise<Fault | UsedProof | undefined> {
    if (jkt === undefined || dpop === undefined || request === undefined) return undefined;
    const { verifyProof } = dpop;
    return andThen(hashOf(token), (hash) =>
      verifyProof({
        proof: request.headers.get('dpop'),
        method: request.method,
        url: publicUrl(request),
        accessTokenHash: hash,
        jkt,
      }),
    );
  }

  function record(
    proof: UsedProof,
    caller: Caller,
    request: AuthRequest | undefined,
  ): MaybePromise<Fault | undefined> {
    if (dpop === undefined) return undefined;
    const { jkt, expiresAt } = proof;
    // It was young enough before its signature and the policy were waited for; the store forgets it when it is not.
    if (dpop.now() >= expiresAt) {
      return new Fault('proof', 'proof_too_old', `use before ${expiresAt}`, `${dpop.now()}`, caller);
    }
    return andThen(recordOnce(dpop.replayStore, proof, sourceOf(request)), (answer) => {
      if (answer === 'recorded') return undefined;
      const { issuer, clientId } = caller;
      if (answer !== 'replayed') {
        const details = { issuer, retryAfterMs: STORE_RETRY_MS };
        throw new UndecidedError('replay_store_unavailable', `the replay store is ${answer}`, details);
      }
      emit?.({ type: 'dpop.replay', issuer, clientId, jkt });
      return new Fault('proof', 'replayed_proof', 'a proof that was not used before', undefined, caller);
    });
  }

  return { allowsUnbound: (scheme) => scheme === 'Bearer' && dpop?.required !== true, check, record };
}

type Answer = Awaited<ReturnType<ReplayStore['record']>> | 'failed';

/** What a store said of the proof of a request. By store, since what one has recorded another has not. */
const answers = new WeakMap<ReplayStore, AnswersByRequest>();
type AnswersByRequest = WeakMap<object, { readonly proof: string; readonly answer: MaybePromise<Answer> }>;

/** Asks the store once for each request, however many guards judge it, one after another or at the same time. */
function recordOnce(store: ReplayStore, proof: UsedProof, source: object | undefined): MaybePromise<Answer> {
  const name = `${proof.jkt} ${proof.jti}`;
  const bySource: AnswersByRequest = answers.get(store) ?? new WeakMap();
  answers.set(store, bySource);
  const known = source && bySource.get(source);
  if (known?.proof === name) return known.answer;
  const answer = attempt(
    () => store.record(proof),
    () => 'failed' as const,
  );
  if (source !== undefined) bySource.set(source, { proof: name, answer });
  return answer;
}

/** A web `Request` is never used for another request; of what else may stand here nobody knows. */
function sourceOf(request: AuthRequest | undefined): object | undefined {
  return request?.source ?? (request instanceof Request ? request : undefined);
}

function hashOf(token: BoundToken): MaybePromise<string> {
  if (token.accessTokenHash !== undefined) return token.accessTokenHash;
  return andThen(accessTokenHash(token.caller.token), (hash) => {
    token.accessTokenHash = hash;
    return hash;
  });
}
