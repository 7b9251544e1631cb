/** Compiled, never run: failures of calls and mistakes in options, as programs tell them apart. */
import {
  isOptionError,
  isServiceAuthError,
  type OptionError,
  type OptionErrorCode,
  optionError,
  type ProblemDetails,
  ServiceAuthError,
  type ServiceAuthErrorCode,
  type ServiceAuthErrorDetails,
} from 'service-auth';

/** Every code of a failure: one that is new, or gone, stops this function. */
export function adviceOn(code: ServiceAuthErrorCode): 'wait' | 'configure' | 'report' {
  switch (code) {
    case 'network_failed':
    case 'timeout':
    case 'unexpected_status':
    case 'deny_list_full':
      return 'wait';
    case 'untrusted_target':
    case 'redirect_refused':
    case 'token_request_rejected':
    case 'client_auth_failed':
    case 'issuer_mismatch':
    case 'insecure_url':
    case 'subject_missing':
    case 'admin_refused':
      return 'configure';
    case 'token_response_invalid':
    case 'response_too_large':
    case 'response_malformed':
    case 'binding_lost':
    case 'closed':
      return 'report';
    default:
      return code satisfies never;
  }
}

/** Every code of a mistake. */
export function kindOf(code: OptionErrorCode): 'option' | 'value' | 'call' {
  switch (code) {
    case 'option_unknown':
    case 'option_missing':
    case 'option_unset':
    case 'option_misplaced':
    case 'options_conflict':
    case 'audience_missing':
      return 'option';
    case 'option_invalid':
    case 'issuer_not_url':
    case 'issuer_not_https':
    case 'issuer_is_document':
    case 'url_not_https':
    case 'secret_too_short':
    case 'secret_misplaced':
      return 'value';
    case 'call_invalid':
      return 'call';
    default:
      return code satisfies never;
  }
}

// Literals need every member there is, and may have no other.
const problem: ProblemDetails = {
  code: 'unknown_resource',
  detail: undefined,
  errors: [{ path: 'resources/0', message: 'must be registered' }],
};
const details: Required<ServiceAuthErrorDetails> = {
  status: 503,
  oauthError: 'temporarily_unavailable',
  retryAfterMs: 1000,
  problem,
};
export const failure: Error = new ServiceAuthError('unexpected_status', 'The issuer answered 503', details);
export const bare = new ServiceAuthError('closed', 'The client was closed');
export const name: 'ServiceAuthError' = bare.name;
// @ts-expect-error: no code of ours
new ServiceAuthError('ECONNREFUSED', 'The issuer cannot be reached');
// @ts-expect-error: a message is needed
new ServiceAuthError('closed');
// @ts-expect-error: foreign errors may quote bodies, so there is no cause
new ServiceAuthError('closed', 'The client was closed', { cause: new Error('foreign') });
// @ts-expect-error: the wait is in milliseconds
new ServiceAuthError('timeout', 'No answer', { retryAfterSeconds: 1 });

export function report(error: unknown): string {
  // @ts-expect-error: nothing is known of what was thrown
  error.code;
  if (!isServiceAuthError(error)) return 'unknown';
  // @ts-expect-error: a code that there is not
  if (error.code === 'time_out') return 'late';
  // @ts-expect-error: not every failure is an answer
  error.status.toFixed();
  // @ts-expect-error: nor says how long to wait
  error.retryAfterMs.toFixed();
  // @ts-expect-error: nor is every one of the admin API
  error.problem.errors;
  // @ts-expect-error: a failure cannot be changed
  error.code = 'closed';
  const { code, status = 0, oauthError = '', retryAfterMs = 0 } = error;
  const wait: number = status + retryAfterMs;
  return `${adviceOn(code)} ${oauthError.trim()} ${wait} ${error.problem?.errors.map(({ path }) => path)}`;
}

/** A program's own adapter refuses in the same way. */
export function readName(value: unknown): string {
  if (typeof value === 'string') return value;
  throw optionError('option_invalid', 'adapter: name must be a text', { cause: value });
}
export const mistake: OptionError = optionError('call_invalid', 'adapter: close was called');
export const standards: readonly TypeError[] = [mistake];
// @ts-expect-error: the code of a failure is none of a mistake
optionError('timeout', 'adapter: too late');
// @ts-expect-error: a message is needed
optionError('option_unknown');
// @ts-expect-error: a TypeError of somebody else has no code
export const foreign: OptionError = new TypeError('not ours');

export function codeOf(error: unknown): OptionErrorCode | ServiceAuthErrorCode | undefined {
  if (isOptionError(error)) {
    // @ts-expect-error: a mistake cannot be changed
    error.code = 'call_invalid';
    const { code }: { code: OptionErrorCode } = error;
    return code;
  }
  return isServiceAuthError(error) ? error.code : undefined;
}
