/** Says what calls of a URL would meet, from what is known already. */

import { parseUrl } from '../shared/url.ts';
import type { SubjectFinder } from './subject-finder.ts';
import type { ResolvedTarget, TargetFinder } from './targets.ts';
import type { TokenState } from './token-slot.ts';
import type { TokenSource } from './token-source.ts';

/** What is known about calls of one URL. */
export interface Explanation {
  /** Undefined if no target covers the URL; a call would be refused. */
  readonly target:
    | {
        readonly origin: string;
        readonly pathPrefix: string;
        readonly scope: string | undefined;
        readonly resources: readonly string[];
        /** Whether its tokens are bound to a key. */
        readonly dpop: boolean;
      }
    | undefined;
  /** The token in memory: undefined before the first call, and where a call would first have to ask on whose behalf. */
  readonly token: (NonNullable<TokenState['token']> & { readonly ageMs: number }) | undefined;
  /** Why the latest attempt to get a token failed; undefined after a success. */
  readonly lastError: TokenState['lastError'];
}

/** What is looked at. */
export interface Known {
  readonly places: TargetFinder<ResolvedTarget>;
  readonly subjectOf: SubjectFinder;
  readonly source: TokenSource;
  readonly now: () => number;
}

export function explain({ places, subjectOf, source, now }: Known, url: string | URL): Explanation {
  const parsed = parseUrl(url);
  const target = parsed && places.ofUrl(parsed);
  if (target === undefined) return { target, token: undefined, lastError: undefined };
  const { origin, pathPrefix } = target;
  const { scopes, resources: asked, dpop: isBound } = target;
  const { scope, resources, dpop } = source.subject({ scope: scopes, resource: asked, dpop: isBound });
  const known = subjectOf.known(target);
  const state = known && source.state(known);
  return {
    target: { origin, pathPrefix, scope, resources, dpop },
    token: state?.token && { ...state.token, ageMs: now() - state.token.obtainedAt },
    lastError: state?.lastError,
  };
}
