/** `Authorization` header values (RFC 9110 section 11.4, RFC 6750 section 2.1) to credentials. */
import { Fault } from '../shared/fault.ts';

/** What is needed of a request: a web `Request` fits, and so does a thin view of any framework's request. */
export interface AuthRequest {
  readonly method: string;
  /** Absolute, or a path. */
  readonly url: string;
  readonly headers: {
    /** Fields that came several times are joined with a comma, as `Headers` does. */
    get(name: string): string | null | undefined;
  };
  /** What is known of the connection it came over; without it no proxy and no TLS client certificate is believed. */
  readonly connection?: Connection | undefined;
  /**
   * The one object that stands for the request however often it is judged, such as the framework's own: a proof that
   * it brings again, to a second guard, is no replay. A web `Request` stands for itself.
   */
  readonly source?: object | undefined;
}

export interface Connection {
  /** Whether it is TLS up to this process. */
  readonly encrypted: boolean;
  /** The IP address of the other end. */
  readonly remoteAddress: string | undefined;
  /** The TLS client certificate in DER, if one was presented. */
  readonly peerCertificate: Uint8Array | undefined;
}

const SPACE = 0x20;

/** Longer tokens are refused before anything of them is read. */
export const LONGEST_TOKEN = 16 * 1024;

export type Scheme = 'Bearer' | 'DPoP';

export interface Credentials {
  readonly scheme: Scheme;
  readonly token: string;
}

/** The credentials of an `Authorization` header: `undefined` without one, a fault for schemes that are not taken. */
export function readCredentials(
  header: string | null | undefined,
  takesDpop: boolean,
): Credentials | Fault | undefined {
  if (header === null || header === undefined) return undefined;
  // Nearly every header; all spellings that RFC 9110 allows besides are read below.
  if (header.startsWith('Bearer ') && header.charCodeAt(7) !== SPACE) {
    return { scheme: 'Bearer', token: header.slice(7) };
  }
  return readUnusual(header, takesDpop);
}

/** Scheme names are case-insensitive. */
function readUnusual(header: string, takesDpop: boolean): Credentials | Fault {
  const space = header.indexOf(' ');
  const name = space === -1 ? header : header.slice(0, space);
  const scheme = schemeOf(name);
  if (scheme === undefined || (scheme === 'DPoP' && !takesDpop)) return refuse(header, scheme, takesDpop);
  let at = name.length;
  while (header.charCodeAt(at) === SPACE) at++;
  return { scheme, token: header.slice(at) };
}

/**
 * Whether what was read counts as no credentials: that of other schemes is not for us (RFC 6750 section 3.1). DPoP
 * is, also where it is switched off.
 */
export function areNone(read: Fault | undefined): boolean {
  return read === undefined || (read.reason === 'unsupported_scheme' && read.actual !== 'dpop');
}

function refuse(header: string, scheme: Scheme | undefined, takesDpop: boolean): Fault {
  const [first = '', ...more] = header.toLowerCase().split(',').map(unquoted);
  // Misspelt, or two fields of which one is for us: which of them a proxy went by is anybody's guess.
  const isOurs =
    (scheme === undefined && meansUs(first)) || more.some((part) => meansUs(part) && !isParameter(part));
  if (isOurs) return new Fault('credentials', 'malformed_credentials', 'one Authorization header');
  const actual = scheme === undefined ? shownScheme(first) : 'dpop';
  return new Fault('credentials', 'unsupported_scheme', takesDpop ? 'Bearer or DPoP' : 'Bearer', actual);
}

/** What has no known name in front may be a bare secret, and is not shown. */
function shownScheme(header: string): string {
  return otherSchemes.find((scheme) => header.startsWith(`${scheme} `)) ?? 'another scheme';
}

const otherSchemes = [
  'basic',
  'digest',
  'negotiate',
  'ntlm',
  'hoba',
  'mutual',
  'apikey',
  'token',
  'aws4-hmac-sha256',
];
const ourSchemes = ['bearer', 'dpop'];

/** Without the white space and quotes in front. */
function unquoted(text: string): string {
  let at = 0;
  while (at < text.length && ' \t"\''.includes(text.charAt(at))) at++;
  return text.slice(at);
}

/** Whether it begins with one of our names, and the name ends there (RFC 9110 section 5.6.2). */
function meansUs(text: string): boolean {
  const name = ourSchemes.find((scheme) => text.startsWith(scheme));
  return name !== undefined && (text.length === name.length || !isNameCharacter(text.charAt(name.length)));
}

/** One of another scheme may have any name (RFC 9110 section 11.2). */
function isParameter(text: string): boolean {
  return ourSchemes.some((scheme) => text.startsWith(`${scheme}=`));
}

/** Of a lower-case text. */
function isNameCharacter(character: string): boolean {
  return (
    (character >= 'a' && character <= 'z') ||
    (character >= '0' && character <= '9') ||
    "!#$%&'*+-.^_`|~".includes(character)
  );
}

function schemeOf(name: string): Scheme | undefined {
  if (name.length > 6) return undefined;
  const lower = name.toLowerCase();
  if (lower === 'bearer') return 'Bearer';
  return lower === 'dpop' ? 'DPoP' : undefined;
}

export function checkLength(token: string): Fault | undefined {
  if (token.length <= LONGEST_TOKEN) return undefined;
  return new Fault('credentials', 'token_too_large', `${LONGEST_TOKEN} characters`, `${token.length}`);
}

/** Judges the spelling of a token, `b64token` of RFC 6750 section 2.1, which two joined headers do not have. */
export function checkSpelling(token: string): Fault | undefined {
  let at = 0;
  while (at < token.length && isTokenCharacter(token.charCodeAt(at))) at++;
  const characters = at;
  while (at < token.length && token[at] === '=') at++;
  if (characters > 0 && at === token.length) return undefined;
  return new Fault('credentials', 'malformed_credentials', 'one access token of the b64token characters');
}

function isTokenCharacter(code: number): boolean {
  return (
    (code >= 0x61 && code <= 0x7a) || // a-z
    (code >= 0x41 && code <= 0x5a) || // A-Z
    (code >= 0x2d && code <= 0x39) || // - . / 0-9
    code === 0x5f || // _
    code === 0x7e || // ~
    code === 0x2b // +
  );
}
