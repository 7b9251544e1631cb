/** Says what calls of a URL would meet, from what is known already. */
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
  readonly token: (NonNullable<TokenState['token']> & { readonly ageMs: number }) | undefined;
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
  const target = URL.canParse(url) ? places.ofUrl(new URL(url)) : undefined;
  if (target === undefined) return { target, token: undefined, lastError: undefined };
  const { origin, pathPrefix } = target;
  // Whoever names the caller is asked for calls alone.
  const known = target.onBehalfOf === undefined ? subjectOf(target) : undefined;
  const subject = known instanceof Promise ? undefined : known;
  const state = subject && source.state(subject);
  const { scope, resources = [], dpop = false } = subject ?? {};
  return {
    target: { origin, pathPrefix, scope, resources, dpop },
    token: state?.token && { ...state.token, ageMs: now() - state.token.obtainedAt },
    lastError: state?.lastError,
  };
}
