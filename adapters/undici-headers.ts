/** The forms in which undici takes header fields. */
import type { Dispatcher } from 'undici';
import type { AuthorizedCall } from '../src/index.ts';

type RequestHeaders = Dispatcher.DispatchOptions['headers'];
type Fields = Iterable<string | readonly [string, string | readonly string[] | undefined]>;

/** The same fields, such that they can be read more than once. */
export function rereadable(headers: RequestHeaders): RequestHeaders {
  const isOnce = typeof headers === 'object' && headers !== null && Symbol.iterator in headers;
  return isOnce && !Array.isArray(headers) ? [...flat(headers)] : headers;
}

/** Whether there is a field that proves who calls. */
export function hasCredential(headers: RequestHeaders): boolean {
  if (headers === null || headers === undefined) return false;
  if (Symbol.iterator in headers) return flat(headers).some((text, at) => at % 2 === 0 && isProving(text));
  for (const name in headers) {
    if (isProving(name)) return true;
  }
  return false;
}

function isProving(name: string): boolean {
  if (name.length !== 13 && name.length !== 4) return false;
  const lower = name.toLowerCase();
  return lower === 'authorization' || lower === 'dpop';
}

/** The fields with those that prove who calls, in a form that every interceptor knows. */
export function withCredential(
  headers: RequestHeaders,
  { authorization, dpop }: AuthorizedCall,
): Record<string, string | string[] | undefined> | string[] {
  if (headers !== null && headers !== undefined && Symbol.iterator in headers) {
    const proof = dpop === undefined ? [] : ['dpop', dpop];
    return [...flat(headers), 'authorization', authorization, ...proof];
  }
  return dpop === undefined ? { ...headers, authorization } : { ...headers, authorization, dpop };
}

/** Names and values in turn, of a list that is so already or of pairs. */
function flat(fields: Fields): readonly string[] {
  const list: string[] = [];
  for (const field of fields) {
    if (typeof field === 'string') list.push(field);
    else for (const value of [field[1] ?? []].flat()) list.push(field[0], value);
  }
  return list;
}
