/** Request bodies, bounded before they are read and strict in their encoding. */

import { type JsonObject, parseJsonObject } from '../../shared/json.ts';
import type { Bytes } from '../../shared/runtime.ts';
import { readBounded } from '../../shared/transport.ts';
import type { IssuerRequest } from './incoming.ts';
import { OAuthFault } from './oauth-fault.ts';

/** The parameters of a form; each has one value, save for those that may be repeated. */
export interface Form {
  get(name: string): string | undefined;
  all(name: string): readonly string[];
}

export const LARGEST_BODY = 64 * 1024;
/** RFC 8707 section 2. */
const repeatable: ReadonlySet<string> = new Set(['resource']);

const strictDecoder = new TextDecoder('utf-8', { fatal: true });

/** Reads `application/x-www-form-urlencoded`; a parameter that is sent twice is refused (RFC 6749 section 3.2). */
export async function readForm(request: IssuerRequest): Promise<Form | OAuthFault> {
  if (mediaType(request) !== 'application/x-www-form-urlencoded') {
    return new OAuthFault('invalid_request', 'the content type must be application/x-www-form-urlencoded');
  }
  const bytes = await readBounded(request, LARGEST_BODY);
  if (bytes === undefined) {
    return new OAuthFault('invalid_request', `the body is larger than ${LARGEST_BODY} bytes`, 413);
  }
  const text = decode(bytes);
  if (text === undefined) return new OAuthFault('invalid_request', 'the body is not UTF-8');
  const values = new Map<string, string[]>();
  for (const [name, value] of new URLSearchParams(text)) {
    // RFC 6749 section 3.2: a parameter without a value counts as omitted.
    if (value === '') continue;
    const list = values.get(name);
    if (list === undefined) values.set(name, [value]);
    else if (repeatable.has(name)) list.push(value);
    else return new OAuthFault('invalid_request', 'a parameter is included more than once');
  }
  return { get: (name) => values.get(name)?.[0], all: (name) => values.get(name) ?? [] };
}

export type JsonBody =
  | { readonly json: JsonObject }
  | { readonly status: 400 | 413 | 415; readonly detail: string };

/** Reads a JSON object; no body at all counts as an empty one where that is allowed. */
export async function readJson(
  request: IssuerRequest,
  { allowEmpty = false, types = ['application/json'] as readonly string[] } = {},
): Promise<JsonBody> {
  const bytes = await readBounded(request, LARGEST_BODY);
  if (bytes === undefined) return { status: 413, detail: `the body is larger than ${LARGEST_BODY} bytes` };
  if (allowEmpty && bytes.length === 0) return { json: {} };
  if (!types.includes(mediaType(request))) {
    return { status: 415, detail: `the content type must be ${types.join(' or ')}` };
  }
  const json = parseJsonObject(bytes);
  return json === undefined ? { status: 400, detail: 'the body must be a JSON object' } : { json };
}

function mediaType(request: IssuerRequest): string {
  const [type = ''] = (request.headers.get('content-type') ?? '').split(';');
  return type.trim().toLowerCase();
}

function decode(bytes: Bytes): string | undefined {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return undefined;
  }
}
