/** The request that a proxy asks about, from what the proxy says of it. */
import type { IncomingMessage } from 'node:http';
import type { AuthRequest } from '../../index.ts';
import { parseUrl } from '../../shared/url.ts';
import { type RequestPath, readPath } from './request-path.ts';

export interface OriginalRequest {
  readonly method: string;
  /** In lower case, without port and the dot at its end. */
  readonly host: string;
  readonly path: RequestPath;
  /** Absolute, with its query. */
  readonly url: string;
}

export type Unreadable = 'bad_forwarding' | 'ambiguous_path';

/** How a proxy tells of the request: in headers (nginx, Traefik), or as the request that it sends itself (Envoy). */
export type Dialect = 'forwarded' | 'envoy';

export const ENVOY_PREFIX = '/envoy';

const token = /^[A-Z0-9!#$%&'*+\-.^_`|~]{1,32}$/i;
const hostName = /^(?:[a-z0-9._-]{1,255}|\[[0-9a-f:.]{2,45}\])$/;
const visible = /^[\x21-\x7e]*$/;

export function readOriginal(incoming: IncomingMessage, dialect: Dialect): OriginalRequest | Unreadable {
  const { rawHeaders, method = '', url = '' } = incoming;
  const said = (name: string): string => onlyField(rawHeaders, name);
  const proto = said('x-forwarded-proto').toLowerCase();
  return dialect === 'envoy'
    ? compose(method, proto, said('host'), url.slice(ENVOY_PREFIX.length))
    : compose(said('x-forwarded-method'), proto, said('x-forwarded-host'), said('x-forwarded-uri'));
}

function compose(method: string, proto: string, host: string, target: string): OriginalRequest | Unreadable {
  const origin = readOrigin(proto, host.toLowerCase());
  if (!token.test(method) || origin === undefined || target === '') return 'bad_forwarding';
  const [before = ''] = target.split('?', 1);
  const path = readPath(before);
  if (path === undefined || !visible.test(target) || target.includes('#')) return 'ambiguous_path';
  return { method, host: withoutDot(origin.hostname), path, url: origin.origin + target };
}

/** `undefined` where scheme or host is another than it says, or cannot be told. */
function readOrigin(proto: string, host: string): URL | undefined {
  const isKnown = proto === 'https' || proto === 'http';
  return isKnown && isHostName(host.replace(/:\d{1,5}$/, '')) ? parseUrl(`${proto}://${host}`) : undefined;
}

/**
 * Whether it is a host name in lower case, without port. The URL parser takes more for names, and some names for
 * addresses, which the proxy may not have done when it chose the service.
 */
export function isHostName(text: string): boolean {
  return hostName.test(text) && parseUrl(`https://${text}`)?.hostname === text;
}

/** A name with a dot at its end is the same host (RFC 1034 section 3.1). */
export function withoutDot(hostname: string): string {
  return hostname.endsWith('.') ? hostname.slice(0, -1) : hostname;
}

/** A field that must be there once: of two, or of a list, one may be the caller's own. Empty where it is not. */
function onlyField(rawHeaders: readonly string[], name: string): string {
  const [only = '', ...more] = fieldsOf(rawHeaders, name);
  return more.length > 0 || only.includes(',') ? '' : only;
}

/** All fields of a name, where `incoming.headers` would keep the first Authorization alone. */
function fieldsOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const found: string[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    if (rawHeaders[at]?.toLowerCase() === name) found.push(rawHeaders[at + 1] ?? '');
  }
  return found;
}

/** The original request for the verifier, which is to see credentials, and nothing that contradicts its URL. */
export function toAuthRequest({ method, url }: OriginalRequest, incoming: IncomingMessage): AuthRequest {
  const { rawHeaders, socket } = incoming;
  return {
    method,
    url,
    headers: {
      get(name) {
        const lower = name.toLowerCase();
        const fields = lower === 'host' ? [] : fieldsOf(rawHeaders, lower);
        return fields.length === 0 ? null : fields.join(', ');
      },
    },
    // The TLS of the proxy's own connection is not that of the caller.
    connection: { encrypted: false, remoteAddress: socket.remoteAddress, peerCertificate: undefined },
  };
}
