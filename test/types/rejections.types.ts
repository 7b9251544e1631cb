/** Compiled, never run: why requests were refused or not decided, each reason once, and the answers to them. */
import type {
  AuthOutcome,
  Caller,
  HttpAnswer,
  Rejection,
  RejectionDetail,
  RejectionReason,
  RejectionStep,
  UndecidedReason,
} from 'service-auth';
import type { Equal } from './equal.ts';

/** A reason that is new, or gone, stops this function. */
export function stationOf(reason: RejectionReason | UndecidedReason): string {
  switch (reason) {
    case 'no_credentials':
    case 'unsupported_scheme':
    case 'malformed_credentials':
    case 'token_too_large':
      return 'credentials';
    case 'malformed_token':
    case 'unsupported_crit':
    case 'algorithm_not_allowed':
    case 'wrong_typ':
    case 'unknown_issuer':
    case 'unknown_key':
    case 'bad_signature':
      return 'token';
    case 'expired':
    case 'not_yet_valid':
    case 'issued_in_future':
    case 'too_old':
    case 'invalid_claim':
    case 'wrong_audience':
    case 'wrong_token_kind':
    case 'inactive_token':
    case 'invalidated':
    case 'status_not_valid':
    case 'status_out_of_range':
      return 'claims';
    case 'unsupported_binding':
    case 'bound_token_as_bearer':
    case 'token_not_bound':
    case 'missing_certificate':
    case 'certificate_mismatch':
      return 'binding';
    case 'missing_proof':
    case 'malformed_proof':
    case 'proof_algorithm_not_allowed':
    case 'proof_key_mismatch':
    case 'bad_proof_signature':
    case 'proof_method_mismatch':
    case 'proof_url_mismatch':
    case 'proof_token_mismatch':
    case 'proof_too_old':
    case 'proof_in_future':
    case 'missing_nonce':
    case 'wrong_nonce':
    case 'replayed_proof':
      return 'proof';
    case 'insufficient_scope':
    case 'client_not_allowed':
    case 'actor_not_allowed':
    case 'service_only':
    case 'check_refused':
      return 'policy';
    case 'keys_unavailable':
    case 'introspection_unavailable':
    case 'status_unavailable':
    case 'replay_store_unavailable':
    case 'overloaded':
    case 'check_failed':
    case 'closed':
      return 'undecided';
    default:
      return reason satisfies never;
  }
}

/** Every station of the way. */
export function isPastSignature(step: RejectionStep): boolean {
  switch (step) {
    case 'credentials':
    case 'token':
    case 'key':
    case 'signature':
    case 'introspection':
      return false;
    case 'claims':
    case 'status':
    case 'binding':
    case 'proof':
    case 'certificate':
    case 'policy':
      return true;
    default:
      return step satisfies never;
  }
}

const detail: RejectionDetail = { step: 'undecided', expected: undefined, actual: undefined };
// A literal needs every member, and may have no other.
export const rejection: Rejection = {
  status: 503,
  error: undefined,
  description: 'The keys are out of reach',
  reason: 'keys_unavailable',
  headers: { 'Retry-After': '1' },
  body: '{}',
  detail,
};
export const answers: readonly HttpAnswer[] = [rejection];
export const statuses: Equal<HttpAnswer['status'], 200 | 400 | 401 | 403 | 405 | 503> = true;
export const members: Equal<keyof HttpAnswer, 'status' | 'headers' | 'body'> = true;

/** Every status of a refusal. */
export function adviceOn({ status, error, reason, detail }: Rejection): string | undefined {
  switch (status) {
    case 400:
    case 401:
      // @ts-expect-error: a status that no refusal has
      return status === 404 ? undefined : error;
    case 403:
      // @ts-expect-error: not every refusal has an expectation
      return detail.expected.trim();
    case 503:
      return stationOf(reason);
    default:
      return status satisfies never;
  }
}

export function change(refused: Rejection): void {
  // @ts-expect-error: a rejection cannot be changed
  refused.status = 401;
  // @ts-expect-error: nor its headers
  refused.headers['WWW-Authenticate'] = 'Bearer';
  // @ts-expect-error: nor what is told of it
  refused.detail.expected = 'everything';
  // @ts-expect-error: an error code is absent where no credentials came
  refused.error.length;
}

/** What a frameworkless server does with an outcome. */
export function respond(outcome: AuthOutcome<Caller>): Response {
  // @ts-expect-error: a caller is there only if the outcome is ok
  outcome.caller;
  if (!outcome.ok) {
    const { status, headers, body } = outcome.rejection;
    return new Response(body, { status, headers });
  }
  // @ts-expect-error: headers are there only where the answer needs some
  outcome.headers['DPoP-Nonce'];
  return new Response(outcome.caller.clientId ?? '', { headers: { ...outcome.headers } });
}
// @ts-expect-error: an outcome of which nothing is said may have no caller
export const sure: AuthOutcome<Caller> = {} as AuthOutcome;
export const unsure: AuthOutcome = {} as AuthOutcome<Caller>;
