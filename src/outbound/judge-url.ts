/** What happens to a URL before anything is sent to it: a target covers it, or the call is refused. */
import { optionError, ServiceAuthError } from '../errors.ts';
import { withoutQuery } from '../shared/http.ts';
import { parseUrl } from '../shared/url.ts';
import type { ResolvedTarget, TargetFinder } from './targets.ts';

export interface JudgedUrl {
  readonly target: ResolvedTarget;
  /** As it was judged, so that a transport with a parser of its own reads nothing else in it. */
  readonly href: string;
}

/** @throws ServiceAuthError `untrusted_target`; TypeError for what is no absolute URL */
export function judgeUrl(places: TargetFinder<ResolvedTarget>, where: string, text: string): JudgedUrl {
  const url = parseUrl(text);
  // The text is not shown: a query may hold what is not for logs.
  if (url === undefined) throw optionError('call_invalid', `${where}: the URL must be absolute`);
  const target = places.ofUrl(url);
  if (target !== undefined) return { target, href: url.href };
  throw new ServiceAuthError(
    'untrusted_target',
    `no target covers ${withoutQuery(url.href)}; nothing was sent. Name its origin in targets or SERVICE_AUTH_TARGETS`,
  );
}
