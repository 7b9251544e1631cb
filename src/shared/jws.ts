/** Strict parsing of the JWS compact serialisation (RFC 7515 section 3.1): one spelling, one meaning. */
import { decodeBase64url } from './base64url.ts';
import { Fault } from './fault.ts';
import { own, parseJsonObject } from './json.ts';
import type { Bytes } from './runtime.ts';

export interface JwsHeader {
  readonly alg: string;
  readonly typ: string | undefined;
  readonly kid: string | undefined;
  /** Of any type. Only DPoP proofs may bring their key along (RFC 9449 section 4.2); for all else it means nothing. */
  readonly jwk: unknown;
}

/** A parsed, not yet verified JWS: nothing in it is true until `signature` was verified over `signingInput`. */
export interface Jws {
  readonly header: JwsHeader;
  readonly headerSegment: string;
  /** Whether the header came from `known`, and so was judged before. */
  readonly headerKnown: boolean;
  readonly payload: Bytes;
  /** Header and payload as they were signed: ASCII text, one byte a character. */
  readonly signingInput: string;
  readonly signature: Bytes;
}

/** Headers of tokens that verified before, by their segment: a service sees few distinct ones. */
export type KnownHeaders = Pick<ReadonlyMap<string, JwsHeader>, 'get'>;

/**
 * Parses a compact JWS.
 *
 * Does not verify the signature and does not read the payload. Refuses other serialisations, JWE, an empty header or
 * signature,
 * non-canonical base64url, critical extensions (RFC 7515 section 4.1.11) and unencoded payloads (RFC 7797).
 */
export function parseJws(token: string, known?: KnownHeaders): Jws | Fault {
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 1 || second < 0 || second === token.length - 1) return malformed('three parts');
  if (token.indexOf('.', second + 1) !== -1) return malformed('three parts', 'more');

  const headerSegment = token.slice(0, first);
  const knownHeader = known?.get(headerSegment);
  const header = knownHeader ?? parseHeader(headerSegment);
  if (header instanceof Fault) return header;
  const payload = decodeBase64url(token.slice(first + 1, second));
  if (payload === undefined) return malformed('a payload in base64url');
  const signature = decodeBase64url(token.slice(second + 1));
  if (signature === undefined) return malformed('a signature in base64url');
  const signingInput = token.slice(0, second);
  return { header, headerSegment, headerKnown: header === knownHeader, payload, signingInput, signature };
}

function parseHeader(segment: string): JwsHeader | Fault {
  const bytes = decodeBase64url(segment);
  const header = bytes && parseJsonObject(bytes);
  if (header === undefined) return malformed('a header that is a JSON object in base64url');
  const alg = own(header, 'alg');
  const typ = own(header, 'typ');
  const kid = own(header, 'kid');
  if (typeof alg !== 'string') return malformed('alg as a string');
  if (typ !== undefined && typeof typ !== 'string') return malformed('typ as a string');
  if (kid !== undefined && typeof kid !== 'string') return malformed('kid as a string');
  // No extension is understood here, so every critical one is unknown; b64 must be critical (RFC 7797 section 6).
  if (Object.hasOwn(header, 'crit') || Object.hasOwn(header, 'b64')) {
    return new Fault('token', 'unsupported_crit', 'no crit or b64 header');
  }
  return Object.freeze({ alg, typ, kid, jwk: own(header, 'jwk') });
}

function malformed(expected: string, actual?: string): Fault {
  return new Fault('token', 'malformed_token', expected, actual);
}
