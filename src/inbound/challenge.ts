/** Rejections as HTTP answers: the only place that knows what RFC 6750, RFC 9449 and RFC 9728 say about them. */
import type { RejectionReason, RejectionStep, UndecidedReason } from '../events.ts';
import type { Fault } from '../shared/fault.ts';
import type { Scheme } from './credentials.ts';

/** What an adapter writes in place of the handler. */
export interface HttpAnswer {
  readonly status: 200 | 400 | 401 | 403 | 405 | 503;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An answer to send instead of running the handler. What callers see is generic; `reason` and `detail` are for logs. */
export interface Rejection extends HttpAnswer {
  readonly status: 400 | 401 | 403 | 503;
  /** The OAuth error code; absent when no credentials came (RFC 6750 section 3.1). */
  readonly error: string | undefined;
  readonly description: string;
  readonly reason: RejectionReason | UndecidedReason;
  /** `WWW-Authenticate` or `Retry-After`, `Content-Type` and `Cache-Control`. */
  readonly headers: Readonly<Record<string, string>>;
  /** JSON text of `error` and `error_description`. */
  readonly body: string;
  readonly detail: RejectionDetail;
}

/** Why a request was turned away, for logs; never a token, a secret or a key. */
export interface RejectionDetail {
  readonly step: RejectionStep | 'undecided';
  readonly expected: string | undefined;
  readonly actual: string | undefined;
}

export interface ChallengeOptions {
  readonly realm: string | undefined;
  /** The URL of the protected resource metadata (RFC 9728 section 5.1). */
  readonly resourceMetadata: string | undefined;
  /** The schemes that are taken, in the order of the challenges. */
  readonly schemes: readonly Scheme[];
  /** `algs` of the DPoP challenge (RFC 9449 section 7.1). */
  readonly proofAlgorithms: readonly string[];
}

interface Answer {
  readonly status: 400 | 401 | 403;
  readonly error: string | undefined;
  readonly description: string;
}

const noCredentials: Answer = {
  status: 401,
  error: undefined,
  description: 'This request needs an access token',
};
const invalidRequest: Answer = {
  status: 400,
  error: 'invalid_request',
  description: 'The credentials of this request are malformed',
};
const invalidToken: Answer = {
  status: 401,
  error: 'invalid_token',
  description: 'The access token is not valid here',
};
const insufficientScope: Answer = {
  status: 403,
  error: 'insufficient_scope',
  description: 'The access token does not permit this request',
};

const invalidProof: Answer = {
  status: 401,
  error: 'invalid_dpop_proof',
  description: 'The DPoP proof is not valid for this request',
};
const useNonce: Answer = {
  status: 401,
  error: 'use_dpop_nonce',
  description: 'The DPoP proof needs the nonce of this answer',
};

/** Every reason that is not here is a fault of the token itself. */
const answers: Partial<Record<RejectionReason, Answer>> = {
  no_credentials: noCredentials,
  unsupported_scheme: noCredentials,
  malformed_credentials: invalidRequest,
  insufficient_scope: insufficientScope,
  client_not_allowed: insufficientScope,
  actor_not_allowed: insufficientScope,
  service_only: insufficientScope,
  check_refused: insufficientScope,
  missing_proof: invalidProof,
  malformed_proof: invalidProof,
  proof_algorithm_not_allowed: invalidProof,
  proof_key_mismatch: invalidProof,
  bad_proof_signature: invalidProof,
  proof_method_mismatch: invalidProof,
  proof_url_mismatch: invalidProof,
  proof_token_mismatch: invalidProof,
  proof_too_old: invalidProof,
  proof_in_future: invalidProof,
  missing_nonce: useNonce,
  wrong_nonce: useNonce,
  replayed_proof: invalidProof,
};

/**
 * The answer to a request that is not authorised: 400, 401 or 403 with a challenge for every scheme that is taken.
 *
 * The error stands in the challenge of the scheme that the request used.
 */
export function rejectionOf(
  fault: Fault,
  options: ChallengeOptions,
  scope: string | undefined,
  used: Scheme | undefined,
): Rejection {
  const { status, error, description } = answers[fault.reason] ?? invalidToken;
  const { schemes } = options;
  const about = used !== undefined && schemes.includes(used) ? used : schemes[0];
  const challenges = schemes.map((scheme) =>
    challenge(scheme, options, [
      ...(scheme === about ? parameter('error', error) : []),
      ...(scheme === about ? parameter('error_description', error && description) : []),
      ...(scheme === about && status === 403 ? parameter('scope', scope) : []),
    ]),
  );
  return Object.freeze({
    status,
    error,
    description,
    reason: fault.reason,
    headers: Object.freeze({
      'WWW-Authenticate': challenges.join(', '),
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
    }),
    body: JSON.stringify({ error, error_description: description }),
    detail: Object.freeze({ step: fault.step, expected: fault.expected, actual: fault.actual }),
  });
}

function challenge(scheme: Scheme, options: ChallengeOptions, parameters: readonly string[]): string {
  const all = [
    ...parameter('realm', options.realm),
    ...parameters,
    ...(scheme === 'DPoP' ? parameter('algs', options.proofAlgorithms.join(' ')) : []),
    ...parameter('resource_metadata', options.resourceMetadata),
  ];
  return all.length === 0 ? scheme : `${scheme} ${all.join(', ')}`;
}

/** The answer to a request that cannot be decided: 503, never 401, since the token may be good. */
export function undecided(reason: UndecidedReason, retryAfterMs: number): Rejection {
  const error = 'temporarily_unavailable';
  const description = 'The access token cannot be verified at the moment';
  return Object.freeze({
    status: 503,
    error,
    description,
    reason,
    headers: Object.freeze({
      'Retry-After': String(Math.max(1, Math.ceil(retryAfterMs / 1000))),
      'Content-Type': 'application/json',
      'Cache-Control': 'no-store',
    }),
    body: JSON.stringify({ error, error_description: description }),
    detail: Object.freeze({ step: 'undecided', expected: undefined, actual: undefined }),
  });
}

/** One auth-param with a quoted-string (RFC 9110 section 11.2 and 5.6.4). */
function parameter(name: string, value: string | undefined): readonly string[] {
  if (value === undefined) return [];
  return [`${name}="${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`];
}
