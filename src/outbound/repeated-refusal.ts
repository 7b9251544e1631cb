import { ServiceAuthError } from '../errors.ts';

const repeated = new WeakSet<ServiceAuthError>();

/**
 * A refusal of before, told again from memory with the time that is left. Since nothing was asked, no pause may follow
 * from it: the next call looks anew whether it still holds.
 */
export function repeatRefusal(refusal: ServiceAuthError, retryAfterMs: number): ServiceAuthError {
  const { code, message, status, oauthError } = refusal;
  const error = new ServiceAuthError(code, message, { status, oauthError, retryAfterMs });
  repeated.add(error);
  return error;
}

export function isRepeatedRefusal(error: ServiceAuthError): boolean {
  return repeated.has(error);
}
