/**
 * What an issuer says about tokens (RFC 7662), asked as seldom as that is safe: one call for a token however many
 * requests bring it, bounded calls at once and waits, a circuit breaker, and memory for what was not accepted.
 */
import type { Emit } from '../events.ts';
import type { CircuitState } from '../shared/circuit-breaker.ts';
import { createConcurrencyLimit } from '../shared/concurrency-limit.ts';
import { Fault } from '../shared/fault.ts';
import { withoutQuery } from '../shared/http.ts';
import type { JsonObject } from '../shared/json.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import { createPooledTransport } from '../shared/pooled-transport.ts';
import { sharesPromises } from '../shared/runtime.ts';
import type { Fetch } from '../shared/transport.ts';
import { UndecidedError } from '../shared/undecided.ts';
import { createIntrospectionAttempts, FAILURE_MS } from './introspection-attempts.ts';
import { createIntrospectionCall, type IntrospectionCallOptions } from './introspection-call.ts';
import { createIntrospectionMemory } from './introspection-memory.ts';
import type { IntrospectionSettings } from './introspection-options.ts';
import { createIntrospectionStore } from './introspection-store.ts';

/** What an issuer said about an active token, and until when that may be believed. */
export interface ActiveToken {
  readonly claims: JsonObject;
  /** In epoch milliseconds; where the answer has no `exp`, as RFC 7662 allows, the cache time alone bounds it. */
  readonly believedUntilMs: number;
}

export interface Introspector {
  /** @throws UndecidedError (or rejects) `introspection_unavailable`, `overloaded` */
  introspect(token: string): MaybePromise<ActiveToken | Fault>;
  /** Remembers that an active token is not accepted here, so that it is not asked about again and again. */
  refuse(token: string, verdict: Fault | UndecidedError): void;
  /** Forgets what is kept of a token here and in the shared store. */
  forget(token: string): void;
  state(): CircuitState;
}

export interface IntrospectorOptions
  extends Omit<IntrospectionSettings, 'endpoint' | 'tokens'>,
    Omit<IntrospectionCallOptions, 'transport'> {
  readonly fetch: Fetch | undefined;
  readonly emit: Emit | undefined;
  readonly random?: () => number;
  /** Waits between attempts. */
  readonly sleep?: (ms: number) => Promise<void>;
}

const MOST_AT_ONCE = 64;
const MOST_WAITING = 1000;
const OVERLOADED_RETRY_MS = 1000;

export function createIntrospector(options: IntrospectorOptions): Introspector {
  const { issuer, now, store, timeoutMs } = options;
  const negativeMs = options.negativeCacheSeconds * 1000;
  const shortMs = Math.min(negativeMs, FAILURE_MS);
  const memory = createIntrospectionMemory(issuer, now);
  let endpoint: string | undefined;
  const call = createIntrospectionCall({
    ...options,
    transport: createPooledTransport(options.fetch),
    onEndpoint: (url) => {
      endpoint = withoutQuery(url);
    },
  });
  const attempts = createIntrospectionAttempts({ ...options, call, memory, endpoint: () => endpoint });
  const shared = store && createIntrospectionStore({ ...options, store });
  const limit = createConcurrencyLimit({
    atOnce: MOST_AT_ONCE,
    mostWaiting: MOST_WAITING,
    // Whose turn comes then has the time for a call yet.
    longestWaitMs: timeoutMs,
    refusal: () => overloaded(issuer),
  });
  const inFlight = new Map<string, Promise<ActiveToken | Fault>>();
  let timesForgotten = 0;

  function introspect(token: string): MaybePromise<ActiveToken | Fault> {
    const known = memory.find(token);
    if (known instanceof UndecidedError) throw known;
    if (known !== undefined) return known;
    // Not on Workers, where a request that is given up takes its promises with it.
    const running = sharesPromises ? inFlight.get(token) : undefined;
    if (running !== undefined) return running;
    const leftMs = countdown(2 * timeoutMs);
    const answer = limit
      .run(() => ask(token, leftMs))
      .finally(() => {
        // Somebody may have had it forgotten, and a later call may run.
        if (inFlight.get(token) === answer) inFlight.delete(token);
      });
    inFlight.set(token, answer);
    return answer;
  }

  async function ask(token: string, leftMs: () => number): Promise<ActiveToken | Fault> {
    const timesBefore = timesForgotten;
    const stored = shared && believable(await shared.read(token), options);
    if (stored !== undefined) return stored;
    const claims = await attempts.ask(token, leftMs);
    const fault = faultOf(claims, issuer);
    if (fault !== undefined) {
      memory.remember(token, fault, negativeMs);
      return fault;
    }
    const storedAt = now();
    const answer = activeUntil(claims, storedAt, options);
    // Not what may have been forgotten meanwhile: it would come back to every instance.
    if (timesBefore === timesForgotten) shared?.write(token, { claims, storedAt }, answer.believedUntilMs);
    return answer;
  }

  return {
    introspect,
    refuse(token, verdict) {
      if (verdict instanceof UndecidedError) memory.remember(token, verdict, FAILURE_MS);
      else memory.remember(token, verdict, passes.has(verdict.reason) ? shortMs : negativeMs);
    },
    forget(token) {
      timesForgotten++;
      memory.forget(token);
      // What is on its way may have been answered before.
      inFlight.delete(token);
      shared?.forget(token);
    },
    state: attempts.state,
  };
}

/** What a little time alone may mend. */
const passes: ReadonlySet<string> = new Set<Fault['reason']>(['not_yet_valid', 'issued_in_future']);
const inactive = new Fault('introspection', 'inactive_token', 'an active token');
/** RFC 7662 section 2.2, and what else is said of access tokens; `N_A` (RFC 8693) and refresh tokens are none. */
const accessTokenTypes: ReadonlySet<string> = new Set(['bearer', 'dpop', 'service', 'access_token']);

function faultOf({ active, iss, token_type: type }: JsonObject, issuer: string): Fault | undefined {
  if (active !== true) return inactive;
  if (iss !== undefined && iss !== issuer) {
    return new Fault('introspection', 'unknown_issuer', issuer, shown(iss));
  }
  if (type === undefined || (typeof type === 'string' && accessTokenTypes.has(type.toLowerCase()))) {
    return undefined;
  }
  return new Fault('introspection', 'wrong_token_kind', 'an access token', `token_type ${shown(type)}`);
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : typeof value;
}

type Belief = Pick<IntrospectorOptions, 'issuer' | 'cacheSeconds' | 'now'>;

function activeUntil(claims: JsonObject, answeredAt: number, { cacheSeconds }: Belief): ActiveToken {
  const { exp } = claims;
  const expiresAt = typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY;
  return { claims, believedUntilMs: Math.min(answeredAt + cacheSeconds * 1000, expiresAt) };
}

/** An answer of the shared store is no younger for being read, and none comes from further ahead than it would last. */
function believable(
  stored: { readonly claims: JsonObject; readonly storedAt: number } | undefined,
  belief: Belief,
): ActiveToken | undefined {
  const time = belief.now();
  if (stored === undefined || stored.storedAt > time + belief.cacheSeconds * 1000) return undefined;
  if (faultOf(stored.claims, belief.issuer) !== undefined) return undefined;
  const answer = activeUntil(stored.claims, Math.min(stored.storedAt, time), belief);
  return time < answer.believedUntilMs ? answer : undefined;
}

function overloaded(issuer: string): UndecidedError {
  const message = 'too many tokens to introspect';
  return new UndecidedError('overloaded', message, { issuer, retryAfterMs: OVERLOADED_RETRY_MS });
}

/** How many milliseconds are left; not by the wall clock, which may be set. */
function countdown(ms: number): () => number {
  const endsAt = performance.now() + ms;
  return () => endsAt - performance.now();
}
