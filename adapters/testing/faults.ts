/** Faults of an issuer by script: which endpoint fails, how, and how often. */
import type { OptionChecker } from '../../src/shared/options.ts';
import { endpoints, type SeenEndpoint, type TestEndpoint } from './endpoints.ts';
import { untilAborted } from './until-aborted.ts';

const words = ['connection_error', 'hang', 'malformed', 'server_error', 'use_dpop_nonce'] as const;

/** An answer that stands in for that of the issuer. */
export interface ScriptedAnswer {
  /** From 200 to 599. */
  readonly status: number;
  /** Makes the answer an OAuth error (RFC 6749 section 5.2). @default none */
  readonly error?: string | undefined;
  /** @default none */
  readonly retryAfterSeconds?: number | undefined;
  /** A text, or what is sent as JSON. @default none */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}

/**
 * How a request fails.
 *
 * - `connection_error`: it does not get there.
 * - `hang`: it gets no answer before the fault is ended, or the client gives up; then the issuer answers.
 * - `malformed`: an answer that is not JSON.
 * - `server_error`: 500 with a page of HTML.
 * - `use_dpop_nonce`: 400 and a new nonce for the next proof (RFC 9449 section 8).
 * - an object: that answer; or with `delayMs` the issuer's own, that many milliseconds of real time
 *   later, or as soon as the fault is ended.
 * - a function: whatever it answers.
 */
export type EndpointFault =
  | (typeof words)[number]
  | (ScriptedAnswer & { readonly delayMs?: never })
  | { readonly delayMs: number; readonly status?: never }
  | ((request: Request) => Response | Promise<Response>);

/** A fault that was scripted. */
export interface ScriptedFault {
  /** How many requests have met it. */
  readonly hits: number;
  /** Resolves as soon as a request meets it, at once if one has. */
  readonly hit: Promise<void>;
  /** Lets later requests through, and the issuer answer those that wait. */
  end(): void;
  [Symbol.dispose](): void;
}

export interface FaultScript {
  add(endpoint: TestEndpoint | 'all', fault: EndpointFault, times: number): ScriptedFault;
  /** The fault that a request meets; counts it. */
  take(endpoint: SeenEndpoint): Meeting | undefined;
  /** Ends all. */
  clear(): void;
}

/** A request meets a fault. */
export interface Meeting {
  /** For the ledger. */
  readonly name: string;
  /** The answer; undefined leaves it to the issuer. Rejects where there is none. */
  answer(request: Request): Promise<Response | undefined>;
}

interface Scripted extends ScriptedFault {
  readonly endpoint: TestEndpoint | 'all';
  readonly name: string;
  left: number;
  meet(): Meeting;
}

export function createFaultScript(check: OptionChecker): FaultScript {
  let script: Scripted[] = [];
  let nonces = 0;

  function add(endpoint: TestEndpoint | 'all', fault: EndpointFault, times: number): ScriptedFault {
    check.oneOf('endpoint', endpoint, [...endpoints, 'all']);
    checkTimes(check, times);
    const name = nameOf(check, fault);
    const ended = createGate();
    const hit = createGate();
    let hits = 0;
    const scripted: Scripted = {
      endpoint,
      name,
      left: times,
      get hits() {
        return hits;
      },
      hit: hit.opened,
      meet() {
        hits++;
        this.left--;
        hit.open();
        return {
          name,
          answer: (request) => answerOf(fault, request, ended.opened, () => `nonce-${++nonces}`),
        };
      },
      end() {
        script = script.filter((other) => other !== scripted);
        ended.open();
      },
      [Symbol.dispose]: () => scripted.end(),
    };
    script.push(scripted);
    return scripted;
  }

  return {
    add,
    take(endpoint) {
      const next = script.find(
        (one) => one.left > 0 && (one.endpoint === endpoint || one.endpoint === 'all'),
      );
      return next?.meet();
    },
    clear() {
      for (const one of [...script]) one.end();
    },
  };
}

function checkTimes(check: OptionChecker, times: unknown): void {
  const isCount = times === Number.POSITIVE_INFINITY || (Number.isSafeInteger(times) && Number(times) > 0);
  if (!isCount) check.fail('times', 'a whole number from 1, or Infinity', times);
}

function nameOf(check: OptionChecker, fault: EndpointFault): string {
  if (typeof fault === 'function') return 'function';
  if (typeof fault === 'string') return check.oneOf('fault', fault, words);
  if (typeof fault === 'object' && fault !== null && 'delayMs' in fault) {
    const { delayMs } = check.object('fault', fault, ['delayMs']);
    check.number('fault.delayMs', delayMs, 0, 600_000, 'milliseconds');
    return 'delay';
  }
  const { status } = check.object('fault', fault, answerMembers);
  return `${check.number('fault.status', status, 200, 599, 'HTTP status')}`;
}

const answerMembers: readonly string[] = [
  'status',
  'error',
  'retryAfterSeconds',
  'body',
  'headers',
] satisfies (keyof ScriptedAnswer)[];

async function answerOf(
  fault: EndpointFault,
  request: Request,
  ended: Promise<void>,
  nextNonce: () => string,
): Promise<Response | undefined> {
  if (typeof fault === 'function') return fault(request);
  if (typeof fault === 'object') {
    if (!('delayMs' in fault)) return scriptedAnswer(fault);
    await delay(fault.delayMs, ended, request.signal);
    return undefined;
  }
  switch (fault) {
    case 'connection_error':
      throw connectionError();
    case 'hang':
      await untilAborted(request.signal, ended);
      return undefined;
    case 'malformed':
      return new Response('{"access_token": "cut o', { headers: { 'content-type': 'application/json' } });
    case 'server_error':
      return new Response('<h1>Internal Server Error</h1>', {
        status: 500,
        headers: { 'content-type': 'text/html' },
      });
    case 'use_dpop_nonce': {
      const error = 'use_dpop_nonce';
      return scriptedAnswer({ status: 400, error, headers: { 'dpop-nonce': nextNonce() } });
    }
  }
}

function scriptedAnswer({
  status,
  error,
  retryAfterSeconds,
  body,
  headers: given,
}: ScriptedAnswer): Response {
  const headers = new Headers(given);
  if (retryAfterSeconds !== undefined) headers.set('retry-after', `${retryAfterSeconds}`);
  const content = error === undefined ? body : { error, ...(typeof body === 'object' && body) };
  if (content === undefined || status === 204 || status === 304)
    return new Response(null, { status, headers });
  if (typeof content === 'string') return new Response(content, { status, headers });
  if (!headers.has('content-type')) headers.set('content-type', 'application/json');
  return new Response(JSON.stringify(content), { status, headers });
}

/** As the fetch of Node rejects. */
function connectionError(): TypeError {
  const cause = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  return new TypeError('fetch failed', { cause });
}

/** Neither a fault that was ended nor a client that gave up leaves a timer behind. */
async function delay(ms: number, ended: Promise<void>, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const elapsed = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await untilAborted(signal, Promise.race([elapsed, ended]));
  } finally {
    clearTimeout(timer);
  }
}

/** A promise that is resolved from outside. */
function createGate(): { readonly opened: Promise<void>; open(): void } {
  let open: () => void = () => {};
  const opened = new Promise<void>((resolve) => {
    open = resolve;
  });
  return { opened, open };
}
