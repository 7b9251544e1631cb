/** What a DPoP proof says (RFC 9449 section 4.2), for whoever makes one and whoever judges one. */
import { encodeBase64url } from './base64url.ts';
import { sha256 } from './crypto.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { parseUrl } from './url.ts';

/** `ath`: the base64url of the SHA-256 digest of the access token (RFC 9449 section 4.2). */
export function accessTokenHash(token: string): MaybePromise<string> {
  return andThen(sha256(new TextEncoder().encode(token)), encodeBase64url);
}

/**
 * A URL as `htu` compares it: normalised by syntax and scheme (RFC 3986 section 6.2.2 and 6.2.3), without query and
 * fragment. `undefined` for whatever is not a clean absolute http or https URL.
 */
export function normalizeHtu(url: string): string | undefined {
  // The URL parser repairs white space, control characters, backslashes and slashes; a proof must not need repair.
  const parsed = isClean(url) ? parseUrl(url) : undefined;
  if (parsed === undefined) return undefined;
  const { protocol, host, pathname } = parsed;
  if (protocol !== 'https:' && protocol !== 'http:') return undefined;
  if (!isPlainAuthority(url, protocol.length)) return undefined;
  const path = normalizePercent(pathname);
  return path === undefined ? undefined : `${protocol}//${host}${path}`;
}

function isClean(url: string): boolean {
  for (let at = 0; at < url.length; at++) {
    const code = url.charCodeAt(at);
    if (code <= 0x20 || code >= 0x7f || code === 0x5c) return false;
  }
  return true;
}

/** Two slashes and a host without a user, not even an empty one, which the URL parser would not tell. */
function isPlainAuthority(url: string, start: number): boolean {
  if (!url.startsWith('//', start) || url[start + 2] === '/') return false;
  for (let at = start + 2; at < url.length; at++) {
    const character = url[at];
    if (character === '@') return false;
    if (character === '/' || character === '?' || character === '#') return true;
  }
  return true;
}

/** Hexadecimal digits in upper case, and unreserved characters in clear. */
function normalizePercent(path: string): string | undefined {
  let at = path.indexOf('%');
  if (at === -1) return path;
  let normal = path.slice(0, at);
  while (at !== -1) {
    const code = hexValue(path.charCodeAt(at + 1)) * 16 + hexValue(path.charCodeAt(at + 2));
    if (Number.isNaN(code)) return undefined;
    normal += isUnreserved(code) ? String.fromCharCode(code) : path.slice(at, at + 3).toUpperCase();
    const next = path.indexOf('%', at + 3);
    normal += path.slice(at + 3, next === -1 ? undefined : next);
    at = next;
  }
  return normal;
}

function hexValue(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : Number.NaN;
}

/** RFC 3986 section 2.3. */
function isUnreserved(code: number): boolean {
  const letter = code | 0x20;
  if (letter >= 0x61 && letter <= 0x7a) return true;
  return (code >= 0x30 && code <= 0x39) || code === 0x2d || code === 0x2e || code === 0x5f || code === 0x7e;
}
