/** What is known of the servers that were talked to: their latest DPoP nonce, and how far their clock is from ours. */
import { LRUCache } from 'lru-cache';
import type { AnswerHeaders } from '../shared/transport.ts';

/** Authorization servers and resource servers of one origin have nonces of their own (RFC 9449 sections 8 and 9). */
export type ServerRole = 'issuer' | 'resource';

export interface Servers {
  nonce(role: ServerRole, origin: string): string | undefined;
  /** The time by the server's clock, in epoch milliseconds: ours until an answer showed that the two differ. */
  now(role: ServerRole, origin: string): number;
  /** How far the server's clock is ahead of ours, as far as it is known, in milliseconds. */
  skewMs(role: ServerRole, origin: string): number;
  /** Takes nonce and time from an answer to a request that was sent at `sentAt`. */
  learn(role: ServerRole, origin: string, headers: AnswerHeaders, sentAt: number): void;
}

interface Known {
  nonce: string | undefined;
  skewMs: number;
}

const MOST_SERVERS = 1000;
const LONGEST_NONCE = 1024;
/** `Date` says whole seconds, and clocks a little apart do no harm. */
const LEAST_SKEW_MS = 5000;
/** A clock further off is no clock. */
const MOST_SKEW_MS = 24 * 60 * 60 * 1000;

export function createServers(now: () => number): Servers {
  const servers = new LRUCache<string, Known>({ max: MOST_SERVERS });

  function known(role: ServerRole, origin: string): Known | undefined {
    return servers.get(`${role} ${origin}`);
  }

  function skewMs(role: ServerRole, origin: string): number {
    return known(role, origin)?.skewMs ?? 0;
  }

  return {
    nonce: (role, origin) => known(role, origin)?.nonce,
    now: (role, origin) => now() + skewMs(role, origin),
    skewMs,
    learn(role, origin, headers, sentAt) {
      const nonce = readNonce(headers.get('dpop-nonce'));
      const skew = readSkew(headers.get('date'), sentAt, now());
      const before = known(role, origin);
      if (before !== undefined) {
        before.nonce = nonce ?? before.nonce;
        before.skewMs = skew ?? before.skewMs;
      } else if (nonce !== undefined || skew !== undefined) {
        servers.set(`${role} ${origin}`, { nonce, skewMs: skew ?? 0 });
      }
    },
  };
}

/** Whether what was made by one clock may be refused by the other: assertions and proofs forgive a little. */
export function isOtherClock(skewMs: number, otherSkewMs: number): boolean {
  return Math.abs(skewMs - otherSkewMs) >= LEAST_SKEW_MS;
}

/** NQCHAR of RFC 6749 appendix A (RFC 9449 section 8.1); two joined fields have a space between them. */
function readNonce(value: string | null): string | undefined {
  if (value === null || value === '' || value.length > LONGEST_NONCE) return undefined;
  return /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value) ? value : undefined;
}

function readSkew(date: string | null, sentAt: number, receivedAt: number): number | undefined {
  const said = date === null ? Number.NaN : Date.parse(date);
  if (Number.isNaN(said)) return undefined;
  // The middle of its second, against the middle of the exchange.
  const skew = said + 500 - (sentAt + receivedAt) / 2;
  if (Math.abs(skew) > MOST_SKEW_MS) return undefined;
  return Math.abs(skew) < LEAST_SKEW_MS ? 0 : Math.round(skew);
}
