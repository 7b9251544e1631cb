import { isLoopback } from './http.ts';
import { parseUrl } from './url.ts';

/** How two URLs differ that are nearly the same; `undefined` where they are quite different ones. */
export function urlDifference(expected: string, actual: string): string | undefined {
  const [a, b] = [parseUrl(expected), parseUrl(actual)];
  if (expected === actual || a === undefined || b === undefined) return undefined;
  const isPathSame = withoutSlash(a.pathname) === withoutSlash(b.pathname);
  if (a.origin === b.origin && isPathSame) {
    return withoutSlash(expected) === withoutSlash(actual)
      ? 'they differ by a slash at the end alone, and are compared to the byte'
      : 'they are two spellings of one URL, but are compared to the byte';
  }
  if (!isPathSame) return undefined;
  if (a.host === b.host) return 'they differ by http and https';
  if (isLoopback(a.hostname) && isLoopback(b.hostname) && a.port === b.port) {
    return `${a.hostname} and ${b.hostname} are one machine, but two names, and are compared to the byte`;
  }
  return a.hostname === b.hostname ? 'they differ by their ports' : undefined;
}

export function withoutSlash(text: string): string {
  return text.endsWith('/') ? text.slice(0, -1) : text;
}
