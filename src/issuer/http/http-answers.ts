/** Every answer of the issuer is made here; nothing may be cached unless the caller says so. */
import { STATUS_CODES } from 'node:http';
import type { OAuthFault } from './oauth-fault.ts';

type HeaderRecord = Readonly<Record<string, string>>;

const common: HeaderRecord = {
  'cache-control': 'no-store',
  'x-content-type-options': 'nosniff',
};

/** To read a text back from a `Response` costs as much as to make one. */
const texts = new WeakMap<Response, string>();

export function json(body: unknown, headers: HeaderRecord = {}, status = 200): Response {
  const type = { 'content-type': 'application/json' };
  const text = JSON.stringify(body);
  const response = new Response(text, { status, headers: { ...common, ...type, ...headers } });
  texts.set(response, text);
  return response;
}

/** The body of an answer, for servers that need no `Response`. */
export function textOf(response: Response): string | Promise<string> {
  return texts.get(response) ?? response.text();
}

export function empty(status: 200 | 204): Response {
  return new Response(null, { status, headers: common });
}

/** A JWT that is an answer of its own; `type` is its media type without `application/`. */
export function signed(type: string, token: string, headers: HeaderRecord = {}): Response {
  return new Response(token, { headers: { ...common, 'content-type': `application/${type}`, ...headers } });
}

/** What the client has already (RFC 9110 section 15.4.5). */
export function notModified(headers: HeaderRecord): Response {
  return new Response(null, { status: 304, headers: { ...common, ...headers } });
}

/** An error answer of RFC 6749 section 5.2. */
export function oauthError({ error, description, status, headers: more }: OAuthFault): Response {
  const challenge = { 'www-authenticate': 'Basic realm="service-auth", charset="UTF-8"' };
  const headers = { pragma: 'no-cache', ...(status === 401 && challenge), ...more };
  return json({ error, error_description: description }, headers, status);
}

/** One fault of the input: where, and which rule it breaks. */
export interface InputFault {
  readonly path: string;
  readonly message: string;
}

/** Problem details (RFC 9457), for every answer that is not an OAuth endpoint's. */
export function problem(
  status: number,
  detail: string,
  { headers, code, errors }: { headers?: HeaderRecord; code?: string; errors?: readonly InputFault[] } = {},
): Response {
  const body = { type: 'about:blank', title: STATUS_CODES[status], status, detail, code, errors };
  return json(body, { 'content-type': 'application/problem+json', ...headers }, status);
}
