import { unlessAborted } from '../shared/abort.ts';
import { OptionChecker } from '../shared/options.ts';
import type { AccessToken } from './access-token.ts';
import {
  resolveTokenClient,
  type TokenClientOptions,
  tokenClientOptions,
  withScopeFromEnvironment,
} from './token-client-options.ts';
import { createTokenSource, type TokenSource } from './token-source.ts';

/** What a token is asked for, where it is not what the client was made for. */
export interface GetTokenOptions {
  /** Scopes instead of the client's, in a list or separated by spaces. */
  readonly scope?: string | readonly string[] | undefined;
  /** Resource indicators instead of the client's. */
  readonly resource?: string | readonly string[] | undefined;
  /** Asks the server even if there is a usable token; a request already under way is joined. @default false */
  readonly forceRefresh?: boolean | undefined;
  /** Ends this call's waiting. The request goes on, since others may wait for it. */
  readonly signal?: AbortSignal | undefined;
}

/** Which tokens to forget: those of a scope and resource, or the one of this value. */
export type InvalidateOptions =
  | {
      readonly scope?: string | readonly string[] | undefined;
      readonly resource?: string | readonly string[] | undefined;
    }
  | { readonly accessToken: string };

/** Gets access tokens and keeps them. Made by {@link createTokenClient}. */
export interface TokenClient {
  /**
   * The access token for scope and resource: from memory, or from the server. Concurrent calls share a request.
   *
   * Rejects with `ServiceAuthError`: `token_request_rejected`, `token_response_invalid`, `client_auth_failed`,
   * `unexpected_status`, `network_failed`, `timeout`, `closed` and those of discovery; with `TypeError` for a
   * malformed option; with the signal's reason once that is aborted.
   */
  getToken(options?: GetTokenOptions): Promise<AccessToken>;
  /** Forgets tokens, all of them without argument. A request under way fills no later call. */
  invalidate(what?: InvalidateOptions): void;
  /** Forgets all tokens and ends all requests; every later call is refused. */
  close(): void;
}

/**
 * Makes a client that gets access tokens with the client credentials grant and keeps them.
 *
 * Renews a token in the background before it expires, never gives out an expired one, and keeps a valid one in
 * use while the server fails. Not checked: what is inside the token; that is for whoever receives it.
 * RFC 6749 section 4.4, RFC 8414, RFC 8707.
 *
 * @throws TypeError that names the option, the rule and the value, or the missing environment variable.
 *
 * @example
 * ```ts
 * import { createTokenClient } from 'service-auth';
 *
 * const tokens = createTokenClient({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientSecret: process.env.BILLING_SECRET,
 *   scope: 'orders:read',
 * });
 *
 * export async function header(): Promise<string> {
 *   const { accessToken } = await tokens.getToken();
 *   return `Bearer ${accessToken}`;
 * }
 * ```
 */
export function createTokenClient(options: TokenClientOptions = {}): TokenClient {
  const where = 'createTokenClient';
  const given = new OptionChecker(where).object('options', options, tokenClientOptions);
  return tokenClientOf(createTokenSource(resolveTokenClient(where, withScopeFromEnvironment(given))));
}

const getTokenOptions = ['scope', 'resource', 'forceRefresh', 'signal'];
const invalidateOptions = ['scope', 'resource', 'accessToken'];

/** The public face of a token source. */
export function tokenClientOf(source: TokenSource): TokenClient {
  const getTokenCheck = new OptionChecker('getToken');
  const invalidateCheck = new OptionChecker('invalidate');
  return Object.freeze({
    async getToken(options: GetTokenOptions = {}) {
      const { scope, resource, forceRefresh, signal } = getTokenCheck.object(
        'options',
        options,
        getTokenOptions,
      );
      signal?.throwIfAborted();
      const subject = source.subject(scope, resource);
      const token = forceRefresh === true ? source.renew(subject) : source.acquire(subject);
      return token instanceof Promise ? unlessAborted(token, signal) : token;
    },
    invalidate(what?: InvalidateOptions) {
      if (what === undefined) return source.forget();
      invalidateCheck.object('options', what, invalidateOptions);
      if ('accessToken' in what) return source.forgetToken(what.accessToken);
      return source.forget(source.subject(what.scope, what.resource));
    },
    close: () => source.close(),
  });
}
