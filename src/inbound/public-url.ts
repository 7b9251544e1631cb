/** The URL that clients see, which the `htu` of their proofs names (RFC 9449 section 4.3). */

import { readForwarded } from '../shared/forwarded.ts';
import { createIpRanges } from '../shared/ip-range.ts';
import type { OptionChecker } from '../shared/options.ts';
import { parseUrl } from '../shared/url.ts';
import type { AuthRequest } from './credentials.ts';
import { requestOrigin } from './request-origin.ts';

/** The base URL that clients see, or the proxies whose word is taken for it. */
export type PublicUrl = string | { readonly trustProxy: readonly string[] };

export type ReadPublicUrl = (request: AuthRequest) => string | undefined;

/**
 * Makes the function that tells the URL of a request; `undefined` where it cannot be told for sure.
 *
 * Without a base URL the `Host` header counts, which is the caller's to write: a proof stolen from another service
 * could then be used here if it was made for a URL that ends in this path.
 */
export function createPublicUrl(option: PublicUrl | undefined, check: OptionChecker): ReadPublicUrl {
  if (option === undefined) return ownUrl;
  if (typeof option === 'string') return underBase(check, option);
  const { trustProxy } = check.object('publicUrl', option, ['trustProxy']);
  const isTrusted = createIpRanges(check, 'publicUrl.trustProxy', trustProxy);
  return (request) => {
    const remote = request.connection?.remoteAddress;
    if (!isTrusted(remote)) return ownUrl(request);
    const forwarded = readForwarded(request.headers, isTrusted);
    if (forwarded === undefined) return undefined;
    const { proto, host } = forwarded;
    if (proto === undefined && host === undefined) return ownUrl(request);
    const own = ownUrl(request);
    const protocol = proto === undefined ? own && new URL(own).protocol : `${proto}:`;
    const origin = protocol && requestOrigin(protocol, host ?? request.headers.get('host') ?? '');
    const path = pathOf(request.url);
    return origin === undefined || path === undefined ? undefined : origin + path;
  };
}

function underBase(check: OptionChecker, option: string): ReadPublicUrl {
  const rule = 'an http or https URL without query, fragment and user';
  const url = parseUrl(option) ?? check.fail('publicUrl', rule, option);
  const { protocol, search, hash, username, password, origin, pathname } = url;
  if (protocol !== 'https:' && protocol !== 'http:') check.fail('publicUrl', rule, option);
  if (search !== '' || hash !== '' || username !== '' || password !== '')
    check.fail('publicUrl', rule, option);
  const base = origin + (pathname.endsWith('/') ? pathname.slice(0, -1) : pathname);
  return (request) => {
    const path = pathOf(request.url);
    return path === undefined ? undefined : base + path;
  };
}

/** What the request itself says: an absolute URL, or a path at the host of its `Host` header. */
function ownUrl(request: AuthRequest): string | undefined {
  const { url, headers, connection } = request;
  const host = headers.get('host');
  if (!url.startsWith('/')) {
    // The absolute form of HTTP/1.1 names a host of its own (RFC 9112 section 3.2.2): two that differ are none.
    const own = parseUrl(url);
    const isPlain = own !== undefined && (own.protocol === 'https:' || own.protocol === 'http:');
    if (!isPlain) return undefined;
    if (host === null || host === undefined) return url;
    return requestOrigin(own.protocol, host) === own.origin ? url : undefined;
  }
  if (host === null || host === undefined) return undefined;
  const origin = requestOrigin(connection?.encrypted === true ? 'https:' : 'http:', host);
  return origin === undefined ? undefined : origin + url;
}

function pathOf(url: string): string | undefined {
  if (url.startsWith('/')) return url;
  const parsed = parseUrl(url);
  return parsed && parsed.pathname + parsed.search;
}
