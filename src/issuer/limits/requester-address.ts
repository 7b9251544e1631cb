/** Which address asks: that of the connection, or the one that trusted proxies name. */
import { forwardedAddress } from '../../shared/forwarded.ts';
import { parseAddress } from '../../shared/ip-range.ts';
import type { IssuerConnection } from '../http/incoming.ts';

type IsTrusted = (address: string | undefined) => boolean;

const NETWORK_BYTES = 8;

/**
 * The address that a request counts for; `undefined` where the server tells nothing of its connections.
 *
 * Of IPv6 addresses the first 64 bits, since whoever has one address there has all of them (RFC 4291 section 2.5.4).
 */
export function requesterAddress(
  { headers }: { readonly headers: { get(name: string): string | null } },
  { remoteAddress }: IssuerConnection,
  isTrusted: IsTrusted,
): string | undefined {
  // What a proxy says in no way that can be read counts for the proxy.
  const named = isTrusted(remoteAddress) ? parse(forwardedAddress(headers, isTrusted)) : undefined;
  return named ?? parse(remoteAddress);
}

function parse(text: string | undefined): string | undefined {
  const bytes = text === undefined ? undefined : parseAddress(text);
  if (bytes === undefined) return undefined;
  return bytes.length === 4 ? bytes.join('.') : networkOf(bytes);
}

function networkOf(bytes: readonly number[]): string {
  const groups: string[] = [];
  for (let at = 0; at < NETWORK_BYTES; at += 2) {
    groups.push((((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)).toString(16));
  }
  return `${groups.join(':')}::/64`;
}
