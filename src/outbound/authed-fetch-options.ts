/** The options of an authed fetch, checked and resolved once. */
import { listFromEnvironment, missing } from '../environment.ts';
import { OptionChecker } from '../shared/options.ts';
import type { FetchFunction } from './hop.ts';
import { type ResolvedTarget, readTargets, type Targets, targetOfResource } from './targets.ts';
import {
  resolveTokenClient,
  type TokenClientOptions,
  type TokenClientSettings,
  tokenClientOptions,
  withWishFromEnvironment,
} from './token-client-options.ts';

/** Those of a token client, and which URLs may be called with its tokens. */
export interface AuthedFetchOptions extends Omit<TokenClientOptions, 'fetch'> {
  /**
   * Which URLs may be called, and what their tokens are asked for; all others are refused before anything is sent.
   * Where it is given, `scope`, `resource` and `audience` are not taken from the environment.
   * @default the place that `resource` names, or SERVICE_AUTH_TARGETS
   */
  readonly targets?: Targets | undefined;
  /**
   * What to do when a call is redirected away from its target: `'refuse'` rejects with `redirect_refused`,
   * `'strip'` goes on without `Authorization`, `Cookie`, `DPoP` and `Proxy-Authorization`. The latter still sends
   * other headers, and with 307 and 308 the body. @default 'refuse'
   */
  readonly redirectPolicy?: RedirectPolicy | undefined;
  /** Sends calls and token requests; must obey `redirect: 'manual'`. @default the global fetch */
  readonly fetch?: FetchFunction | undefined;
}

/** What happens to a call that is redirected away from its target. */
export type RedirectPolicy = 'refuse' | 'strip';

export interface AuthedFetchSettings {
  readonly client: TokenClientSettings;
  readonly targets: readonly ResolvedTarget[];
  readonly redirectPolicy: RedirectPolicy;
  readonly fetch: FetchFunction;
}

/**
 * Checks the options and fills what is missing from the environment.
 *
 * @throws TypeError that names the option, the rule and the value.
 */
export function resolveAuthedFetch(where: string, options: AuthedFetchOptions): AuthedFetchSettings {
  const check = new OptionChecker(where);
  const given = check.object('options', options, [...tokenClientOptions, 'targets', 'redirectPolicy']);
  const { targets, redirectPolicy, fetch: givenFetch, ...rest } = given;
  const fetch: FetchFunction =
    check.function('fetch', givenFetch) ?? ((input, init) => globalThis.fetch(input, init));
  const clientOptions: TokenClientOptions = { ...rest, fetch };
  const client = resolveTokenClient(
    where,
    targets === undefined ? withWishFromEnvironment(clientOptions) : clientOptions,
  );
  return {
    client,
    targets: readTargets(check, targets ?? defaultTargets(check, where, given, client)),
    redirectPolicy: check.oneOf('redirectPolicy', redirectPolicy ?? 'refuse', ['refuse', 'strip']),
    fetch,
  };
}

/** A resource in the options goes before the environment's targets, those before the environment's resource. */
function defaultTargets(
  check: OptionChecker,
  where: string,
  { resource }: AuthedFetchOptions,
  { resources }: TokenClientSettings,
): Targets {
  const named = resource === undefined ? listFromEnvironment('SERVICE_AUTH_TARGETS') : undefined;
  if (named !== undefined) return named;
  const target = targetOfResource(resources);
  if (target !== undefined) return [target];
  if (resources.length === 0) throw missing(where, 'targets', 'SERVICE_AUTH_TARGETS');
  return check.fail('targets', 'given where resource is not exactly one http(s) URL', resources);
}
