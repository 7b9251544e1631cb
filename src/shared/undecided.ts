import type { UndecidedReason } from '../events.ts';

/**
 * A request that cannot be decided now, thrown through the corridor to its one answer: 503, never 401.
 *
 * Not for users: `authenticate` neither throws it nor rejects with it.
 */
export class UndecidedError extends Error {
  readonly reason: UndecidedReason;
  readonly retryAfterMs: number | undefined;

  constructor(reason: UndecidedReason, message: string, retryAfterMs?: number) {
    super(message);
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}
