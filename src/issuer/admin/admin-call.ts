import type * as z from 'zod';
import { ServiceAuthError } from '../../errors.ts';
import { printable } from '../../shared/fault.ts';
import { requestBytes, retryAfterMs, withoutQuery } from '../../shared/http.ts';
import { type JsonObject, parseJsonObject } from '../../shared/json.ts';
import type { MaybePromise } from '../../shared/maybe-async.ts';
import { askSource } from '../../shared/secret.ts';
import { type AnswerHeaders, type Fetch, fetchTransport } from '../../shared/transport.ts';
import { problemDetails } from './answers.ts';

/** One request to the admin API, and what its answer must be. */
export interface AdminCall<T> {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE';
  /** The names of things are segments of their own. */
  readonly path: readonly string[];
  readonly query?: Readonly<Record<string, string | number | undefined>>;
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly answer: z.ZodType<T>;
}

export interface AdminCallerOptions {
  readonly baseUrl: string;
  readonly adminToken: string | (() => MaybePromise<string>) | undefined;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
}

export type AdminCaller = <T>(call: AdminCall<T>) => Promise<T>;

/** 200 services with keys of their own. */
const LARGEST_ANSWER = 16 * 1024 * 1024;
const TOKEN = 'the admin token';

/** Makes the function that sends requests to the admin API and reads their answers. */
export function createAdminCaller({
  baseUrl,
  adminToken,
  fetch,
  timeoutMs,
}: AdminCallerOptions): AdminCaller {
  async function authorization(): Promise<Record<string, string>> {
    if (adminToken === undefined) return {};
    const token = typeof adminToken === 'string' ? adminToken : await askSource(TOKEN, adminToken);
    if (typeof token === 'string' && /^[\x21-\x7e]+$/.test(token))
      return { authorization: `Bearer ${token}` };
    throw new ServiceAuthError('client_auth_failed', `${TOKEN} could not be read (no token was given)`);
  }

  return async ({ method, path, query = {}, body, headers, answer }) => {
    const url = `${baseUrl}${pathOf(path)}${queryOf(query)}`;
    const reply = await requestBytes(
      fetchTransport((target, init) => fetch(target, { ...init, method })),
      {
        url,
        headers: { ...(await authorization()), ...(body && { 'content-type': typeOf(method) }), ...headers },
        timeoutMs,
        maxBytes: LARGEST_ANSWER,
        ...(body && { body: JSON.stringify(body) }),
      },
    );
    const { status } = reply;
    const json = parseJsonObject(reply.bytes);
    if (status < 200 || status > 299) throw refusal(url, status, json, reply.headers);
    const read = answer.safeParse(json);
    if (read.success) return read.data;
    const text = `${withoutQuery(url)} did not answer as an admin API of this version does`;
    throw new ServiceAuthError('response_malformed', text, { status });
  };
}

/** No segment may be one that a URL parser takes away: it would lead to another thing than was named. */
function pathOf(segments: readonly string[]): string {
  const isNamed = segments.every((text) => /^(?!\.{0,2}$)\P{Surrogate}+$/u.test(text));
  if (isNamed) return segments.map((text) => `/${encodeURIComponent(text)}`).join('');
  throw new ServiceAuthError('admin_refused', 'the admin API has no path for such a name', { status: 404 });
}

function queryOf(query: NonNullable<AdminCall<unknown>['query']>): string {
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [[name, `${value}`]],
  );
  return pairs.length === 0 ? '' : `?${new URLSearchParams(pairs)}`;
}

/** RFC 7396 section 3: a patch is a document of another type. */
function typeOf(method: AdminCall<unknown>['method']): string {
  return method === 'PATCH' ? 'application/merge-patch+json' : 'application/json';
}

/** Says what the issuer said, whose texts repeat nothing that was sent but names of members. */
function refusal(
  url: string,
  status: number,
  json: JsonObject | undefined,
  headers: AnswerHeaders,
): ServiceAuthError {
  const { data } = problemDetails.safeParse(json);
  const errors = data?.errors?.map(({ path, message }) => ({
    path: printable(path),
    message: printable(message),
  }));
  const detail = data && printable(data.detail);
  const faults = errors?.map(({ path, message }) => `${path}: ${message}`) ?? [];
  const text = [`${withoutQuery(url)} answered ${status}`, detail, faults.join(', ')].filter(Boolean);
  return new ServiceAuthError('admin_refused', text.join('; '), {
    status,
    retryAfterMs: retryAfterMs(headers, Date.now()),
    problem: { code: data?.code && printable(data.code), detail, errors: errors ?? [] },
  });
}
