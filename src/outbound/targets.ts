/** Which URLs may receive a token, and which token: fail closed. */
import { isLoopback } from '../shared/http.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { OptionChecker } from '../shared/options.ts';
import { parseUrl } from '../shared/url.ts';
import type { SubjectToken } from './exchange.ts';
import { readResources, readScopes } from './token-subject.ts';

/** A service that is called, and what its token is asked for. */
export interface Target {
  /** Scheme, host and port, such as `https://orders.internal`. Every part of a URL's origin must be equal. */
  readonly origin: string;
  /** Covers only paths below; `/api` covers `/api` and `/api/orders`, not `/apis`. @default every path */
  readonly pathPrefix?: string | undefined;
  /** @default the client's `scope` */
  readonly scope?: string | readonly string[] | undefined;
  /** @default the client's `resource` */
  readonly resource?: string | readonly string[] | undefined;
  /** Binds its tokens to a key (RFC 9449), or does not. @default as the client does */
  readonly dpop?: boolean | undefined;
  /**
   * Asked before every call on whose behalf it is made: the caller's token is exchanged (RFC 8693). Gives it nobody,
   * the call is refused. @default calls are the client's own
   */
  readonly onBehalfOf?: (() => MaybePromise<SubjectToken | undefined>) | undefined;
  /** Lets the token go over plain http to another machine, as inside a mesh that encrypts. @default false */
  readonly allowInsecure?: boolean | undefined;
}

/** The targets; a string is an origin. `'*'` covers every https (and loopback) URL: the explicit opt-out. */
export type Targets = readonly (Target | string)[] | '*';

export interface ResolvedTarget {
  /** `'*'` where no origin was named. */
  readonly origin: string;
  readonly pathPrefix: string;
  readonly scopes: readonly string[] | undefined;
  readonly resources: readonly string[] | undefined;
  readonly dpop: boolean | undefined;
  readonly onBehalfOf: Target['onBehalfOf'];
}

export interface TargetFinder<T extends ResolvedTarget> {
  /** The target of a URL; the longest path prefix wins. `undefined`: no credential may go there. */
  ofUrl(url: URL): T | undefined;
  /** The same for text that begins with a target's very origin and a slash; `undefined` says nothing then. */
  ofPlainText(text: string): T | undefined;
}

/** Checks the option; each mistake is a `TypeError`. */
export function readTargets(check: OptionChecker, option: Targets): readonly ResolvedTarget[] {
  if (option === '*') {
    const anywhere = { scopes: undefined, resources: undefined, dpop: undefined, onBehalfOf: undefined };
    return [Object.freeze({ origin: '*', pathPrefix: '/', ...anywhere })];
  }
  if (!Array.isArray(option) || option.length === 0) {
    return check.failKind('targets', "a non-empty list of origins or targets, or '*'", option);
  }
  const targets = option.map((item) => readTarget(check, typeof item === 'string' ? { origin: item } : item));
  const seen = new Set<string>();
  for (const { origin, pathPrefix } of targets) {
    const place = `${origin}${pathPrefix}`;
    if (seen.has(place)) check.fail('targets', 'named once', place);
    seen.add(place);
  }
  return targets;
}

/** The one target that a `resource` stands for; `undefined` if it is no http URL that names a place. */
export function targetOfResource(resources: readonly string[]): Target | undefined {
  const [resource, ...others] = resources;
  const url = resource === undefined || others.length > 0 ? undefined : parseUrl(resource);
  if (url === undefined) return undefined;
  const { protocol, origin, pathname, search, username, password } = url;
  if (!isHttp(protocol) || `${search}${username}${password}` !== '') return undefined;
  return { origin, pathPrefix: pathname };
}

const known = [
  'origin',
  'pathPrefix',
  'scope',
  'resource',
  'dpop',
  'onBehalfOf',
  'allowInsecure',
] as const satisfies readonly (keyof Target)[];

function readTarget(check: OptionChecker, option: unknown): ResolvedTarget {
  const given: Record<string, unknown> = check.object('targets', option, known);
  const { origin, pathPrefix, scope, resource, dpop, allowInsecure } = given;
  const url = readOrigin(check, origin);
  const insecure = allowInsecure !== undefined && check.boolean('targets.allowInsecure', allowInsecure);
  if (url.protocol === 'http:' && !isLoopback(url.hostname) && !insecure) {
    check.fail('targets.origin', 'https; for plain http to another machine set allowInsecure', url.origin, {
      code: 'url_not_https',
    });
  }
  return Object.freeze({
    origin: url.origin,
    pathPrefix: pathPrefix === undefined ? '/' : readPathPrefix(check, url.origin, pathPrefix),
    scopes: scope === undefined ? undefined : readScopes(check, 'targets.scope', scope),
    resources: resource === undefined ? undefined : readResources(check, 'targets.resource', resource),
    dpop: dpop === undefined ? undefined : check.boolean('targets.dpop', dpop),
    onBehalfOf: check.function('targets.onBehalfOf', given.onBehalfOf as Target['onBehalfOf']),
  });
}

function readOrigin(check: OptionChecker, value: unknown): URL {
  const rule = 'an origin such as https://orders.internal, without path, query and user';
  const text = check.string('targets.origin', value, rule);
  const url = parseUrl(text) ?? check.fail('targets.origin', rule, text);
  const { protocol, pathname, search, hash, username, password, hostname } = url;
  // A user in it may hold a password, so the value is not shown.
  if (username !== '' || password !== '') check.failSecret('targets.origin', rule);
  if (!isHttp(protocol) || pathname !== '/' || `${search}${hash}` !== '') {
    check.fail('targets.origin', rule, text);
  }
  if (hostname.includes('*')) check.fail('targets.origin', 'one origin; patterns are not known', text);
  return url;
}

function readPathPrefix(check: OptionChecker, origin: string, value: unknown): string {
  const rule = 'a path that begins with a slash, without query, fragment and dot segments';
  const text = check.string('targets.pathPrefix', value, rule);
  const url = parseUrl(`${origin}${text}`);
  const clean = text.startsWith('/') && url?.origin === origin && !/[?#\\]/.test(text) && !isAmbiguous(text);
  return clean && url !== undefined ? url.pathname : check.fail('targets.pathPrefix', rule, text);
}

/** Makes the finder of targets. URLs are compared as parsed, origins to the byte. */
export function createTargetFinder<T extends ResolvedTarget>(targets: readonly T[]): TargetFinder<T> {
  const byOrigin = new Map<string, T[]>();
  for (const target of targets) {
    const list = byOrigin.get(target.origin) ?? [];
    list.push(target);
    byOrigin.set(target.origin, list);
  }
  for (const list of byOrigin.values()) list.sort((a, b) => b.pathPrefix.length - a.pathPrefix.length);
  const everywhere = byOrigin.get('*')?.[0];

  function ofUrl(url: URL): T | undefined {
    const { protocol } = url;
    // blob: URLs have an origin too, hence the look at the scheme.
    if (!isHttp(protocol) || url.username !== '' || url.password !== '') return undefined;
    if (everywhere !== undefined) {
      return protocol === 'https:' || isLoopback(url.hostname) ? everywhere : undefined;
    }
    const list = byOrigin.get(url.origin);
    // The longest prefix comes first; where that is the whole origin, paths divide nothing.
    if (list === undefined || list[0]?.pathPrefix === '/') return list?.[0];
    const { pathname } = url;
    return isAmbiguous(pathname) ? undefined : list.find(({ pathPrefix }) => isBelow(pathname, pathPrefix));
  }

  function ofPlainText(text: string): T | undefined {
    // Parsing is a good part of what a call costs, and nothing behind this slash can change the origin any more.
    const slash = text.indexOf('/', 'https://'.length);
    // White space and backslashes are the parser's to mend, not the transport's.
    if (slash === -1 || /[\0-\x20\\]/.test(text)) return undefined;
    const [longest] = byOrigin.get(text.slice(0, slash)) ?? [];
    return longest?.pathPrefix === '/' ? longest : undefined;
  }

  return { ofUrl, ofPlainText };
}

function isBelow(path: string, prefix: string): boolean {
  if (prefix.endsWith('/')) return path.startsWith(prefix);
  return path === prefix || path.startsWith(`${prefix}/`);
}

/** Decoders in a row that a path may meet on its way: a proxy, a gateway, a framework. */
const MOST_DECODINGS = 4;

/**
 * Whether some server may read the path as one that climbs: dot segments hidden behind an encoded slash or
 * backslash, encoded more than once, with path parameters (`..;`) or with what is trimmed (`..%20`). URL parsing has resolved the plain ones.
 */
function isAmbiguous(path: string): boolean {
  let text = path;
  for (let decodings = 0; decodings <= MOST_DECODINGS; decodings++) {
    if (text.split(/[/\\]/).some(isDotSegment)) return true;
    const decoded = text.replaceAll(/%([01][0-9a-f]|20|25|2e|2f|3b|5c|7f)/gi, (_, hex: string) =>
      String.fromCharCode(Number.parseInt(hex, 16)),
    );
    if (decoded === text) return false;
    text = decoded;
  }
  return true;
}

function isDotSegment(segment: string): boolean {
  // Some servers end a text at NUL, and many trim what cannot be seen.
  const [name = ''] = segment.split(/[;\0]/, 1);
  const seen = [...name].filter((character) => character > ' ' && character !== '\x7f').join('');
  return seen === '.' || seen === '..';
}

function isHttp(protocol: string): boolean {
  return protocol === 'https:' || protocol === 'http:';
}
