/** What went wrong, as a stable word that programs may compare. */
export type ServiceAuthErrorCode =
  /** No target of `createAuthedFetch` covers the URL; nothing was sent. */
  | 'untrusted_target'
  /** A redirect led where the policy does not let the call follow. */
  | 'redirect_refused'
  /** The authorization server refused the token request; `oauthError` says why. */
  | 'token_request_rejected'
  /** The client's own credential could not be had: its source failed or gave nothing; no token was asked for. */
  | 'client_auth_failed'
  /** The authorization server's success answer is not a usable token response. */
  | 'token_response_invalid'
  /** A remote end could not be reached, or the connection broke. */
  | 'network_failed'
  /** A remote end did not answer within the deadline. */
  | 'timeout'
  /** A remote end answered with a status that gives no document. */
  | 'unexpected_status'
  /** A remote document is larger than allowed. */
  | 'response_too_large'
  /** A remote document is not what it should be. */
  | 'response_malformed'
  /** The issuer in the metadata is another than the one that was asked for. */
  | 'issuer_mismatch'
  /** A URL is neither https nor loopback. */
  | 'insecure_url'
  /** A token that is bound to a key was exchanged for one that is not, which is therefore not used. */
  | 'binding_lost'
  /** A target is called on somebody's behalf, and nobody was named. */
  | 'subject_missing'
  /** `invalidate` has no room left: every entry of the deny list is live. */
  | 'deny_list_full'
  /** The admin API of the issuer refused; `problem` says why. */
  | 'admin_refused'
  /** The verifier or client was closed. */
  | 'closed';

/** What an admin API answered (RFC 9457). */
export interface ProblemDetails {
  /** A stable word that programs may compare. */
  readonly code: string | undefined;
  readonly detail: string | undefined;
  /** What is wrong with the input: where, and which rule it breaks. */
  readonly errors: readonly { readonly path: string; readonly message: string }[];
}

/** What is known of a failure besides its code. */
export interface ServiceAuthErrorDetails {
  readonly status?: number | undefined;
  readonly oauthError?: string | undefined;
  readonly retryAfterMs?: number | undefined;
  readonly problem?: ProblemDetails | undefined;
}

/**
 * A failure at run time of something outside the caller's program.
 *
 * Mistakes in options are a `TypeError` at creation instead. Messages never hold a token or a secret,
 * and no foreign error is attached as `cause`, since such errors may quote bodies and headers.
 *
 * @example
 * ```ts
 * import { isServiceAuthError } from 'service-auth';
 *
 * export function describe(error: unknown): string {
 *   return isServiceAuthError(error) ? `${error.code} (HTTP ${error.status ?? '-'})` : 'unknown';
 * }
 * ```
 */
export class ServiceAuthError extends Error {
  override readonly name = 'ServiceAuthError';
  readonly code: ServiceAuthErrorCode;
  /** The HTTP status of the remote answer, where there was one. */
  readonly status: number | undefined;
  /** The OAuth error code of the remote answer (RFC 6749 section 5.2), where there was one. */
  readonly oauthError: string | undefined;
  /** How long to wait before asking again, in whole milliseconds: as the remote end asked, or as our back-off says. */
  readonly retryAfterMs: number | undefined;
  /** What an admin API answered, where it was one. */
  readonly problem: ProblemDetails | undefined;

  constructor(code: ServiceAuthErrorCode, message: string, details: ServiceAuthErrorDetails = {}) {
    super(message);
    this.code = code;
    this.status = details.status;
    this.oauthError = details.oauthError;
    this.retryAfterMs = details.retryAfterMs === undefined ? undefined : Math.ceil(details.retryAfterMs);
    this.problem = details.problem;
  }
}

/**
 * Tells whether a value is a `ServiceAuthError`, also one of another copy of this package.
 *
 * @example
 * ```ts
 * import { isServiceAuthError } from 'service-auth';
 *
 * export const isOutage = (error: unknown): boolean =>
 *   isServiceAuthError(error) && (error.code === 'network_failed' || error.code === 'timeout');
 * ```
 */
export function isServiceAuthError(value: unknown): value is ServiceAuthError {
  return value instanceof Error && value.name === 'ServiceAuthError' && 'code' in value;
}
