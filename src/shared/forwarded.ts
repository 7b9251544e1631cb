/** What trusted proxies say about the request that reached them: `Forwarded` (RFC 7239) or `X-Forwarded-*`. */
import { splitOutsideQuotes } from './split-outside-quotes.ts';

interface Headers {
  get(name: string): string | null | undefined;
}

type IsTrusted = (address: string | undefined) => boolean;

export interface Forwarded {
  /** `http` or `https`. */
  readonly proto: string | undefined;
  /** With its port, where that was said. */
  readonly host: string | undefined;
}

const LONGEST = 4096;

/**
 * Reads what the outermost trusted proxy said; `undefined` where that is malformed, or where the two kinds of header
 * do not say the same: a proxy that writes one kind passes the other on as the caller wrote it, so that a member of
 * one never completes the other.
 */
export function readForwarded(headers: Headers, isTrusted: IsTrusted): Forwarded | undefined {
  const standard = readStandard(headers.get('forwarded'), isTrusted);
  const custom = readCustom(headers, isTrusted);
  if (standard === undefined || custom === undefined) return undefined;
  if (saysAnything(standard) && saysAnything(custom) && differ(standard, custom)) return undefined;
  const { proto: scheme, host } = saysAnything(standard) ? standard : custom;
  const proto = scheme?.toLowerCase();
  if (proto !== undefined && proto !== 'http' && proto !== 'https') return undefined;
  return { proto, host };
}

/**
 * The address that the outermost trusted proxy says it was asked from, as it is written there; `undefined` where it is
 * not said, or where the two kinds of header do not say the same.
 */
export function forwardedAddress(headers: Headers, isTrusted: IsTrusted): string | undefined {
  const elements = readElements(headers.get('forwarded'));
  if (elements === undefined) return undefined;
  const standard = elements.map((pairs) => nodeAddress(pairs.get('for')));
  const custom = listOf(headers.get('x-forwarded-for'))?.map(withoutPort);
  if (custom === undefined) return undefined;
  const said = [standard, custom].flatMap((hops) => hops[outermost(hops, isTrusted)] ?? []);
  return new Set(said).size === 1 ? said[0] : undefined;
}

function saysAnything({ proto, host }: Forwarded): boolean {
  return proto !== undefined || host !== undefined;
}

function differ(a: Forwarded, b: Forwarded): boolean {
  return a.proto?.toLowerCase() !== b.proto?.toLowerCase() || a.host?.toLowerCase() !== b.host?.toLowerCase();
}

function readStandard(header: string | null | undefined, isTrusted: IsTrusted): Forwarded | undefined {
  const elements = readElements(header);
  if (elements === undefined) return undefined;
  const hops = elements.map((pairs) => nodeAddress(pairs.get('for')));
  const pairs = elements[outermost(hops, isTrusted)];
  return { proto: pairs?.get('proto'), host: pairs?.get('host') };
}

/** The elements of `Forwarded`, none without the header; `undefined` where it is malformed. */
function readElements(header: string | null | undefined): readonly ReadonlyMap<string, string>[] | undefined {
  if (header === null || header === undefined) return [];
  if (header.length > LONGEST) return undefined;
  const elements: ReadonlyMap<string, string>[] = [];
  for (const element of split(header, ',') ?? ['']) {
    const pairs = readPairs(element);
    if (pairs === undefined) return undefined;
    elements.push(pairs);
  }
  return elements;
}

/** Lists of the same length as X-Forwarded-For grew along with it; a single value is that of the last writer. */
function readCustom(headers: Headers, isTrusted: IsTrusted): Forwarded | undefined {
  const hops = listOf(headers.get('x-forwarded-for'));
  if (hops === undefined) return undefined;
  const at = outermost(hops, isTrusted);
  const values = ['proto', 'host', 'port'].map((name) => {
    const list = listOf(headers.get(`x-forwarded-${name}`));
    if (list !== undefined && list.length <= 1) return list[0];
    return list?.length === hops.length ? list[at] : null;
  });
  if (values.includes(null) || values.includes('')) return undefined;
  const [proto, host, port] = values as (string | undefined)[];
  if (host === undefined || port === undefined || hasPort(host)) return { proto, host };
  // A port that is none makes a host that is none.
  return { proto, host: `${host}:${port}` };
}

/** `undefined` for a list that is too long: its end, which the last proxy wrote, is what counts. */
function listOf(header: string | null | undefined): readonly string[] | undefined {
  if (header === null || header === undefined) return [];
  return header.length > LONGEST ? undefined : header.split(',').map((item) => item.trim());
}

/** Each hop names who came to it: as long as that is a trusted proxy too, the one before it knows more. */
function outermost(hops: readonly (string | undefined)[], isTrusted: IsTrusted): number {
  let at = hops.length - 1;
  while (at > 0 && isTrusted(hops[at])) at--;
  return Math.max(at, 0);
}

function hasPort(host: string): boolean {
  return host.lastIndexOf(':') > host.lastIndexOf(']');
}

/** The address of a node identifier (RFC 7239 section 6): without port and brackets. */
function nodeAddress(node: string | undefined): string | undefined {
  if (node?.startsWith('[')) return node.slice(1, node.indexOf(']'));
  return node?.split(':', 1)[0];
}

/** Some proxies write ports into X-Forwarded-For; the colons of a bare IPv6 address stand before no port. */
function withoutPort(hop: string): string {
  const address = nodeAddress(hop) ?? hop;
  return hop.startsWith('[') || address.includes('.') ? address : hop;
}

/** The pairs of a forwarded-element (RFC 7239 section 4); `undefined` if it is malformed or says a thing twice. */
function readPairs(element: string): ReadonlyMap<string, string> | undefined {
  const pairs = new Map<string, string>();
  for (const pair of split(element, ';') ?? ['']) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, equals).toLowerCase();
    const value = unquote(pair.slice(equals + 1));
    if (equals < 1 || value === undefined || pairs.has(name)) return undefined;
    pairs.set(name, value);
  }
  return pairs;
}

function unquote(text: string): string | undefined {
  if (!text.startsWith('"')) return text.includes('"') ? undefined : text;
  return text.length >= 2 && text.endsWith('"') ? text.slice(1, -1).replaceAll('\\', '') : undefined;
}

/** `undefined` where a quote stays open. */
export function split(text: string, separator: ',' | ';'): readonly string[] | undefined {
  const { parts, isOpen } = splitOutsideQuotes(text, separator);
  return isOpen ? undefined : parts;
}
