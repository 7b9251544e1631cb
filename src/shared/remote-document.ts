/**
 * One remote document, kept fresh: single flight, refresh ahead of expiry in the background, back-off after
 * failures, and the last good version while the other end is down. Discovery and key sets both live here.
 */
import { ServiceAuthError } from '../errors.ts';
import type { MaybePromise } from './maybe-async.ts';
import { createSingleFlight } from './single-flight.ts';

export interface Loaded<T> {
  readonly value: T;
  /** How long the sender says the document may be kept; bounded by `minFreshMs` and `maxFreshMs`. */
  readonly freshMs?: number | undefined;
  /** From then on this version must not serve, whatever fails, in epoch milliseconds. */
  readonly expiresAt?: number | undefined;
}

export interface RemoteDocumentOptions<T> {
  readonly load: () => Promise<Loaded<T>>;
  readonly now: () => number;
  readonly random?: () => number;
  /** Kept this long where the sender does not say. Default 10 minutes. */
  readonly defaultFreshMs?: number;
  /** Default 1 minute. */
  readonly minFreshMs?: number;
  /** Default 1 hour. */
  readonly maxFreshMs?: number;
  /** How long the last good version serves while the other end fails. Default 24 hours. */
  readonly maxStaleMs?: number;
  /** At least this long between two refreshes that were asked for by `refreshUnlessRecent`. Default 10 seconds. */
  readonly coolDownMs?: number;
  readonly onRefreshed?: (value: T, durationMs: number) => void;
  readonly onFailed?: (error: ServiceAuthError, retryInMs: number, durationMs: number) => void;
  /** Called when a refresh failed and a version past its freshness goes on serving, with its age. */
  readonly onStale?: (ageMs: number) => void;
}

export interface RemoteDocument<T> {
  /**
   * The document: at once where it is in memory and usable, otherwise after a fetch.
   *
   * @throws ServiceAuthError (or rejects) with `retryAfterMs` where there is no usable version.
   */
  read(): MaybePromise<T>;
  /** The document if it may serve; refreshes it in the background, and never waits. */
  peek(): T | undefined;
  /**
   * The document fetched anew, unless that was done within the cool-down: then `undefined`.
   *
   * @throws ServiceAuthError as `read`, also while a cool-down or back-off lasts that began with a failure.
   */
  refreshUnlessRecent(): MaybePromise<T | undefined>;
  state(): DocumentState;
}

/** The state of a fetched document: keys or metadata. */
export interface DocumentState {
  readonly loaded: boolean;
  readonly ageMs: number | undefined;
  readonly stale: boolean;
  readonly failures: number;
  /** When the next attempt after a failure is due, in epoch milliseconds. */
  readonly retryAt: number | undefined;
  readonly lastError: string | undefined;
}

interface Version<T> {
  readonly value: T;
  readonly loadedAt: number;
  readonly refreshAt: number;
  readonly freshUntil: number;
  readonly usableUntil: number;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const LONGEST_BACK_OFF_MS = MINUTE;
/** The share of the fresh time after which a read refreshes in the background. */
const AHEAD = 0.8;

export function createRemoteDocument<T>(options: RemoteDocumentOptions<T>): RemoteDocument<T> {
  const { load, now, random = Math.random } = options;
  const { defaultFreshMs = 10 * MINUTE, minFreshMs = MINUTE, maxFreshMs = HOUR } = options;
  const { maxStaleMs = 24 * HOUR, coolDownMs = 10 * SECOND } = options;

  let current: Version<T> | undefined;
  let failure: { error: ServiceAuthError; count: number; at: number; retryAt: number } | undefined;
  const flight = createSingleFlight<T>();
  let lastAsked = Number.NEGATIVE_INFINITY;

  function refresh(): Promise<T> {
    return flight.run(attempt);
  }

  async function attempt(): Promise<T> {
    const startedAt = now();
    try {
      const { value, freshMs = defaultFreshMs, expiresAt = Number.POSITIVE_INFINITY } = await load();
      const loadedAt = now();
      const fresh = Math.min(Math.max(freshMs, minFreshMs), maxFreshMs, Math.max(expiresAt - loadedAt, 0));
      // A fleet that started together must not refresh together.
      const refreshAt = loadedAt + fresh * (AHEAD - 0.2 * random());
      const freshUntil = loadedAt + fresh;
      current = {
        value,
        loadedAt,
        refreshAt,
        freshUntil,
        usableUntil: Math.min(freshUntil + maxStaleMs, expiresAt),
      };
      failure = undefined;
      options.onRefreshed?.(value, loadedAt - startedAt);
      return value;
    } catch (cause) {
      throw fail(cause, startedAt);
    }
  }

  function fail(cause: unknown, startedAt: number): ServiceAuthError {
    // Anything else that `load` throws is a fault of ours or of an injected transport; it must not reach requests.
    const error =
      cause instanceof ServiceAuthError
        ? cause
        : new ServiceAuthError('response_malformed', 'the document could not be read');
    const count = (failure?.count ?? 0) + 1;
    const exponential = Math.min(SECOND * 2 ** (count - 1), LONGEST_BACK_OFF_MS);
    const asked = Math.min(error.retryAfterMs ?? 0, LONGEST_BACK_OFF_MS);
    const retryInMs = Math.max(exponential * (0.5 + 0.5 * random()), asked);
    const time = now();
    failure = { error, count, at: time, retryAt: Math.ceil(time + retryInMs) };
    options.onFailed?.(error, retryInMs, time - startedAt);
    if (current !== undefined && time >= current.freshUntil && time < current.usableUntil) {
      options.onStale?.(time - current.loadedAt);
    }
    return withRetryAfter(error, retryInMs);
  }

  function refreshInBackground(): void {
    if (!flight.isRunning() && !backingOff()) refresh().catch(() => {});
  }

  function backingOff(): boolean {
    // A clock that was set back since must not make the pause longer.
    return failure !== undefined && now() >= failure.at && now() < failure.retryAt;
  }

  function refuse(): never {
    if (failure === undefined) throw new ServiceAuthError('closed', 'no document');
    throw withRetryAfter(failure.error, Math.max(failure.retryAt - now(), 0));
  }

  function read(): MaybePromise<T> {
    const time = now();
    if (current === undefined) return backingOff() ? refuse() : refresh();
    if (time < current.refreshAt && time >= current.loadedAt) return current.value;
    const { value, freshUntil, usableUntil } = current;
    if (time >= usableUntil) return backingOff() ? refuse() : refresh();
    if (time < freshUntil || failure !== undefined) {
      refreshInBackground();
      return value;
    }
    // Out of date and nothing known of an outage, as after an idle night: ask first, once.
    return refresh().catch(() => value);
  }

  function peek(): T | undefined {
    if (current === undefined) return undefined;
    const time = now();
    // A clock that was set back must not put the next refresh off.
    if (time < current.refreshAt && time >= current.loadedAt) return current.value;
    if (time >= current.usableUntil) return undefined;
    refreshInBackground();
    return current.value;
  }

  function refreshUnlessRecent(): MaybePromise<T | undefined> {
    const running = flight.current();
    if (running !== undefined) return running;
    const isRecent = now() >= lastAsked && now() < lastAsked + coolDownMs;
    // After a failure nobody knows what a fetch would have brought.
    if (backingOff() || (isRecent && failure !== undefined)) return refuse();
    if (isRecent) return undefined;
    lastAsked = now();
    return refresh();
  }

  return {
    read,
    peek,
    refreshUnlessRecent,
    state() {
      const time = now();
      return {
        loaded: current !== undefined,
        ageMs: current === undefined ? undefined : time - current.loadedAt,
        stale: current !== undefined && time >= current.freshUntil,
        failures: failure?.count ?? 0,
        retryAt: failure?.retryAt,
        lastError: failure?.error.code,
      };
    },
  };
}

function withRetryAfter(error: ServiceAuthError, retryAfterMs: number): ServiceAuthError {
  const { status, oauthError } = error;
  return new ServiceAuthError(error.code, error.message, { status, oauthError, retryAfterMs });
}
