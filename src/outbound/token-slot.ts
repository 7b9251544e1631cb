/** One cache entry: the current token of one key, its refresh, and what happens when that fails. */
import { ServiceAuthError } from '../errors.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { AccessToken } from './access-token.ts';

export interface TokenSlotOptions {
  readonly request: () => Promise<AccessToken>;
  /** How long before expiry the background refresh begins. */
  readonly aheadMs: number;
  readonly now: () => number;
  readonly random: () => number;
  readonly onRefreshed: (token: AccessToken, background: boolean) => void;
  readonly onFailed: (error: ServiceAuthError) => void;
  /** Called when a background refresh failed and the token goes on serving. */
  readonly onReused: (token: AccessToken) => void;
}

export interface TokenSlot {
  /** The token: at once while it is usable, otherwise after a request that all callers share. */
  read(): MaybePromise<AccessToken>;
  /** Another token than `failed`, or simply a new one; a request under way is joined. */
  renew(failed?: AccessToken): MaybePromise<AccessToken>;
  /** Whether this token is the current one. */
  holds(accessToken: string): boolean;
  state(): TokenState;
}

/** What is known of one token, without the token. Times are epoch milliseconds. */
export interface TokenState {
  readonly token:
    | {
        readonly obtainedAt: number;
        readonly refreshAt: number;
        readonly expiresAt: number;
        readonly scope: string | undefined;
      }
    | undefined;
  readonly requesting: boolean;
  /** The failure of the latest attempt; undefined after a success. */
  readonly lastError:
    | {
        readonly at: number;
        readonly code: string;
        readonly status: number | undefined;
        readonly oauthError: string | undefined;
        readonly message: string;
        /** When the next attempt in the background is due. */
        readonly retryAt: number;
      }
    | undefined;
}

interface Current {
  readonly token: AccessToken;
  readonly obtainedAt: number;
  readonly refreshAt: number;
  readonly usableUntil: number;
}

interface Failure {
  readonly error: ServiceAuthError;
  readonly at: number;
  readonly count: number;
  /** Until then nothing is tried in the background. */
  readonly retryAt: number;
  /** Until then calls that need a token fail without a request. */
  readonly refuseUntil: number;
}

const SECOND = 1000;
const LONGEST_WAIT_MS = 60 * SECOND;
/** A token is not sent in its last second, nor in the last tenth of a shorter life: it has to arrive in time too. */
const MARGIN_MS = SECOND;
/** Failures in a row that calls may see before they are slowed down. */
const FREE_FAILURES = 2;
const FIRST_BRAKE_MS = 100;
const LONGEST_BRAKE_MS = 2 * SECOND;

export function createTokenSlot(options: TokenSlotOptions): TokenSlot {
  const { aheadMs, now, random } = options;
  let current: Current | undefined;
  let failure: Failure | undefined;
  let inFlight: Promise<AccessToken> | undefined;

  function read(): MaybePromise<AccessToken> {
    const time = now();
    if (current === undefined || time >= current.usableUntil) return request();
    // A clock that was set back must not make a token last longer than it does.
    if (time >= current.refreshAt || time < current.obtainedAt) refreshInBackground(time);
    return current.token;
  }

  function renew(failed?: AccessToken): MaybePromise<AccessToken> {
    const replaced = failed !== undefined && current !== undefined && current.token !== failed;
    return replaced ? read() : request();
  }

  function request(): Promise<AccessToken> {
    const time = now();
    if (inFlight === undefined && failure !== undefined && isWithin(failure.at, time, failure.refuseUntil)) {
      return Promise.reject(waiting(failure, time));
    }
    return singleFlight(false);
  }

  function refreshInBackground(time: number): void {
    if (inFlight !== undefined || (failure !== undefined && isWithin(failure.at, time, failure.retryAt)))
      return;
    singleFlight(true).catch(() => {});
  }

  function singleFlight(background: boolean): Promise<AccessToken> {
    inFlight ??= attempt(background).finally(() => {
      inFlight = undefined;
    });
    return inFlight;
  }

  async function attempt(background: boolean): Promise<AccessToken> {
    try {
      const token = await options.request();
      const obtainedAt = now();
      const left = token.expiresAt - obtainedAt;
      // A fleet that started together must not refresh together.
      const ahead = Math.min(aheadMs, left / 2) * (1 - 0.2 * random());
      const usableUntil = token.expiresAt - Math.min(MARGIN_MS, left / 10);
      current = { token, obtainedAt, refreshAt: Math.floor(token.expiresAt - ahead), usableUntil };
      failure = undefined;
      options.onRefreshed(token, background);
      return token;
    } catch (error) {
      throw fail(error, background);
    }
  }

  function fail(cause: unknown, background: boolean): ServiceAuthError {
    // Anything else is a fault of an injected transport; its message may quote what was sent.
    const error =
      cause instanceof ServiceAuthError
        ? cause
        : new ServiceAuthError('network_failed', 'the token could not be requested');
    const time = now();
    const count = (failure?.count ?? 0) + 1;
    const asked = Math.min(error.retryAfterMs ?? 0, LONGEST_WAIT_MS);
    const backOff = Math.min(SECOND * 2 ** (count - 1), LONGEST_WAIT_MS) * (0.5 + 0.5 * random());
    const brake = count > FREE_FAILURES ? FIRST_BRAKE_MS * 2 ** Math.min(count - FREE_FAILURES - 1, 10) : 0;
    const refuseUntil = time + Math.max(asked, Math.min(brake, LONGEST_BRAKE_MS));
    failure = { error, at: time, count, retryAt: Math.ceil(time + asked + backOff), refuseUntil };
    options.onFailed(error);
    if (background && current !== undefined && time < current.usableUntil) options.onReused(current.token);
    return error;
  }

  return {
    read,
    renew,
    holds: (accessToken) => current?.token.accessToken === accessToken,
    state: () => ({
      token: current && describeToken(current),
      requesting: inFlight !== undefined,
      lastError: failure && describeFailure(failure),
    }),
  };
}

/** Times before the start are those of a clock that was set back since: no pause shall last longer for that. */
function isWithin(start: number, time: number, end: number): boolean {
  return time >= start && time < end;
}

/** The failure of before, with the time that is left to wait. */
function waiting({ error, refuseUntil }: Failure, time: number): ServiceAuthError {
  const { code, message, status, oauthError } = error;
  return new ServiceAuthError(code, message, { status, oauthError, retryAfterMs: refuseUntil - time });
}

function describeToken({ token, obtainedAt, refreshAt }: Current): TokenState['token'] {
  return { obtainedAt, refreshAt, expiresAt: token.expiresAt, scope: token.scope };
}

function describeFailure({ error, at, retryAt }: Failure): TokenState['lastError'] {
  const { code, status, oauthError, message } = error;
  return { at, code, status, oauthError, message, retryAt };
}
