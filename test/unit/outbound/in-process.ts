/** A network without sockets: every request is recorded and answered by the test. */
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { type CallAuthorizerOptions, createCallAuthorizer } from '../../../src/outbound/call-authorizer.ts';
import type { FetchFunction } from '../../../src/outbound/hop.ts';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import { createClock } from './support.ts';

export interface Sent {
  readonly url: string;
  readonly origin: string;
  readonly method: string;
  readonly headers: Headers;
  /** Its body, if that is a form in text. */
  readonly form: URLSearchParams;
  readonly signal: AbortSignal | undefined;
}

export type Reply = (sent: Sent, count: number) => Response | Promise<Response>;

export interface Network {
  readonly fetch: FetchFunction;
  readonly sent: Sent[];
  /** Those of one path. */
  to(path: string): Sent[];
}

/** Answers by path; `'*'` is every other one. */
export function createNetwork(replies: Readonly<Record<string, Reply>>): Network {
  const sent: Sent[] = [];
  const counts = new Map<string, number>();
  return {
    sent,
    to: (path) => sent.filter(({ url }) => new URL(url).pathname === path),
    async fetch(input, init) {
      const request = readSent(input, init);
      sent.push(request);
      const { pathname } = new URL(request.url);
      const reply = replies[pathname] ?? replies['*'];
      if (reply === undefined) throw new Error(`nothing answers at ${pathname}`);
      const count = (counts.get(pathname) ?? 0) + 1;
      counts.set(pathname, count);
      request.signal?.throwIfAborted();
      return reply(request, count);
    },
  };
}

/** As a server would see it: without fragment, the method as `fetch` normalises it. */
function readSent(input: string | URL | Request, init: RequestInit | undefined): Sent {
  const given = input instanceof Request ? input : undefined;
  const { url, method } = new Request(given?.url ?? input, {
    method: init?.method ?? given?.method ?? 'GET',
  });
  const plain = new URL(url);
  plain.hash = '';
  return {
    url: plain.href,
    origin: plain.origin,
    method,
    headers: new Headers(init?.headers ?? given?.headers),
    form: new URLSearchParams(typeof init?.body === 'string' ? init.body : ''),
    signal: (init?.signal ?? given?.signal) || undefined,
  };
}

export function tokenAnswer(accessToken: string, members: object = {}, headers: HeadersInit = {}): Response {
  const body = { access_token: accessToken, token_type: 'Bearer', expires_in: 600, ...members };
  return Response.json(body, { headers });
}

export function refusal(error: string, status = 400, headers: HeadersInit = {}): Response {
  return Response.json({ error }, { status, headers });
}

/** A resource server's 401. */
export function challenge(value: string, headers: Record<string, string> = {}): Response {
  return new Response(null, { status: 401, headers: { 'www-authenticate': value, ...headers } });
}

/** Of the type that was asked for: `token-1`, `token-2` and so on. */
export const countedTokens: Reply = ({ headers }, count) =>
  tokenAnswer(`token-${count}`, { token_type: headers.has('dpop') ? 'DPoP' : 'Bearer' });

const known = {
  tokenEndpoint: 'https://idp.example/token',
  clientId: 'billing',
  clientSecret: 's',
  random: () => 0,
};

/** A token client with a clock and a network of its own. */
export function createClientBench(reply = countedTokens, options: Partial<TokenClientOptions> = {}) {
  const clock = createClock();
  const network = createNetwork({ '/token': reply });
  const tokens = createTokenClient({ ...known, now: clock.now, ...options, fetch: network.fetch });
  return { tokens, clock, sent: network.sent };
}

/** A call authorizer for calls of `https://orders.internal`, with a clock and a network of its own. */
export function createAuthorizerBench(options: Partial<CallAuthorizerOptions> = {}, reply = countedTokens) {
  const clock = createClock();
  const network = createNetwork({ '/token': reply });
  const events: ServiceAuthEvent[] = [];
  const authorizer = createCallAuthorizer({
    ...known,
    targets: ['https://orders.internal'],
    now: clock.now,
    onEvent: (event) => events.push(event),
    ...options,
    fetch: network.fetch,
  });
  const request = { method: 'GET', url: 'https://orders.internal/orders', replayable: true };
  const retries = (): unknown[] =>
    events.filter(({ type }) => type.startsWith('retry')).map(({ at: _, ...event }) => event);
  return { authorizer, network, clock, retries, authorize: async () => authorizer.authorize(request) };
}

/** What a resource server says of a call that it refuses. */
export const refusedCall = (error: string, headers: Record<string, string> = {}) => ({
  status: 401,
  headers: new Headers({ 'www-authenticate': `DPoP error="${error}"`, ...headers }),
});
