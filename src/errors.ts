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

/** Which mistake a `TypeError` of this package is about; `service-auth explain <code>` tells what to do about it. */
export const optionErrorCodes = [
  /** A value is not what the option takes. */
  'option_invalid',
  /** There is no option of this name. */
  'option_unknown',
  /** An option that is needed stands neither in the options nor in the environment. */
  'option_missing',
  /** An option is there without a value, as where a variable is not set. */
  'option_unset',
  /** An option stands in the wrong place. */
  'option_misplaced',
  /** Two options exclude each other, or one needs another. */
  'options_conflict',
  /** Neither the options nor the environment say for whom tokens must be. */
  'audience_missing',
  /** The issuer is no URL by which an issuer can be called. */
  'issuer_not_url',
  /** The issuer is on plain http, and not on this machine. */
  'issuer_not_https',
  /** The issuer is the URL of one of its documents, not its name. */
  'issuer_is_document',
  /** A URL is on plain http, and not on this machine. */
  'url_not_https',
  /** A secret is shorter than is safe. */
  'secret_too_short',
  /** A secret or key stands where it does not belong, or something else stands in its place. */
  'secret_misplaced',
  /** A call cannot be made as it was asked for. */
  'call_invalid',
] as const;

export type OptionErrorCode = (typeof optionErrorCodes)[number];

/** A mistake in options or arguments, found before anything was sent: a `TypeError` with a stable `code`. */
export interface OptionError extends TypeError {
  readonly code: OptionErrorCode;
}

/**
 * Makes the `TypeError` of a mistake, whose message ends with where to read about it; for adapters, too.
 *
 * @example
 * ```ts
 * import { optionError } from 'service-auth';
 *
 * export function requireName(name: unknown): string {
 *   if (typeof name === 'string') return name;
 *   throw optionError('option_invalid', 'myAdapter: name must be a string');
 * }
 * ```
 */
export function optionError(code: OptionErrorCode, message: string, options?: ErrorOptions): OptionError {
  const error = new TypeError(`${message} (npx service-auth explain ${code})`, options);
  return Object.assign(error, { code });
}

/**
 * Tells whether a value is the `TypeError` of a mistake in options, also one of another copy of this package.
 *
 * @example
 * ```ts
 * import { isOptionError } from 'service-auth';
 *
 * export const isMissing = (error: unknown): boolean =>
 *   isOptionError(error) && (error.code === 'option_missing' || error.code === 'audience_missing');
 * ```
 */
export function isOptionError(value: unknown): value is OptionError {
  if (!(value instanceof TypeError) || !('code' in value)) return false;
  return optionErrorCodes.some((code) => code === value.code);
}
