/** What may be tried again, and how often: one budget for a call, whatever goes wrong on its way. */
export type RetryReason = 'invalid_token' | 'use_dpop_nonce' | 'invalid_client' | 'clock_skew';

export interface RetryBudget {
  /** Whether there is one more attempt for this reason. A new `detail`, such as a new nonce, is a new reason. */
  take(reason: RetryReason, detail?: string): boolean;
}

/** However many nonces a server invents, no more attempts than these follow the first. */
const MOST_RETRIES = 3;

export function createRetryBudget(): RetryBudget {
  const taken = new Set<string>();
  return {
    take(reason, detail = '') {
      const attempt = `${reason} ${detail}`;
      if (taken.size >= MOST_RETRIES || taken.has(attempt)) return false;
      taken.add(attempt);
      return true;
    },
  };
}
