/**
 * What is remembered of tokens that were not accepted: apart from the accepted ones, so that made-up tokens push out
 * none of those.
 */
import { Fault } from '../shared/fault.ts';
import { UndecidedError } from '../shared/undecided.ts';
import { createTokenCache } from './token-cache.ts';

export interface IntrospectionMemory {
  /** Why a token is not accepted, without asking anew. */
  find(token: string): Fault | UndecidedError | undefined;
  remember(token: string, verdict: Fault | UndecidedError, lastsMs: number): void;
  /** Whether the endpoint failed on this very token a short while ago, for which the token may be to blame. */
  isSuspect(token: string): boolean;
  forget(token: string): void;
}

interface Entry {
  readonly verdict: Fault | Failure;
  /** A clock that shows less was set back; then the entry no longer counts. */
  readonly from: number;
  readonly until: number;
}

/** An `UndecidedError` without its stack, which takes a hundred times the room. */
interface Failure {
  readonly message: string;
  readonly retryAfterMs: number | undefined;
}

/** The cache keeps at most two generations of these. */
const MOST_TOKENS = 5000;
const MOST_CHARACTERS = 4_000_000;
/** Longer than the circuit breaker waits for its next probe. */
const SUSPECT_MS = 60_000;

export function createIntrospectionMemory(issuer: string, now: () => number): IntrospectionMemory {
  const entries = createTokenCache<Entry>(MOST_TOKENS, MOST_CHARACTERS);

  return {
    find(token) {
      const entry = entries.get(token);
      if (entry === undefined) return undefined;
      const { verdict, from, until } = entry;
      const time = now();
      if (time < from || time >= until) return undefined;
      if (verdict instanceof Fault) return verdict;
      const retryAfterMs = Math.max(verdict.retryAfterMs ?? 0, until - time);
      return new UndecidedError('introspection_unavailable', verdict.message, { issuer, retryAfterMs });
    },
    remember(token, verdict, lastsMs) {
      const from = now();
      entries.set(token, { verdict: slim(verdict), from, until: from + lastsMs });
    },
    isSuspect(token) {
      const entry = entries.get(token);
      if (entry === undefined || entry.verdict instanceof Fault) return false;
      const time = now();
      return time >= entry.from && time < entry.from + SUSPECT_MS;
    },
    forget: (token) => entries.delete(token),
  };
}

/** Without what hangs on it: the claims of the token. */
function slim(verdict: Fault | UndecidedError): Fault | Failure {
  if (verdict instanceof UndecidedError) {
    return { message: verdict.message, retryAfterMs: verdict.retryAfterMs };
  }
  const { step, reason, expected, actual, about } = verdict;
  if (about === undefined) return verdict;
  return new Fault(step, reason, expected, actual, { issuer: about.issuer, clientId: about.clientId });
}
