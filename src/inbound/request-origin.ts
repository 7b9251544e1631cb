import { parseUrl } from '../shared/url.ts';

let last = { protocol: '', host: '', origin: '' };

/**
 * The origin of a scheme and a `host[:port]`, as a `Host` header has it; `undefined` if it is anything else or more.
 */
export function requestOrigin(protocol: string, host: string): string | undefined {
  // Request after request names the same host.
  if (host === last.host && protocol === last.protocol) return last.origin;
  for (let at = 0; at < host.length; at++) {
    const code = host.charCodeAt(at);
    // White space, controls, what is not ASCII, and the characters that end a host: # / ? @ \ and the comma of two.
    if (code <= 0x20 || code >= 0x7f || '#/?@\\,'.includes(host[at] ?? '')) return undefined;
  }
  const url = host === '' ? undefined : parseUrl(`${protocol}//${host}`);
  if (url === undefined) return undefined;
  last = { protocol, host, origin: url.origin };
  return last.origin;
}
