/**
 * What an issuer says about tokens (RFC 7662), asked as seldom as that is safe: one call for a token however many
 * requests bring it, bounded calls at once, a circuit breaker, and memory for inactive tokens kept apart.
 */
import { isServiceAuthError, ServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { encodeBase64url } from '../shared/base64url.ts';
import { type CircuitState, createCircuitBreaker } from '../shared/circuit-breaker.ts';
import { createConcurrencyLimit } from '../shared/concurrency-limit.ts';
import { sha256 } from '../shared/crypto.ts';
import { Fault } from '../shared/fault.ts';
import { isObject, type JsonObject, own } from '../shared/json.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import { createPooledTransport } from '../shared/pooled-transport.ts';
import type { TextStore } from '../shared/stores.ts';
import type { Fetch } from '../shared/transport.ts';
import { UndecidedError } from '../shared/undecided.ts';
import { callIntrospection, type IntrospectionCall } from './introspection-call.ts';
import type { IntrospectionSettings } from './introspection-options.ts';
import { createTokenCache } from './token-cache.ts';

/** What an issuer said about an active token, and until when that may be believed. */
export interface ActiveToken {
  readonly claims: JsonObject;
  /** In epoch milliseconds; where the answer has no `exp`, as RFC 7662 allows, the cache time alone bounds it. */
  readonly believedUntilMs: number;
}

export interface Introspector {
  /** @throws UndecidedError (or rejects) `introspection_unavailable`, `overloaded` */
  introspect(token: string): MaybePromise<ActiveToken | Fault>;
  /** Forgets what is kept of a token here and in the shared store. */
  forget(token: string): void;
  state(): CircuitState;
}

export interface IntrospectorOptions
  extends Omit<IntrospectionSettings, 'endpoint' | 'tokens'>,
    Omit<IntrospectionCall, 'transport'> {
  readonly fetch: Fetch | undefined;
  readonly emit: Emit | undefined;
  readonly random?: () => number;
  /** Waits between attempts. */
  readonly sleep?: (ms: number) => Promise<void>;
}

/** The cache keeps at most two generations of these. */
const MOST_REFUSED = 5000;
const MOST_REFUSED_CHARACTERS = 4_000_000;
const MOST_AT_ONCE = 64;
const MOST_WAITING = 1000;
const OVERLOADED_RETRY_MS = 1000;
const FIRST_RETRY_MS = 100;
const STORE_DEADLINE_MS = 200;

export function createIntrospector(options: IntrospectorOptions): Introspector {
  const { issuer, now, emit, retries, store, random = Math.random, sleep = wait } = options;
  const { cacheSeconds, negativeCacheSeconds } = options;
  const call: IntrospectionCall = { ...options, transport: createPooledTransport(options.fetch) };
  const breaker = createCircuitBreaker({ now, random });
  const limit = createConcurrencyLimit(MOST_AT_ONCE, MOST_WAITING);
  const inFlight = new Map<string, Promise<ActiveToken | Fault>>();
  // Apart from the active ones, so that made-up tokens push out none of those.
  const refused = createTokenCache<Refusal>(MOST_REFUSED, MOST_REFUSED_CHARACTERS);

  function introspect(token: string): MaybePromise<ActiveToken | Fault> {
    const refusal = refused.get(token);
    if (refusal !== undefined && now() < refusal.until) return refusal.fault;
    const running = inFlight.get(token);
    if (running !== undefined) return running;
    let forgotten = (): boolean => false;
    const asked = limit.run(() => ask(token, () => forgotten()));
    if (asked === undefined)
      throw new UndecidedError('overloaded', 'too many tokens to introspect', {
        issuer,
        retryAfterMs: OVERLOADED_RETRY_MS,
      });
    const answer = asked.finally(() => {
      // Somebody may have had it forgotten, and a later call may run.
      if (inFlight.get(token) === answer) inFlight.delete(token);
    });
    inFlight.set(token, answer);
    forgotten = () => inFlight.get(token) !== answer;
    return answer;
  }

  async function ask(token: string, isForgotten: () => boolean): Promise<ActiveToken | Fault> {
    const key = store && (await storeKey(token, options).catch(() => undefined));
    const stored = key === undefined ? undefined : await readStore(store, key);
    const known = stored && activeUntil(stored.claims, Math.min(stored.storedAt, now()));
    if (known !== undefined && now() < known.believedUntilMs && refuse(known.claims) === undefined)
      return known;
    const claims = await callWithRetries(token);
    const fault = refuse(claims);
    if (fault !== undefined) {
      refused.set(token, { fault, until: now() + negativeCacheSeconds * 1000 });
      return fault;
    }
    const answer = activeUntil(claims, now());
    // Not what was forgotten meanwhile: it would come back to every instance.
    if (key !== undefined && !isForgotten())
      void writeStore(store, key, claims, now(), answer.believedUntilMs);
    return answer;
  }

  function refuse({ active, iss }: JsonObject): Fault | undefined {
    if (active !== true) return inactiveFault;
    if (iss === undefined || iss === issuer) return undefined;
    return new Fault('introspection', 'unknown_issuer', issuer, typeof iss === 'string' ? iss : typeof iss);
  }

  function activeUntil(claims: JsonObject, answeredAt: number): ActiveToken {
    const { exp } = claims;
    const expiresAt = typeof exp === 'number' ? exp * 1000 : Number.POSITIVE_INFINITY;
    return { claims, believedUntilMs: Math.min(answeredAt + cacheSeconds * 1000, expiresAt) };
  }

  async function callWithRetries(token: string): Promise<JsonObject> {
    for (let attempt = 1; ; attempt++) {
      const waitMs = breaker.waitMs();
      if (waitMs > 0) {
        throw new UndecidedError(
          'introspection_unavailable',
          `${issuer} is not asked while its endpoint fails`,
          { issuer, retryAfterMs: waitMs },
        );
      }
      const startedAt = now();
      try {
        const claims = await callIntrospection(token, call);
        breaker.succeeded();
        const active = own(claims, 'active') === true;
        emit?.({
          type: 'introspection.call',
          issuer,
          durationMs: now() - startedAt,
          active,
          attempts: attempt,
        });
        return claims;
      } catch (error) {
        const failure = failed(error);
        if (attempt > retries || !mayRetry(failure)) throw undecided(failure);
        // Full jitter: callers that failed together do not come back together.
        await sleep(random() * FIRST_RETRY_MS * 2 ** (attempt - 1));
      }
    }
  }

  function failed(error: unknown): ServiceAuthError {
    const failure = isServiceAuthError(error)
      ? error
      : new ServiceAuthError('response_malformed', 'unexpected failure');
    // An endpoint that refuses one token as a bad request is well: whoever sent it must not stop calls for others.
    if (isTokensFault(failure)) breaker.succeeded();
    else breaker.failed(failure.retryAfterMs);
    const { code, message } = failure;
    emit?.({
      type: 'introspection.failed',
      issuer,
      code,
      message,
      breakerOpen: breaker.state().state === 'open',
    });
    return failure;
  }

  function undecided({ code, message, retryAfterMs }: ServiceAuthError): UndecidedError {
    const { retryAt } = breaker.state();
    const waitMs = retryAfterMs ?? (retryAt === undefined ? undefined : Math.max(retryAt - now(), 0));
    return new UndecidedError('introspection_unavailable', `${code}: ${message}`, {
      issuer,
      retryAfterMs: waitMs,
    });
  }

  return {
    introspect,
    forget(token) {
      refused.delete(token);
      // What is on its way may have been answered before.
      inFlight.delete(token);
      if (store === undefined) return;
      void storeKey(token, options)
        .then((key) => store.delete(key))
        .catch(() => {});
    },
    state: breaker.state,
  };
}

interface Refusal {
  readonly fault: Fault;
  readonly until: number;
}

const inactiveFault = new Fault('introspection', 'inactive_token', 'an active token');

/** What may be better a moment later; not what the endpoint has decided, and not before the time it asked for. */
function mayRetry({ code, status, retryAfterMs }: ServiceAuthError): boolean {
  if (retryAfterMs !== undefined) return false;
  return (
    code === 'network_failed' ||
    code === 'timeout' ||
    (status !== undefined && (status >= 500 || isBusy(status)))
  );
}

function isBusy(status: number): boolean {
  return status === 408 || status === 429;
}

function isTokensFault({ code, status = 0 }: ServiceAuthError): boolean {
  return code === 'unexpected_status' && status >= 400 && status < 500 && status !== 404 && !isBusy(status);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Endpoint and client belong to the key: another client may be told other things (CVE-2026-33496). So does the kind
 * of answer: who wants signed ones is not served what came without a signature.
 */
export async function storeKey(
  token: string,
  {
    issuer,
    clientId,
    endpoint,
    response,
  }: Pick<IntrospectorOptions, 'issuer' | 'clientId' | 'endpoint' | 'response'>,
): Promise<string> {
  const text = JSON.stringify([issuer, await endpoint(), clientId, response, token]);
  return `introspection:${encodeBase64url(await sha256(new TextEncoder().encode(text)))}`;
}

interface StoredAnswer {
  readonly claims: JsonObject;
  readonly storedAt: number;
}

/** A store that fails, is slow or holds something else has not helped, and does no harm. */
async function readStore(store: TextStore | undefined, key: string): Promise<StoredAnswer | undefined> {
  try {
    const text = await withinDeadline(store?.get(key));
    const value: unknown = text === undefined ? undefined : JSON.parse(text);
    if (!isObject(value) || !isObject(value.claims) || typeof value.storedAt !== 'number') return undefined;
    return value.claims.active === true ? { claims: value.claims, storedAt: value.storedAt } : undefined;
  } catch {
    return undefined;
  }
}

async function writeStore(
  store: TextStore | undefined,
  key: string,
  claims: JsonObject,
  storedAt: number,
  expiresAt: number,
): Promise<void> {
  try {
    if (expiresAt > storedAt) await store?.set(key, JSON.stringify({ claims, storedAt }), expiresAt);
  } catch {
    // The next instance asks the issuer itself.
  }
}

async function withinDeadline<T>(work: MaybePromise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const deadline = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, STORE_DEADLINE_MS, undefined);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    clearTimeout(timer);
  }
}
