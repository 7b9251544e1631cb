import { unlessAborted } from '../shared/abort.ts';
import { accessTokenHash as hashOf } from '../shared/dpop.ts';
import { OptionChecker } from '../shared/options.ts';
import { parseUrl } from '../shared/url.ts';
import type { AccessToken } from './access-token.ts';
import { readExchange, type TokensToExchange } from './exchange.ts';
import {
  resolveTokenClient,
  type TokenClientOptions,
  type TokenClientSettings,
  tokenClientOptions,
  withWishFromEnvironment,
} from './token-client-options.ts';
import { createTokenSource, type TokenSource } from './token-source.ts';
import type { TokenSubject } from './token-subject.ts';

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
      readonly accessToken?: never;
    }
  | { readonly accessToken: string; readonly scope?: never; readonly resource?: never };

/** What is exchanged, and for what (RFC 8693 section 2.1). */
export interface ExchangeOptions extends TokensToExchange {
  /** Scopes of the new token, in a list or separated by spaces. @default the client's */
  readonly scope?: string | readonly string[] | undefined;
  /** Where the new token is to be used. @default the client's `resource` */
  readonly resource?: string | readonly string[] | undefined;
  /** The `audience` parameter of the request. @default the client's */
  readonly audience?: string | undefined;
  /** Ends this call's waiting. The request goes on, since others may wait for it. */
  readonly signal?: AbortSignal | undefined;
}

/** The request that a proof is made for. */
export interface DpopProofOptions {
  readonly method: string;
  /** Its URL; query and fragment are left out of the proof. */
  readonly url: string | URL;
  /** The token that is sent with it, whose key then makes the proof. @default none: a proof for a token request */
  readonly accessToken?: string | undefined;
  /** @default the latest that the URL's origin has sent */
  readonly nonce?: string | undefined;
}

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
  /**
   * Exchanges a token for another one, for calls on somebody's behalf, and keeps that (RFC 8693). Concurrent calls
   * with equal tokens share a request.
   *
   * Rejects as `getToken` does, and with `ServiceAuthError` `binding_lost` where a bound token would become one that
   * is not. Not checked: whether the subject token is valid; the authorization server does that.
   */
  exchange(options: ExchangeOptions): Promise<AccessToken>;
  /**
   * A DPoP proof for a request that is sent by other means (RFC 9449 section 4.2); each is good for one request.
   *
   * Rejects with `TypeError` for a malformed option. Not checked: that the token is bound to the key.
   */
  dpopProof(options: DpopProofOptions): Promise<string>;
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
  const settings = resolveTokenClient(where, withWishFromEnvironment(given));
  return tokenClientOf(createTokenSource(settings), settings);
}

const getTokenOptions = ['scope', 'resource', 'forceRefresh', 'signal'];
const exchangeOptions = [
  'subjectToken',
  'subjectTokenType',
  'actorToken',
  'actorTokenType',
  'scope',
  'resource',
  'audience',
  'signal',
];
const proofOptions = ['method', 'url', 'accessToken', 'nonce'];
const invalidateOptions = ['scope', 'resource', 'accessToken'];

/** The public face of a token source. */
export function tokenClientOf(source: TokenSource, settings: TokenClientSettings): TokenClient {
  const getTokenCheck = new OptionChecker('getToken');
  const exchangeCheck = new OptionChecker('exchange');
  const proofCheck = new OptionChecker('dpopProof');
  const invalidateCheck = new OptionChecker('invalidate');

  async function acquire(
    subject: TokenSubject,
    signal: AbortSignal | undefined,
    forceRefresh: boolean,
  ): Promise<AccessToken> {
    const held = forceRefresh ? source.renew(subject) : source.acquire(subject);
    return (held instanceof Promise ? await unlessAborted(held, signal) : held).token;
  }

  return Object.freeze({
    async getToken(options: GetTokenOptions = {}) {
      const given = getTokenCheck.object('options', options, getTokenOptions);
      const { scope, resource, forceRefresh, signal } = given;
      signal?.throwIfAborted();
      return acquire(source.subject({ scope, resource }), signal, forceRefresh === true);
    },
    async exchange(options: ExchangeOptions) {
      const given = exchangeCheck.object('options', options, exchangeOptions);
      const { scope, resource, signal } = given;
      signal?.throwIfAborted();
      const audience =
        given.audience === undefined ? undefined : exchangeCheck.string('audience', given.audience);
      const exchange = await readExchange(exchangeCheck, given);
      return acquire(source.subject({ scope, resource, audience, exchange }), signal, false);
    },
    async dpopProof(options: DpopProofOptions) {
      const given = proofCheck.object('options', options, proofOptions);
      const { accessToken } = given;
      const method = proofCheck.string('method', given.method);
      const url = String(given.url);
      const { origin } = parseUrl(url) ?? proofCheck.failSecret('url', 'an absolute URL');
      const held = accessToken === undefined ? undefined : source.find(accessToken);
      const signer = held?.signer ?? (await settings.dpopKeys.signer());
      const role = accessToken === undefined ? 'issuer' : 'resource';
      const accessTokenHash =
        accessToken === undefined ? undefined : await (held?.hash() ?? hashOf(accessToken));
      const nonce = given.nonce ?? source.servers.nonce(role, origin);
      return signer.prove({ method, url, accessTokenHash, nonce, now: source.servers.now(role, origin) });
    },
    invalidate(what?: InvalidateOptions) {
      if (what === undefined) return source.forget();
      invalidateCheck.object('options', what, invalidateOptions);
      if ('accessToken' in what) return source.forgetToken(what.accessToken);
      return source.forget(source.subject({ scope: what.scope, resource: what.resource }));
    },
    close: () => source.close(),
  });
}
