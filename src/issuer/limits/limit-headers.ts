import type { LimitState } from './limiter.ts';

/** `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers), each a list of structured fields (RFC 9651). */
export function limitHeaders(states: readonly LimitState[]): Record<string, string> {
  if (states.length === 0) return {};
  const policies = states.map(
    ({ name, policy: { requests, windowSeconds } }) => `"${name}";q=${requests};w=${windowSeconds}`,
  );
  const left = states.map(
    ({ name, remaining, resetSeconds }) => `"${name}";r=${remaining};t=${resetSeconds}`,
  );
  return { 'ratelimit-policy': policies.join(', '), ratelimit: left.join(', ') };
}
