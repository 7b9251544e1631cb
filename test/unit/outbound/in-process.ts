/** A network without sockets: every request is recorded and answered by the test. */
import type { FetchFunction } from '../../../src/outbound/hop.ts';

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
