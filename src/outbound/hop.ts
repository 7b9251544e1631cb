/** One request on its way: what `fetch` was called with, and what a redirect makes of it (Fetch standard, 4.4). */
import { optionError, ServiceAuthError } from '../errors.ts';
import { withoutQuery } from '../shared/http.ts';
import { parseUrl } from '../shared/url.ts';

/** What a call is sent with; the global `fetch` is one. */
export type FetchFunction = (input: string | URL | Request, init?: RequestInit) => Promise<Response>;

export interface Hop {
  /** Parsed only where it must be: most calls never need that. */
  readonly href: string;
  /** The caller's own `Request`, which is sent as it is. */
  readonly request: Request | undefined;
  readonly init: RequestInit | undefined;
  /** Never holds what proves who calls: that is added when the hop is sent. */
  readonly headers: Headers | Readonly<Record<string, string>> | undefined;
  readonly method: string;
  readonly signal: AbortSignal | undefined;
  /** Whether the body is there for a second time; that of a stream or of a `Request` is not. */
  readonly replayable: boolean;
}

/**
 * Reads the arguments of `fetch`.
 *
 * @throws TypeError for an `Authorization` or `DPoP` header of the caller's own.
 */
export function firstHop(where: string, input: string | URL | Request, init: RequestInit | undefined): Hop {
  const request = input instanceof Request ? input : undefined;
  const body = init?.body ?? null;
  const headers = readHeaders(init?.headers ?? request?.headers);
  const own = headers && ownCredential(headers);
  if (own !== undefined)
    throw optionError('call_invalid', `${where}: the call has a header ${own} of its own; leave it out`);
  return {
    // Whatever else was given is made text once, so that what is judged is what is sent.
    href: request?.url ?? String(input),
    request,
    // As fetch does, read now: what the caller changes while a token is fetched is not sent.
    init: init && copyInit(init),
    headers,
    method: normalMethod(init?.method ?? request?.method ?? 'GET'),
    // `null` takes the signal of a request away, as with fetch.
    signal: (init?.signal === undefined ? request?.signal : init.signal) ?? undefined,
    replayable: body === null ? (request?.body ?? null) === null : isReplayable(body),
  };
}

/** Members that `fetch` reads of an init wherever they come from: a `Request` has them in its prototype. */
const initMembers = [
  'method',
  'headers',
  'body',
  'signal',
  'redirect',
  'credentials',
  'cache',
  'mode',
  'referrer',
  'referrerPolicy',
  'integrity',
  'keepalive',
  'priority',
  'duplex',
  'dispatcher',
] as const;

function copyInit(init: RequestInit): RequestInit {
  const copy: RequestInit = Object.assign({}, init);
  const prototype: unknown = Object.getPrototypeOf(init);
  if (prototype === Object.prototype || prototype === null) return copy;
  for (const name of initMembers) {
    const value: unknown = Reflect.get(init, name);
    if (value !== undefined) Reflect.set(copy, name, value);
  }
  return copy;
}

/** As the Fetch standard does (2.2.1): any other method is case-sensitive. */
function normalMethod(method: string): string {
  return /^(?:delete|get|head|options|post|put)$/i.test(method) ? method.toUpperCase() : method;
}

function readHeaders(headers: HeadersInit | undefined): Hop['headers'] {
  if (headers === undefined || headers instanceof Headers) return headers;
  return Symbol.iterator in headers ? new Headers(headers) : { ...headers };
}

const provingHeaders: readonly string[] = ['authorization', 'dpop'];

function ownCredential(headers: NonNullable<Hop['headers']>): string | undefined {
  if (headers instanceof Headers) return provingHeaders.find((name) => headers.has(name));
  for (const name in headers) {
    const isAsLong = name.length === 13 || name.length === 4;
    if (isAsLong && provingHeaders.includes(name.toLowerCase())) return name;
  }
  return undefined;
}

function isReplayable(body: BodyInit): boolean {
  return (
    typeof body === 'string' ||
    body instanceof URLSearchParams ||
    body instanceof FormData ||
    body instanceof Blob ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body)
  );
}

/** Sends a hop; redirects come back as they are. Plain header records stay plain: `Headers` would cost more. */
export function sendHop(
  fetch: FetchFunction,
  { href, request, init, headers }: Hop,
  credentials: ProvingHeaders | undefined,
): Promise<Response> {
  // Not spread literals: an object that grows after a spread is copied member by member, at many times the cost.
  const sent = Object.assign({}, init, {
    headers: headersOf(headers, credentials),
    redirect: 'manual' as const,
  });
  return fetch(request ?? href, sent);
}

interface ProvingHeaders {
  readonly authorization: string;
  readonly dpop: string | undefined;
}

function headersOf(
  headers: Hop['headers'],
  credentials: ProvingHeaders | undefined,
): HeadersInit | undefined {
  if (credentials === undefined) return headers;
  const { authorization, dpop } = credentials;
  const proving = dpop === undefined ? { authorization } : { authorization, dpop };
  if (headers === undefined) return proving;
  if (!(headers instanceof Headers)) return Object.assign({}, headers, proving);
  const all = new Headers(headers);
  for (const [name, value] of Object.entries(proving)) all.set(name, value);
  return all;
}

/** Lets go of a response that nobody will read, so that its connection is free again. */
export function discard(response: Response): void {
  void response.body?.cancel().catch(() => {});
}

const redirectStatuses = new Set([301, 302, 303, 307, 308]);
const bodyHeaders = [
  'content-encoding',
  'content-language',
  'content-location',
  'content-type',
  'content-length',
];
/** Credentials that a caller may have set; they were meant for the place that was called. */
const credentialHeaders = ['authorization', 'cookie', 'dpop', 'proxy-authorization', 'host'];

/**
 * Where a response redirects to; `undefined` if it does not. The body of a redirect is let go.
 *
 * @throws ServiceAuthError `redirect_refused` if that place is hidden or no URL.
 */
export function redirectLocation(response: Response, from: string): URL | undefined {
  const hidden = response.type === 'opaqueredirect';
  const location = redirectStatuses.has(response.status) ? response.headers.get('location') : null;
  if (location === null && !hidden) return undefined;
  discard(response);
  const url = location === null ? undefined : parseUrl(location, from);
  if (url !== undefined) return url;
  const reason = hidden ? 'redirects, and this runtime hides where' : 'redirects to no URL';
  throw new ServiceAuthError('redirect_refused', `${withoutQuery(from)} ${reason}`);
}

/**
 * The request that follows a redirect: method, body and headers as the Fetch standard rewrites them.
 *
 * @throws ServiceAuthError `redirect_refused` if the body would have to be sent again and cannot be.
 */
export function nextHop(hop: Hop, status: number, url: URL): Hop {
  const { signal, method } = hop;
  const toGet =
    (status === 303 && method !== 'GET' && method !== 'HEAD') ||
    ((status === 301 || status === 302) && method === 'POST');
  if (!toGet && !hop.replayable) {
    const from = withoutQuery(hop.href);
    throw new ServiceAuthError('redirect_refused', `${from} redirects, but the body cannot be sent again`);
  }
  const { body, ...init } = hop.init ?? {};
  const kept = toGet || body === undefined || body === null ? {} : { body };
  return {
    ...hop,
    href: url.href,
    request: undefined,
    init: { ...init, ...kept, method: toGet ? 'GET' : method, ...(signal !== undefined && { signal }) },
    headers: toGet ? without(hop.headers, bodyHeaders) : hop.headers,
    method: toGet ? 'GET' : method,
    replayable: true,
  };
}

/** The hop without anything that proves who calls. */
export function withoutCredentials(hop: Hop): Hop {
  return { ...hop, headers: without(hop.headers, credentialHeaders) };
}

function without(headers: Hop['headers'], names: readonly string[]): Headers | undefined {
  if (headers === undefined) return undefined;
  const kept = new Headers(headers);
  for (const name of names) kept.delete(name);
  return kept;
}
