/** One cache entry: the current token of one key, its refresh, and what happens when that fails. */
import { ServiceAuthError } from '../errors.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import { createSingleFlight } from '../shared/single-flight.ts';
import type { TokenType } from './access-token.ts';
import type { HeldToken } from './held-token.ts';
import { isRepeatedRefusal, repeatRefusal } from './repeated-refusal.ts';

export interface TokenSlotOptions {
  /** Asks for a token that is not `old`; `fresh` where no other instance's will do. */
  readonly request: (old: HeldToken | undefined, fresh: boolean) => Promise<HeldToken>;
  /** How long before expiry the background refresh begins: the advisory window. */
  readonly aheadMs: number;
  /** How long before expiry callers wait for a new one: the mandatory window. */
  readonly mandatoryMs: number;
  readonly now: () => number;
  readonly random: () => number;
  /** `leadMs` is what was left of the token before. */
  readonly onRefreshed: (held: HeldToken, background: boolean, leadMs: number | undefined) => void;
  readonly onFailed: (error: ServiceAuthError) => void;
  /** Called when a refresh failed and the token goes on serving. */
  readonly onReused: (held: HeldToken) => void;
}

export interface TokenSlot {
  /** The token: at once while it is usable, otherwise after a request that all callers share. */
  read(): MaybePromise<HeldToken>;
  /** Another token than `failed`, or simply a new one; a request under way is joined. */
  renew(failed?: HeldToken): MaybePromise<HeldToken>;
  /** The current token. */
  held(): HeldToken | undefined;
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
        readonly tokenType: TokenType;
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
  readonly held: HeldToken;
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
/** Failures in a row that calls may see before they are slowed down. */
const FREE_FAILURES = 2;
const FIRST_BRAKE_MS = 100;
const LONGEST_BRAKE_MS = 2 * SECOND;

export function createTokenSlot(options: TokenSlotOptions): TokenSlot {
  const { aheadMs, mandatoryMs, now, random } = options;
  let current: Current | undefined;
  let failure: Failure | undefined;
  const flight = createSingleFlight<HeldToken>();

  function read(): MaybePromise<HeldToken> {
    const time = now();
    if (current === undefined || time >= current.usableUntil) return readInTime();
    // A clock that was set back must not make a token last longer than it does.
    if (time >= current.refreshAt || time < current.obtainedAt) refreshInBackground(time);
    return current.held;
  }

  /** In its last moments a token is renewed first; but one that has not expired is better than none. */
  function readInTime(): Promise<HeldToken> {
    const last = current?.held;
    if (last === undefined) return request();
    return request().catch((error: unknown) => {
      if (now() >= last.token.expiresAt) throw error;
      options.onReused(last);
      return last;
    });
  }

  function renew(failed?: HeldToken): MaybePromise<HeldToken> {
    const replaced = failed !== undefined && current !== undefined && current.held !== failed;
    return replaced ? read() : request(failed === undefined);
  }

  function request(fresh = false): Promise<HeldToken> {
    const time = now();
    if (!flight.isRunning() && failure !== undefined && isWithin(failure.at, time, failure.refuseUntil)) {
      return Promise.reject(repeatRefusal(failure.error, failure.refuseUntil - time));
    }
    return singleFlight(false, fresh);
  }

  function refreshInBackground(time: number): void {
    if (flight.isRunning() || (failure !== undefined && isWithin(failure.at, time, failure.retryAt))) return;
    singleFlight(true, false).catch(() => {});
  }

  function singleFlight(background: boolean, fresh: boolean): Promise<HeldToken> {
    return flight.run(() => attempt(background, fresh));
  }

  async function attempt(background: boolean, fresh: boolean): Promise<HeldToken> {
    try {
      const held = await options.request(current?.held, fresh);
      const { expiresAt } = held.token;
      const obtainedAt = now();
      const left = expiresAt - obtainedAt;
      // A fleet that started together must not refresh together.
      const ahead = Math.min(aheadMs, left / 2) * (1 - 0.2 * random());
      // A token has to arrive in time too: not even a short one is sent in the last tenth of its life.
      const usableUntil = expiresAt - Math.min(mandatoryMs, left / 10);
      const leadMs = current && current.held.token.expiresAt - obtainedAt;
      current = { held, obtainedAt, refreshAt: Math.floor(expiresAt - ahead), usableUntil };
      failure = undefined;
      options.onRefreshed(held, background, leadMs);
      return held;
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
    const backOff = Math.min(SECOND * 2 ** (count - 1), LONGEST_WAIT_MS) * (0.5 + 0.5 * random());
    if (isRepeatedRefusal(error)) {
      // Nobody was asked. Calls look again at once: the credential may be another one by then.
      failure = { error, at: time, count: count - 1, retryAt: Math.ceil(time + backOff), refuseUntil: time };
      return error;
    }
    const asked = Math.min(error.retryAfterMs ?? 0, LONGEST_WAIT_MS);
    const brake = count > FREE_FAILURES ? FIRST_BRAKE_MS * 2 ** Math.min(count - FREE_FAILURES - 1, 10) : 0;
    const refuseUntil = time + Math.max(asked, Math.min(brake, LONGEST_BRAKE_MS));
    failure = { error, at: time, count, retryAt: Math.ceil(time + asked + backOff), refuseUntil };
    options.onFailed(error);
    if (background && current !== undefined && time < current.usableUntil) options.onReused(current.held);
    return error;
  }

  return {
    read,
    renew,
    held: () => current?.held,
    state: () => ({
      token: current && describeToken(current),
      requesting: flight.isRunning(),
      lastError: failure && describeFailure(failure),
    }),
  };
}

/** Times before the start are those of a clock that was set back since: no pause shall last longer for that. */
function isWithin(start: number, time: number, end: number): boolean {
  return time >= start && time < end;
}

function describeToken({ held, obtainedAt, refreshAt }: Current): TokenState['token'] {
  const { expiresAt, scope, tokenType } = held.token;
  return { obtainedAt, refreshAt, expiresAt, scope, tokenType };
}

function describeFailure({ error, at, retryAt }: Failure): TokenState['lastError'] {
  const { code, status, oauthError, message } = error;
  return { at, code, status, oauthError, message, retryAt };
}
