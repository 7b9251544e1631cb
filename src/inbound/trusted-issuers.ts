/** The `issuer` option of a verifier, checked and resolved to keys and algorithms. */

import type { Emit } from '../events.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { createMetadataDocument } from '../shared/metadata.ts';
import type { OptionChecker } from '../shared/options.ts';
import { type Fetch, fetchTransport } from '../shared/transport.ts';
import { checkIssuerUrl } from '../shared/url-options.ts';
import { type ClaimMapping, type ClaimsOption, resolveClaimMapping } from './claim-mapping.ts';
import { createIntrospector, type Introspector } from './introspection.ts';
import { type IntrospectionOptions, resolveIntrospection } from './introspection-options.ts';
import { type AtMostOne, type KeyOptions, resolveKeys } from './issuer-keys.ts';
import type { JwtIssuer } from './jwt.ts';
import { createStatusLists, type StatusLists } from './status-list.ts';
import { expandTenants } from './tenants.ts';

/**
 * An authorization server whose tokens are accepted, and how they are verified. A member that is `undefined` or `null`
 * is a mistake, so that a variable that is not set drops no check.
 */
export type TrustedIssuer = AtMostOne<IssuerOptions, 'jwksUri' | 'jwks' | 'secret' | 'discovery'>;

interface IssuerOptions extends KeyOptions {
  /** The tenants whose issuers are trusted, put in place of `{tenant}` in `issuer` and every other URL. */
  readonly tenants?: readonly string[];
  /**
   * Asks its introspection endpoint about opaque tokens, or about all (RFC 7662); `true` takes the credentials from
   * SERVICE_AUTH_INTROSPECTION_CLIENT_ID and _SECRET. @default false
   */
  readonly introspection?: boolean | IntrospectionOptions;
  /** Checks the status of tokens that name a status list (OAuth Token Status List). @default false */
  readonly statusList?: boolean;
  /** How scopes, client, audience and kind are read from its tokens. @default what most issuers do */
  readonly claims?: ClaimsOption;
}

export interface IssuerEnvironment {
  /** The transport that was injected, if any. */
  readonly fetch: Fetch | undefined;
  readonly now: () => number;
  readonly emit: Emit | undefined;
}

/** A trusted issuer, ready to be asked. */
export interface ResolvedIssuer extends JwtIssuer {
  readonly mapping: ClaimMapping;
  readonly introspector: Introspector | undefined;
  /** Whether its JWTs are introspected rather than verified. */
  readonly introspectsJwts: boolean;
  readonly statusLists: StatusLists | undefined;
  /** Fetches what its tokens will need. */
  load(): MaybePromise<unknown>;
}

const known = [
  'issuer',
  'tenants',
  'jwksUri',
  'jwks',
  'secret',
  'algorithms',
  'discovery',
  'introspection',
  'statusList',
  'claims',
] as const satisfies readonly (keyof IssuerOptions)[];
const DEADLINE_MS = 5000;

/** Resolves the option; every mistake is a `TypeError` that names it. Nothing is fetched yet. */
export function resolveIssuers(
  check: OptionChecker,
  option: unknown,
  environment: IssuerEnvironment,
): ReadonlyMap<string, ResolvedIssuer> {
  const list = Array.isArray(option) ? option : [option];
  if (list.length === 0) check.fail('issuer', 'an issuer or a non-empty list of them', option);
  const issuers = new Map<string, ResolvedIssuer>();
  for (const item of list) {
    const given = typeof item === 'string' ? { issuer: item } : item;
    const own = check.object('issuer', given as IssuerOptions, known);
    const { issuer: _name, ...members } = own;
    check.noneUnset(members, 'issuer.');
    for (const one of expandTenants(check, own)) {
      if (issuers.has(one.issuer)) check.fail('issuer', 'named once', one.issuer);
      issuers.set(one.issuer, resolveIssuer(check, one, environment));
    }
  }
  const introspecting = [...issuers.values()].filter(({ introspector }) => introspector !== undefined);
  // An opaque token names no issuer: with two to ask, each would learn the other's tokens.
  if (introspecting.length > 1) {
    const names = introspecting.map(({ issuer }) => issuer).join(' and ');
    check.fail('issuer', 'a list with introspection at one issuer at most', names, {
      code: 'options_conflict',
    });
  }
  return issuers;
}

function resolveIssuer(
  check: OptionChecker,
  given: IssuerOptions,
  environment: IssuerEnvironment,
): ResolvedIssuer {
  const issuer = check.string('issuer', given.issuer);
  const { now, emit } = environment;
  // Looked up at each call: a global fetch that is replaced later (by instrumentation, by a test) is the one to use.
  const fetch: Fetch = environment.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const { discovery } = given;
  const metadata = createMetadataDocument({ issuer, discovery, fetch, now, timeoutMs: DEADLINE_MS });
  const fromMetadata = (member: 'jwks_uri' | 'introspection_endpoint'): MaybePromise<string> =>
    andThen(metadata.read(), (document) => document.url(member));
  const source = resolveKeys(check, given, {
    fetch,
    now,
    emit,
    timeoutMs: DEADLINE_MS,
    discover: () => fromMetadata('jwks_uri'),
  });
  const { keys } = source;
  const algorithms = new Set(source.algorithms);
  const settings = resolveIntrospection(check, given.introspection ?? false);
  if (settings !== undefined && settings.endpoint === undefined) checkIssuerUrl(check, issuer);
  const introspector =
    settings &&
    createIntrospector({
      ...settings,
      issuer,
      endpoint: () => settings.endpoint ?? fromMetadata('introspection_endpoint'),
      keys,
      algorithms,
      fetch: environment.fetch,
      now,
      emit,
    });
  const introspectsJwts = settings?.tokens === 'all';
  return Object.freeze({
    issuer,
    algorithms,
    keys,
    mapping: resolveClaimMapping(check, given.claims),
    introspector,
    introspectsJwts,
    statusLists: check.boolean('statusList', given.statusList ?? false)
      ? createStatusLists({
          issuer,
          keys,
          algorithms,
          transport: fetchTransport(fetch),
          now,
          emit,
          timeoutMs: DEADLINE_MS,
        })
      : undefined,
    load: () =>
      introspectsJwts ? (settings?.endpoint ?? fromMetadata('introspection_endpoint')) : keys.load(),
  });
}
