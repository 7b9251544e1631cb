/** Asks an introspection endpoint as often as may help, and leaves it alone while it fails. */
import { isServiceAuthError, ServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { type CircuitState, createCircuitBreaker } from '../shared/circuit-breaker.ts';
import { type JsonObject, own } from '../shared/json.ts';
import { UndecidedError } from '../shared/undecided.ts';
import { UnusableAnswer } from './introspection-answer.ts';
import type { IntrospectionCall } from './introspection-call.ts';
import type { IntrospectionMemory } from './introspection-memory.ts';

export interface IntrospectionAttempts {
  /**
   * What the endpoint says of a token; `leftMs` says how long that may still take.
   *
   * @throws UndecidedError (rejects) `introspection_unavailable`
   */
  ask(token: string, leftMs: () => number): Promise<JsonObject>;
  state(): CircuitState;
}

export interface IntrospectionAttemptsOptions {
  readonly issuer: string;
  readonly call: IntrospectionCall;
  /** Where tokens are kept on which the endpoint failed. */
  readonly memory: IntrospectionMemory;
  /** Where the calls go, as far as that is known. */
  readonly endpoint: () => string | undefined;
  readonly retries: number;
  readonly negativeCacheSeconds: number;
  readonly now: () => number;
  readonly random?: (() => number) | undefined;
  /** Waits between attempts. */
  readonly sleep?: ((ms: number) => Promise<void>) | undefined;
  readonly emit: Emit | undefined;
}

const FIRST_RETRY_MS = 100;
const LONGEST_WAIT_MS = 30_000;
/** How long a token on which the endpoint failed is not asked about again. */
export const FAILURE_MS = 1000;

export function createIntrospectionAttempts(options: IntrospectionAttemptsOptions): IntrospectionAttempts {
  const { issuer, call, memory, retries, now, random = Math.random, sleep = wait, emit } = options;
  const refusalMs = Math.max(options.negativeCacheSeconds * 1000, FAILURE_MS);
  const breaker = createCircuitBreaker({ now, random, longestWaitMs: LONGEST_WAIT_MS });

  async function ask(token: string, leftMs: () => number): Promise<JsonObject> {
    let hasFailed = memory.isSuspect(token);
    for (let attempt = 1; ; attempt++) {
      const waitMs = breaker.waitMs(hasFailed);
      if (waitMs > 0) throw undecided(`${issuer} is not asked while its endpoint fails`, waitMs);
      const startedAt = now();
      let answer: JsonObject | UnusableAnswer | ServiceAuthError;
      try {
        answer = await call(token, leftMs);
      } catch (error) {
        answer = asServiceAuthError(error);
      }
      if (!(answer instanceof UnusableAnswer || answer instanceof ServiceAuthError)) {
        breaker.succeeded();
        const active = own(answer, 'active') === true;
        const durationMs = now() - startedAt;
        const endpoint = options.endpoint();
        emit?.({ type: 'introspection.call', issuer, endpoint, durationMs, active, attempts: attempt });
        return answer;
      }
      count(answer, hasFailed, now() - startedAt);
      hasFailed = true;
      if (attempt > retries || !mayRetry(answer) || isResting() || leftMs() < 1) throw final(token, answer);
      // Full jitter: callers that failed together do not come back together.
      await sleep(Math.min(random() * FIRST_RETRY_MS * 2 ** (attempt - 1), leftMs() / 2));
    }
  }

  function count(failure: UnusableAnswer | ServiceAuthError, hasFailed: boolean, durationMs: number): void {
    const { code, message, retryAfterMs } = errorOf(failure);
    if (failure instanceof UnusableAnswer) breaker.passed();
    // A token counts once: none alone may shut the endpoint to all others.
    else if (!hasFailed || isResting()) breaker.failed(retryAfterMs);
    const breakerOpen = breaker.state().state === 'open';
    const endpoint = options.endpoint();
    emit?.({ type: 'introspection.failed', issuer, endpoint, durationMs, code, message, breakerOpen });
  }

  function isResting(): boolean {
    return breaker.state().state !== 'closed';
  }

  /** What the request gets, and those that bring this token in the time to come. */
  function final(token: string, failure: UnusableAnswer | ServiceAuthError): UndecidedError {
    const { code, message, retryAfterMs } = errorOf(failure);
    const { retryAt } = breaker.state();
    const waitMs = retryAfterMs ?? (retryAt === undefined ? undefined : Math.max(retryAt - now(), 0));
    const error = undecided(`${code}: ${message}`, waitMs);
    const isRefusal = failure instanceof UnusableAnswer && failure.isRefusal;
    memory.remember(token, error, isRefusal ? refusalMs : FAILURE_MS);
    return error;
  }

  function undecided(message: string, waitMs: number | undefined): UndecidedError {
    // However long the endpoint wants to be left alone, it is asked again by then.
    const retryAfterMs = waitMs === undefined ? undefined : Math.min(waitMs, LONGEST_WAIT_MS);
    return new UndecidedError('introspection_unavailable', message, { issuer, retryAfterMs });
  }

  return { ask, state: breaker.state };
}

function asServiceAuthError(error: unknown): ServiceAuthError {
  if (error instanceof ServiceAuthError) return error;
  if (!isServiceAuthError(error)) return new ServiceAuthError('response_malformed', 'unexpected failure');
  return new ServiceAuthError(error.code, error.message, error);
}

function errorOf(failure: UnusableAnswer | ServiceAuthError): ServiceAuthError {
  return failure instanceof UnusableAnswer ? failure.error : failure;
}

/** What may be better a moment later; not what the endpoint has decided, and not before the time it asked for. */
function mayRetry(failure: UnusableAnswer | ServiceAuthError): boolean {
  if (failure instanceof UnusableAnswer || failure.retryAfterMs !== undefined) return false;
  const { code, status } = failure;
  if (code === 'network_failed' || code === 'timeout') return true;
  return status !== undefined && (status >= 500 || status === 408 || status === 429);
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
