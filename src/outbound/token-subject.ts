/** What a token is asked for, and the cache key that stands for all of it. */
import type { OptionChecker } from '../shared/options.ts';
import { readScopeNames } from '../shared/scope.ts';
import { parseUrl } from '../shared/url.ts';

export type Parameters = readonly (readonly [name: string, value: string])[];

/** Who asks where; the same for all tokens of one client. */
export interface TokenClientIdentity {
  readonly issuer: string | undefined;
  readonly tokenEndpoint: string | undefined;
  readonly clientId: string;
  readonly audience: string | undefined;
  readonly extraParameters: Parameters;
}

/** What one token of a client is asked for. */
export interface TokenWish {
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  /** Instead of the client's. */
  readonly audience?: string | undefined;
  /** Whether it is to be bound to a key (RFC 9449). */
  readonly dpop: boolean;
  readonly exchange?: ExchangeWish | undefined;
}

/** The tokens that are exchanged for another (RFC 8693), and what stands for them in keys. */
export interface ExchangeWish {
  /** Digests of subject and actor token: keys outlive calls, and must not hold tokens. */
  readonly fingerprint: string;
  readonly parameters: Parameters;
  /** The subject token is bound to a key: what it is exchanged for must be, too. */
  readonly keepsBinding: boolean;
}

/** One kind of token of a client. Equal keys mean equal requests, and the other way round. */
export interface TokenSubject {
  readonly key: string;
  readonly grant: 'client_credentials' | 'urn:ietf:params:oauth:grant-type:token-exchange';
  readonly scope: string | undefined;
  readonly resources: readonly string[];
  readonly dpop: boolean;
  readonly keepsBinding: boolean;
  /** The parameters of the token request besides the grant and the client's authentication. */
  readonly parameters: Parameters;
}

/** Makes the subject of scopes and resources that were checked. */
export function tokenSubject(identity: TokenClientIdentity, wish: TokenWish): TokenSubject {
  const { issuer, tokenEndpoint, clientId, extraParameters } = identity;
  const { dpop, exchange, audience = identity.audience } = wish;
  const scopes = distinct(wish.scopes);
  const resources = distinct(wish.resources);
  const extra = [...extraParameters].sort(([a], [b]) => (a < b ? -1 : 1));
  // JSON text of a tuple: no value can imitate a border between two.
  const key = JSON.stringify([
    issuer ?? null,
    tokenEndpoint ?? null,
    clientId,
    scopes,
    resources,
    audience ?? null,
    extra,
    dpop,
    exchange?.fingerprint ?? null,
  ]);
  const scope = scopes.length === 0 ? undefined : scopes.join(' ');
  const parameters: (readonly [string, string])[] = [];
  if (scope !== undefined) parameters.push(['scope', scope]);
  for (const resource of resources) parameters.push(['resource', resource]);
  if (audience !== undefined) parameters.push(['audience', audience]);
  parameters.push(...extra, ...(exchange?.parameters ?? []));
  return Object.freeze({
    key,
    grant: exchange === undefined ? 'client_credentials' : 'urn:ietf:params:oauth:grant-type:token-exchange',
    scope,
    resources,
    dpop,
    keepsBinding: exchange?.keepsBinding ?? false,
    parameters,
  });
}

function distinct(values: readonly string[]): readonly string[] {
  return Object.freeze([...new Set(values)].sort());
}

/** Scopes of an option that may be left out. */
export function readScopes(check: OptionChecker, option: string, value: unknown): readonly string[] {
  return value === undefined ? [] : readScopeNames(check, option, value);
}

/** Resource indicators: absolute URIs without fragment (RFC 8707 section 2). */
export function readResources(check: OptionChecker, option: string, value: unknown): readonly string[] {
  if (value === undefined) return [];
  const resources = check.strings(option, value);
  for (const resource of resources) {
    if (parseUrl(resource) === undefined || resource.includes('#')) {
      check.fail(option, 'an absolute URI without fragment; other names belong into audience', resource);
    }
  }
  return resources;
}

const ownParameters = [
  'grant_type',
  'scope',
  'resource',
  'audience',
  'client_id',
  'client_secret',
  'client_assertion',
  'client_assertion_type',
  'subject_token',
  'subject_token_type',
  'actor_token',
  'actor_token_type',
];

/** Further form parameters; those that have an option of their own, or prove the client, are refused. */
export function readExtraParameters(check: OptionChecker, value: unknown): Parameters {
  if (value === undefined) return [];
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return check.failKind('extraParameters', 'an object of strings', value);
  }
  return Object.entries(value).map(([name, content]) => {
    if (ownParameters.includes(name)) check.fail('extraParameters', 'free of what service-auth sets', name);
    // Its value is not shown: some servers take keys here.
    if (typeof content !== 'string') return check.failSecret(`extraParameters.${name}`, 'a string');
    return [name, content] as const;
  });
}
