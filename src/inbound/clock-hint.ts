import type { Fault } from '../shared/fault.ts';

/** Beyond that no clock is suspected. */
const NEAR_SECONDS = 90;
const WINDOW_MS = 60_000;
const MANY = 3;
const MOST_REMEMBERED = 64;
/** Seconds of the epoch are that small for another 3,000 years; milliseconds are not. */
const LEAST_MILLISECONDS = 1e11;

/** Makes the hint about times: one token that is late is a client's fault, many are a clock's. */
export function createClockHint(): (fault: Fault, nowMs: number) => string | undefined {
  const seen = new Map<string, Set<string>>();
  let since = Number.NEGATIVE_INFINITY;

  /** How many tokens of an issuer missed by little within the last minute. A token that comes again counts once. */
  function countNearMiss(issuer: string, token: string, nowMs: number): number {
    if (!(nowMs >= since && nowMs < since + WINDOW_MS)) {
      seen.clear();
      since = nowMs;
    }
    const tokens = seen.get(issuer) ?? new Set();
    if (tokens.size < MOST_REMEMBERED) tokens.add(token);
    seen.set(issuer, tokens);
    return tokens.size;
  }

  return ({ reason, actual = '', about }, nowMs) => {
    const time = Number(actual);
    if (time > LEAST_MILLISECONDS)
      return 'the time is in milliseconds; claims have seconds (RFC 7519 section 2)';
    const offMs = reason === 'expired' ? nowMs - time * 1000 : time * 1000 - nowMs;
    const seconds = Math.max(Math.round(offMs / 1000), 1);
    const missed = reason === 'expired' ? `expired ${seconds} s ago` : `${seconds} s ahead of this clock`;
    if (seconds > NEAR_SECONDS) {
      return reason === 'expired' ? `${missed}: the client keeps a token too long` : `${missed}: ${CLOCKS}`;
    }
    const count = countNearMiss(about?.issuer ?? '', `${about?.clientId} ${actual}`, nowMs);
    if (count >= MANY) return `${missed}, and so were ${count} tokens within a minute: ${CLOCKS}`;
    return reason === 'expired' ? `${missed}: let the client renew earlier` : `${missed}: ${CLOCKS}`;
  };
}

const CLOCKS = 'compare the clocks of this machine and of the issuer (service-auth doctor)';
