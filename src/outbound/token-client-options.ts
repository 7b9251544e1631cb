/** The options of a token client, checked and resolved once. */
import { fromEnvironment, listFromEnvironment, missing, secretFromEnvironment } from '../environment.ts';
import { optionError } from '../errors.ts';
import { createEmitter, type Emit, type EventListener } from '../events.ts';
import { type ClientAuth, clientSecretBasic } from '../shared/client-auth.ts';
import type { Discovery } from '../shared/metadata.ts';
import { OptionChecker } from '../shared/options.ts';
import { type Secret, secretReader } from '../shared/secret.ts';
import type { TokenStore } from '../shared/stores.ts';
import type { Fetch } from '../shared/transport.ts';
import { checkDiscovery, checkIssuerUrl, checkSecureUrl } from '../shared/url-options.ts';
import { createDpopKeys, type DpopKeyOptions, type DpopKeys } from './dpop-keys.ts';
import { createSharedTokens, type SharedTokens } from './shared-tokens.ts';
import { readExtraParameters, readResources, readScopes, type TokenClientIdentity } from './token-subject.ts';

/** Where tokens come from, who asks for them, and how. */
export interface TokenClientOptions {
  /** The authorization server; its token endpoint is discovered. @default SERVICE_AUTH_ISSUER */
  readonly issuer?: string | undefined;
  /** Where its metadata is. @default both well-known places are tried, RFC 8414 first */
  readonly discovery?: Discovery | undefined;
  /** The token endpoint, where it shall not be discovered. */
  readonly tokenEndpoint?: string | undefined;
  /** @default SERVICE_AUTH_CLIENT_ID */
  readonly clientId?: string | undefined;
  /**
   * The client's secret, or a function that gives it, asked for every token request. Sent with HTTP Basic;
   * for other ways see `clientAuth`. @default SERVICE_AUTH_CLIENT_SECRET or SERVICE_AUTH_CLIENT_SECRET_FILE
   */
  readonly clientSecret?: Secret | undefined;
  /** How the client authenticates, instead of `clientSecret`. */
  readonly clientAuth?: ClientAuth | undefined;
  /** Scopes, in a list or separated by spaces. @default SERVICE_AUTH_SCOPE */
  readonly scope?: string | readonly string[] | undefined;
  /** Resource indicators: absolute URIs (RFC 8707). @default SERVICE_AUTH_RESOURCE */
  readonly resource?: string | readonly string[] | undefined;
  /** The `audience` parameter that some servers know instead of `resource`. @default SERVICE_AUTH_TOKEN_AUDIENCE */
  readonly audience?: string | undefined;
  /** Further parameters of the token request. @default none */
  readonly extraParameters?: Readonly<Record<string, string>> | undefined;
  /**
   * Binds tokens to a key of the client and proves with every call that it is held (RFC 9449): `true` for an ES256
   * key that is made at first use. @default false
   */
  readonly dpop?: boolean | DpopKeyOptions | undefined;
  /**
   * Shares tokens between instances, encrypted with `storeKey`. Tokens that are bound to a key which instances do
   * not share stay where they are. @default none
   */
  readonly store?: TokenStore | undefined;
  /** What tokens in `store` are encrypted with: at least 32 bytes, of UTF-8 if a text; required with `store`. */
  readonly storeKey?: string | Uint8Array | undefined;
  /** When tokens are renewed. @default 60 seconds ahead */
  readonly refresh?: RefreshOptions | undefined;
  /** Lifetime of tokens whose answer has no `expires_in`, in seconds. @default 300 */
  readonly defaultLifetimeSeconds?: number | undefined;
  /** Deadline of one request to the authorization server, and of a secret's function, in milliseconds. @default 10_000 */
  readonly timeoutMs?: number | undefined;
  /** @default the global fetch */
  readonly fetch?: Fetch | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: (() => number) | undefined;
  /** Spreads refreshes and retries; from 0 to below 1. @default Math.random */
  readonly random?: (() => number) | undefined;
  /** Receives every event; what it throws is ignored. @default none */
  readonly onEvent?: EventListener | undefined;
}

/** When a token is renewed before it expires. */
export interface RefreshOptions {
  /**
   * How long before expiry a token is renewed in the background, in seconds: at most that long, spread over the
   * window's first fifth, and at most half the lifetime. `0` renews at expiry only. @default 60
   */
  readonly aheadSeconds?: number | undefined;
  /**
   * How long before expiry calls wait for a new token, in seconds; at most a tenth of the lifetime. While none can
   * be had, the old one serves until it has expired. @default 1
   */
  readonly mandatorySeconds?: number | undefined;
}

const names = [
  'issuer',
  'discovery',
  'tokenEndpoint',
  'clientId',
  'clientSecret',
  'clientAuth',
  'scope',
  'resource',
  'audience',
  'extraParameters',
  'dpop',
  'store',
  'storeKey',
  'refresh',
  'defaultLifetimeSeconds',
  'timeoutMs',
  'fetch',
  'now',
  'random',
  'onEvent',
] as const satisfies readonly (keyof TokenClientOptions)[];
/** The names of all token client options. */
export const tokenClientOptions: readonly string[] = names;

export interface TokenClientSettings {
  readonly check: OptionChecker;
  readonly identity: TokenClientIdentity;
  readonly discovery: Discovery | undefined;
  readonly clientAuth: ClientAuth;
  /** Asked for where a call does not say otherwise. */
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  /** Whether tokens are bound to a key where nothing else is said. */
  readonly dpop: boolean;
  readonly dpopKeys: DpopKeys;
  readonly shared: SharedTokens | undefined;
  readonly aheadMs: number;
  readonly mandatoryMs: number;
  readonly defaultLifetimeSeconds: number;
  readonly timeoutMs: number;
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly random: () => number;
  readonly emit: Emit | undefined;
}

/**
 * Checks the options; who asks and where comes from the environment if need be. What is asked for does not.
 *
 * @throws TypeError that names the option, the rule and the value.
 */
export function resolveTokenClient(where: string, options: TokenClientOptions): TokenClientSettings {
  const check = new OptionChecker(where);
  const given = check.object('options', options, tokenClientOptions);
  const now = check.function('now', given.now) ?? (() => Date.now());
  const { aheadSeconds = 60, mandatorySeconds = 1 } = check.object('refresh', given.refresh ?? {}, [
    'aheadSeconds',
    'mandatorySeconds',
  ]);
  const { defaultLifetimeSeconds = 300, timeoutMs = 10_000, audience } = given;
  const random = check.function('random', given.random) ?? (() => Math.random());
  const emit = createEmitter(check.function('onEvent', given.onEvent), now);
  const server = readServer(check, where, given);
  const clientId = given.clientId ?? fromEnvironment('SERVICE_AUTH_CLIENT_ID');
  if (clientId === undefined) throw missing(where, 'clientId', 'SERVICE_AUTH_CLIENT_ID');
  return Object.freeze({
    check,
    identity: Object.freeze({
      ...server,
      clientId: check.string('clientId', clientId),
      audience: audience === undefined ? undefined : check.string('audience', audience),
      extraParameters: readExtraParameters(check, given.extraParameters),
    }),
    discovery: given.discovery,
    clientAuth: readClientAuth(check, where, given),
    scopes: readScopes(check, 'scope', given.scope),
    resources: readResources(check, 'resource', given.resource),
    dpop: given.dpop !== undefined && given.dpop !== false,
    dpopKeys: createDpopKeys(check, given.dpop),
    shared: readStore(check, given, { now, random, timeoutMs, emit }),
    aheadMs: check.number('refresh.aheadSeconds', aheadSeconds, 0, 86_400, 'seconds') * 1000,
    mandatoryMs: check.number('refresh.mandatorySeconds', mandatorySeconds, 0, 3600, 'seconds') * 1000,
    defaultLifetimeSeconds: check.number(
      'defaultLifetimeSeconds',
      defaultLifetimeSeconds,
      1,
      86_400,
      'seconds',
    ),
    timeoutMs: check.number('timeoutMs', timeoutMs, 1, 600_000, 'milliseconds'),
    // Looked up at each call: a global fetch that is replaced later (by instrumentation, by a test) is the one to use.
    fetch: check.function('fetch', given.fetch) ?? ((url, init) => globalThis.fetch(url, init)),
    now,
    random,
    emit,
  });
}

function readStore(
  check: OptionChecker,
  { store, storeKey }: TokenClientOptions,
  { emit, ...timing }: Pick<TokenClientSettings, 'now' | 'random' | 'timeoutMs' | 'emit'>,
): SharedTokens | undefined {
  if (store === undefined) {
    if (storeKey !== undefined)
      check.failSecret('storeKey', 'absent where there is no store', { code: 'options_conflict' });
    return undefined;
  }
  if (storeKey === undefined)
    return check.failSecret('storeKey', 'given with store: tokens are encrypted there', {
      code: 'options_conflict',
    });
  const onFailed = (operation: 'get' | 'set' | 'lease' | 'open'): void =>
    emit?.({ type: 'token.store_failed', operation });
  return createSharedTokens({ check, store, storeKey, ...timing, onFailed });
}

/** Adds `scope`, `resource` and `audience` from the environment where the options do not say. */
export function withWishFromEnvironment<T extends TokenClientOptions>(given: T): T {
  const scope = given.scope ?? fromEnvironment('SERVICE_AUTH_SCOPE');
  const resource = given.resource ?? listFromEnvironment('SERVICE_AUTH_RESOURCE');
  const audience = given.audience ?? fromEnvironment('SERVICE_AUTH_TOKEN_AUDIENCE');
  return { ...given, scope, resource, audience };
}

function readServer(
  check: OptionChecker,
  where: string,
  { issuer, tokenEndpoint, discovery }: TokenClientOptions,
): Pick<TokenClientIdentity, 'issuer' | 'tokenEndpoint'> {
  if (tokenEndpoint !== undefined) {
    checkSecureUrl(check, 'tokenEndpoint', tokenEndpoint);
    if (discovery !== undefined)
      check.fail('discovery', 'absent where tokenEndpoint is given', discovery, { code: 'options_conflict' });
    return { issuer: issuer === undefined ? undefined : check.string('issuer', issuer), tokenEndpoint };
  }
  const named = issuer ?? fromEnvironment('SERVICE_AUTH_ISSUER');
  if (named === undefined) throw missing(where, 'issuer (or tokenEndpoint)', 'SERVICE_AUTH_ISSUER');
  if (issuer === undefined && /\s/.test(named)) {
    check.refuse('SERVICE_AUTH_ISSUER names several issuers', {
      code: 'option_misplaced',
      hint: 'say by issuer which one gives tokens',
    });
  }
  checkIssuerUrl(check, named);
  if (discovery !== undefined) checkDiscovery(check, discovery);
  return { issuer: named, tokenEndpoint: undefined };
}

/** The environment's secret is that of the environment's client: no other may send it, and it goes nowhere else. */
function secretOfEnvironment(where: string, given: TokenClientOptions): Secret {
  const { clientId, issuer, tokenEndpoint } = given;
  const isOwn = clientId === undefined || clientId === fromEnvironment('SERVICE_AUTH_CLIENT_ID');
  const isUnset = Object.hasOwn(given, 'clientSecret') && `${issuer ?? ''}${tokenEndpoint ?? ''}` !== '';
  if (isOwn && !isUnset) return secretFromEnvironment(where);
  throw optionError(
    isUnset ? 'option_unset' : 'option_missing',
    isUnset
      ? `${where}: clientSecret is undefined; SERVICE_AUTH_CLIENT_SECRET does not stand in for one that was to be given`
      : `${where}: clientSecret is required; SERVICE_AUTH_CLIENT_SECRET serves SERVICE_AUTH_CLIENT_ID alone`,
  );
}

function readClientAuth(check: OptionChecker, where: string, given: TokenClientOptions): ClientAuth {
  const { clientSecret, clientAuth } = given;
  if (clientAuth === undefined) {
    const secret = clientSecret ?? secretOfEnvironment(where, given);
    secretReader(check, 'clientSecret', secret);
    return clientSecretBasic(secret);
  }
  if (clientSecret !== undefined) {
    check.failSecret('clientSecret', 'absent where clientAuth is given; give the secret to that function', {
      code: 'options_conflict',
    });
  }
  if (typeof clientAuth !== 'function') {
    // Whatever was given instead may be a secret.
    return check.failSecret('clientAuth', 'a function such as clientSecretBasic(secret)');
  }
  return clientAuth;
}
