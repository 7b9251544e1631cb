import { isServiceAuthError } from '../errors.ts';
import type { UndecidedReason } from '../events.ts';

export interface UndecidedDetails {
  readonly issuer?: string | undefined;
  readonly retryAfterMs?: number | undefined;
}

/**
 * A request that cannot be decided now, thrown through the corridor to its one answer: 503, never 401.
 *
 * Not for users: `authenticate` neither throws it nor rejects with it.
 */
export class UndecidedError extends Error {
  readonly reason: UndecidedReason;
  readonly issuer: string | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(reason: UndecidedReason, message: string, { issuer, retryAfterMs }: UndecidedDetails = {}) {
    super(message);
    this.reason = reason;
    this.issuer = issuer;
    this.retryAfterMs = retryAfterMs;
  }
}

/** Whatever broke, as a request that cannot be decided; messages of foreign errors may quote anything. */
export function asUndecided(
  error: unknown,
  reason: UndecidedReason,
  issuer: string | undefined,
): UndecidedError {
  if (error instanceof UndecidedError) return error;
  if (!isServiceAuthError(error)) return new UndecidedError(reason, 'unexpected failure', { issuer });
  const { code, message, retryAfterMs } = error;
  return new UndecidedError(reason, `${code}: ${message}`, { issuer, retryAfterMs });
}
