/** The forms in which calls are sent: the same suite runs through each. */
import { Readable } from 'node:stream';
import type { ReadableStream as NodeStream } from 'node:stream/web';
import { Agent, type Dispatcher, interceptors, fetch as undiciFetch } from 'undici';
import { onTestFinished } from 'vitest';
import { authInterceptor } from '../../adapters/undici.ts';
import {
  type CallAuthorizerOptions,
  createAuthedFetch,
  type Explanation,
  type FetchFunction,
  type TokenClient,
} from '../../src/index.ts';

export interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array>;
  readonly signal?: AbortSignal;
}

export interface Got {
  readonly status: number;
  readonly body: string;
}

export interface Client {
  send(url: string, sent?: Sent): Promise<Got>;
  readonly tokens: TokenClient;
  explain(url: string): Explanation;
  close(): void;
}

export interface Form {
  create(options: CallAuthorizerOptions): Client;
  /** Whether text and bytes are still what they are where it is decided about sending them again. */
  readonly keepsBodies: boolean;
}

export const forms: Readonly<Record<string, Form>> = {
  'authedFetch over the global fetch': {
    keepsBodies: true,
    create(options) {
      const authedFetch = createAuthedFetch(options);
      const { tokens, explain, close } = authedFetch;
      return { send: fetching(authedFetch), tokens, explain, close };
    },
  },
  'request of undici through auth and redirect': {
    keepsBodies: true,
    create: (options) => composed(options, [], [interceptors.redirect({ maxRedirections: 5 })], requesting),
  },
  'request of undici through dns, auth, retry and redirect': {
    keepsBodies: true,
    create: (options) =>
      composed(
        options,
        [interceptors.dns()],
        [interceptors.retry({ minTimeout: 1 }), interceptors.redirect({ maxRedirections: 5 })],
        requesting,
      ),
  },
  'fetch of undici through auth': {
    keepsBodies: false,
    create: (options) => composed(options, [], [], (agent) => fetching(undiciWith(agent))),
  },
};

type Send = Client['send'];
type Interceptor = Dispatcher.DispatcherComposeInterceptor;

/** One agent for each client, with interceptors before and behind the one under test. */
function composed(
  options: CallAuthorizerOptions,
  before: readonly Interceptor[],
  behind: readonly Interceptor[],
  send: (agent: Dispatcher) => Send,
): Client {
  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  const auth = authInterceptor(options);
  const { tokens, explain, close } = auth;
  return { send: send(agent.compose([...before, auth, ...behind])), tokens, explain, close };
}

function requesting(agent: Dispatcher): Send {
  return async (url, { body, ...sent } = {}) => {
    const { origin, pathname, search } = new URL(url);
    const answer = await agent.request({
      origin,
      path: pathname + search,
      method: 'GET',
      ...sent,
      body: body instanceof ReadableStream ? Readable.fromWeb(body as NodeStream) : (body ?? null),
    });
    return { status: answer.statusCode, body: await answer.body.text() };
  };
}

/** The package's fetch, which has types of its own. */
function undiciWith(dispatcher: Dispatcher): FetchFunction {
  const fetch = undiciFetch as unknown as FetchFunction;
  return (input, init) => fetch(input, { ...init, dispatcher } as RequestInit);
}

function fetching(fetch: FetchFunction): Send {
  return async (url, sent = {}) => {
    const streams = sent.body instanceof ReadableStream;
    const init = streams ? { ...sent, duplex: 'half' } : sent;
    const response = await fetch(url, init);
    return { status: response.status, body: await response.text() };
  };
}

/** The code of what a call was refused for: fetch wraps it, undici does not. */
export function codeOf(error: unknown): unknown {
  if (!(error instanceof Error)) return undefined;
  return 'code' in error ? error.code : codeOf(error.cause);
}
