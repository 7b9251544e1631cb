/** Bounded requests: a deadline, a size, no redirects, https. Every remote document comes through here. */
import { ServiceAuthError } from '../errors.ts';
import { type EndSignal, onAbort } from './abort.ts';
import { type JsonObject, parseJsonObject } from './json.ts';
import type { Bytes } from './runtime.ts';
import { type AnswerHeaders, type Fetch, fetchTransport, type Transport } from './transport.ts';
import { parseUrl } from './url.ts';

export interface BoundedRequest {
  readonly url: string;
  /** A body makes it a POST. */
  readonly body?: string;
  /** Names in lower case. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  /** Default 256 KiB. */
  readonly maxBytes?: number;
  readonly signal?: EndSignal | undefined;
  /** The clock that a date in `Retry-After` is held against. @default Date.now */
  readonly now?: () => number;
}

export interface BoundedAnswer {
  readonly status: number;
  readonly headers: AnswerHeaders;
  readonly bytes: Bytes;
}

export interface JsonAnswer extends BoundedAnswer {
  /** The body, where it is a JSON object. */
  readonly json: JsonObject | undefined;
}

const DEFAULT_MAX_BYTES = 256 * 1024;
const LONGEST_RETRY_AFTER_MS = 60 * 60 * 1000;

/**
 * Sends one request and reads the answer within the deadline, which covers the body too.
 *
 * The status is the caller's to judge, save for redirects, which are refused.
 *
 * @throws ServiceAuthError `insecure_url`, `network_failed`, `timeout`, `redirect_refused`, `response_too_large`;
 * the reason of the given signal if that was aborted.
 */
export async function requestBytes(transport: Transport, request: BoundedRequest): Promise<BoundedAnswer> {
  assertSecureUrl(request.url);
  const { signal, timeoutMs, url } = request;
  signal?.throwIfAborted();
  let interrupt: (reason: unknown) => void = () => {};
  const interrupted = new Promise<never>((_, reject) => {
    interrupt = reject;
  });
  const timer = setTimeout(() => {
    interrupt(new ServiceAuthError('timeout', `${withoutQuery(url)} did not answer within ${timeoutMs} ms`));
  }, timeoutMs);
  const off = signal && onAbort(signal, () => interrupt(signal.reason));
  try {
    // A transport that goes on all the same must not hold the caller either, hence the race.
    return await Promise.race([exchange(transport, request, interrupted), interrupted]);
  } finally {
    clearTimeout(timer);
    off?.();
  }
}

/** As {@link requestBytes}, for answers that are JSON. */
export async function requestJson(fetch: Fetch, request: BoundedRequest): Promise<JsonAnswer> {
  const answer = await requestBytes(fetchTransport(fetch), request);
  return { ...answer, json: parseJsonObject(answer.bytes) };
}

/**
 * Reads one JSON document with GET.
 *
 * @throws ServiceAuthError those of {@link requestJson}, `unexpected_status`, `response_malformed`.
 */
export async function getJson(
  fetch: Fetch,
  request: BoundedRequest,
): Promise<{ json: JsonObject; headers: AnswerHeaders }> {
  const { status, headers, json } = await requestJson(fetch, request);
  if (status !== 200) {
    throw new ServiceAuthError('unexpected_status', `${withoutQuery(request.url)} answered ${status}`, {
      status,
      retryAfterMs: retryAfterMs(headers, (request.now ?? Date.now)()),
    });
  }
  if (json === undefined) {
    throw new ServiceAuthError('response_malformed', `${withoutQuery(request.url)} is not a JSON object`, {
      status,
    });
  }
  return { json, headers };
}

async function exchange(
  transport: Transport,
  { url, body, headers, maxBytes = DEFAULT_MAX_BYTES }: BoundedRequest,
  interrupted: Promise<never>,
): Promise<BoundedAnswer> {
  let answer: Awaited<ReturnType<Transport>>;
  try {
    answer = await transport({
      url,
      body,
      headers: { accept: 'application/json', ...headers },
      maxBytes,
      interrupted,
    });
  } catch (error) {
    throw networkError(url, error);
  }
  const { status, bytes } = answer;
  if (answer.redirected) {
    throw new ServiceAuthError('redirect_refused', `${withoutQuery(url)} answered with a redirect`, {
      status,
    });
  }
  if (bytes !== undefined) return { status, headers: answer.headers, bytes };
  const text = `${withoutQuery(url)} answered with more than ${maxBytes} bytes`;
  throw new ServiceAuthError('response_too_large', text, { status });
}

/** Says what broke by code alone: messages of foreign errors may quote what was sent. */
export function networkError(url: string, error: unknown): ServiceAuthError {
  const { cause } = error instanceof Error ? error : { cause: undefined };
  const code = errorCode(cause) ?? errorCode(error) ?? 'no connection';
  return new ServiceAuthError('network_failed', `${withoutQuery(url)} could not be reached (${code})`);
}

/** The `code` of a system error, such as ECONNREFUSED or ENOENT; unlike its message it quotes nothing. */
export function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** A URL for messages: its query may hold what is not for logs. */
export function withoutQuery(url: string): string {
  const parsed = parseUrl(url);
  return parsed === undefined ? 'an unreadable URL' : `${parsed.origin}${parsed.pathname}`;
}

/** `Retry-After` (RFC 9110 section 10.2.3) in milliseconds, at most one hour. */
export function retryAfterMs(headers: AnswerHeaders, nowMs: number): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  // Every date of HTTP begins with the name of a day; `Date.parse` would find dates in much else.
  const isDate = value.charAt(0) >= 'A';
  const wait = isDigits(value) ? Number(value) * 1000 : isDate ? Date.parse(value) - nowMs : Number.NaN;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST_RETRY_AFTER_MS);
}

function isDigits(text: string): boolean {
  return text !== '' && [...text].every((character) => character >= '0' && character <= '9');
}

let lastSecureUrl: string | undefined;

/** Whether a URL is https; plain http serves loopback addresses alone, which no one else can read. */
export function isSecureUrl(url: string): boolean {
  // Introspection asks about the same endpoint again and again.
  if (url === lastSecureUrl) return true;
  const parsed = parseUrl(url);
  const isSecure =
    parsed?.protocol === 'https:' || (parsed?.protocol === 'http:' && isLoopback(parsed.hostname));
  if (isSecure) lastSecureUrl = url;
  return isSecure;
}

/** @throws ServiceAuthError `insecure_url` for what is not secure */
export function assertSecureUrl(url: string): void {
  if (isSecureUrl(url)) return;
  throw new ServiceAuthError(
    'insecure_url',
    `${withoutQuery(url)} must be https (plain http only on loopback addresses)`,
  );
}

/** Whether a URL's host is this machine by its very spelling; no name is looked up. */
export function isLoopback(hostname: string): boolean {
  if (hostname === 'localhost' || hostname === '[::1]') return true;
  // URL parsing has made every IPv4 spelling four decimal numbers, and knows no host that looks so and is a name.
  const parts = hostname.split('.');
  return parts.length === 4 && parts[0] === '127' && parts.every(isByte);
}

function isByte(text: string): boolean {
  const value = Number(text);
  return value >= 0 && value <= 255 && String(value) === text;
}
