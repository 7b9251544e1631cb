/** One call of an introspection endpoint (RFC 7662 section 2.1), authenticated by a credential that it takes. */
import { isServiceAuthError, ServiceAuthError } from '../errors.ts';
import { authenticateClient, type ClientAuth } from '../shared/client-auth.ts';
import { within } from '../shared/deadline.ts';
import { type BoundedAnswer, requestBytes } from '../shared/http.ts';
import type { JsonObject } from '../shared/json.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { Transport } from '../shared/transport.ts';
import {
  ANSWER_TYPE,
  type AnswerRules,
  isClientRefused,
  readAnswer,
  UnusableAnswer,
} from './introspection-answer.ts';

/**
 * Asks about a token; the answer's `active` is true or false. Where the endpoint refuses one of several credentials,
 * another is tried once. `leftMs` says how long all of it may still take.
 *
 * @throws ServiceAuthError (rejects) `client_auth_failed`, `unexpected_status`, and those of `requestBytes`.
 */
export type IntrospectionCall = (token: string, leftMs: () => number) => Promise<JsonObject | UnusableAnswer>;

export interface IntrospectionCallOptions extends AnswerRules {
  readonly endpoint: () => MaybePromise<string>;
  /** Told where each call goes. */
  readonly onEndpoint?: ((url: string) => void) | undefined;
  readonly clientAuth: ClientAuth;
  readonly transport: Transport;
  /** For each step. */
  readonly timeoutMs: number;
}

/** A request with the client's authentication, and after how many refusals this credential comes. */
interface Prepared {
  readonly url: string;
  readonly body: string;
  readonly headers: Record<string, string>;
  readonly credential: string | undefined;
  readonly refusals: number;
}

const MAX_BYTES = 64 * 1024;

export function createIntrospectionCall(options: IntrospectionCallOptions): IntrospectionCall {
  const { issuer, clientId, clientAuth, now, timeoutMs, transport } = options;
  const accept = options.response === 'jwt' ? `application/${ANSWER_TYPE}` : 'application/json';
  // After how many refusals the credential comes that the endpoint took last; it goes first.
  let taken = 0;

  async function prepare(token: string, url: string, refusals: number, limitMs: number): Promise<Prepared> {
    const form = new URLSearchParams([
      ['token', token],
      ['token_type_hint', 'access_token'],
    ]);
    const added: Record<string, string> = {};
    const unauthenticated = { issuer, endpoint: url, clientId, form, headers: added, refusals, now };
    const used = await authenticateClient(clientAuth, unauthenticated, limitMs);
    // Not a spread: an object that grows after one is copied member by member, at twenty times the cost.
    const headers = Object.assign({}, added, { accept, 'content-type': 'application/x-www-form-urlencoded' });
    return { url, body: form.toString(), headers, credential: used?.credential, refusals };
  }

  function send({ url, body, headers }: Prepared, limitMs: number): Promise<BoundedAnswer> {
    return requestBytes(transport, { url, body, headers, timeoutMs: limitMs, maxBytes: MAX_BYTES });
  }

  /** Of a list the next credential, after the last the first again; a source may have another by now. */
  async function findOther(
    token: string,
    { url, credential, refusals }: Prepared,
    limitMs: () => number,
  ): Promise<Prepared | undefined> {
    // What does not tell its credentials apart cannot be seen to have another.
    if (credential === undefined) return undefined;
    for (const count of [refusals + 1, 0]) {
      const other = await prepare(token, url, count, limitMs());
      if (other.credential !== undefined && other.credential !== credential) return other;
    }
    return undefined;
  }

  return async (token, leftMs) => {
    const limitMs = (): number => Math.max(Math.ceil(Math.min(timeoutMs, leftMs())), 1);
    const url = await findEndpoint(options.endpoint(), limitMs);
    options.onEndpoint?.(url);
    try {
      const first = await prepare(token, url, taken, limitMs());
      let answer = await send(first, limitMs());
      const other = isClientRefused(answer) ? await findOther(token, first, limitMs) : undefined;
      if (other !== undefined) {
        answer = await send(other, limitMs());
        if (!isClientRefused(answer)) taken = other.refusals;
      }
      return await readAnswer(answer, url, options);
    } catch (error) {
      const isTooLarge = isServiceAuthError(error) && error.code === 'response_too_large';
      if (isTooLarge && error.status === 200) return new UnusableAnswer(error, false);
      throw error;
    }
  };
}

function findEndpoint(endpoint: MaybePromise<string>, limitMs: () => number): MaybePromise<string> {
  if (typeof endpoint === 'string') return endpoint;
  const ms = limitMs();
  return within(ms, endpoint, () => {
    throw new ServiceAuthError('timeout', `the introspection endpoint was not known within ${ms} ms`);
  });
}
