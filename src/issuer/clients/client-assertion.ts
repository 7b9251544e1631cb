/** Assertions that authenticate clients (RFC 7521 section 4.2, RFC 7523): what can be judged before any key is known. */
import { Fault } from '../../shared/fault.ts';
import { type JsonObject, parseJsonObject } from '../../shared/json.ts';
import { type Jws, parseJws } from '../../shared/jws.ts';

/** A parsed assertion; nothing in it is true before its signature held. */
export interface Assertion {
  readonly text: string;
  readonly jws: Jws;
  readonly claims: JsonObject;
}

/** What an assertion of a client about itself says, if it holds. */
export interface OwnClaims {
  readonly jti: string;
  /** From then on it is refused anyway, in epoch milliseconds. */
  readonly expiresAtMs: number;
}

const LONGEST_ASSERTION = 16 * 1024;
const LONGEST_JTI = 256;
const LONGEST_LIFE_SECONDS = 3600;
const TOLERANCE_SECONDS = 5;
/** A token of any other kind was not made to authenticate a client, whoever signed it. */
const types: ReadonlySet<string> = new Set(['jwt', 'client-authentication+jwt']);

/** Parses an assertion; `undefined` for what is none. */
export function readAssertion(text: string): Assertion | undefined {
  if (text.length > LONGEST_ASSERTION) return undefined;
  const jws = parseJws(text);
  if (jws instanceof Fault || !hasFittingType(jws.header.typ)) return undefined;
  const claims = parseJsonObject(jws.payload);
  return claims && { text, jws, claims };
}

function hasFittingType(typ: string | undefined): boolean {
  if (typ === undefined) return true;
  const name = typ.toLowerCase();
  return types.has(name.startsWith('application/') ? name.slice('application/'.length) : name);
}

/**
 * Judges the claims of an assertion that a client signed itself (RFC 7523 section 3); `undefined` if one is wrong.
 * Any of `audiences` will do, but only one: what others may use too, others have used.
 */
export function checkOwnClaims(
  { iss, sub, aud, exp, iat, nbf, jti }: JsonObject,
  clientId: string,
  audiences: readonly string[],
  nowMs: number,
): OwnClaims | undefined {
  if (iss !== clientId || sub !== clientId) return undefined;
  const audience: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  if (typeof audience !== 'string' || !audiences.includes(audience)) return undefined;
  const latest = nowMs / 1000 + TOLERANCE_SECONDS;
  const earliest = nowMs / 1000 - TOLERANCE_SECONDS;
  if (!isTime(exp) || exp <= earliest || exp > latest + LONGEST_LIFE_SECONDS) return undefined;
  for (const begin of [iat, nbf]) {
    if (begin !== undefined && !(isTime(begin) && begin <= latest)) return undefined;
  }
  if (typeof jti !== 'string' || jti === '' || jti.length > LONGEST_JTI) return undefined;
  return { jti, expiresAtMs: Math.ceil((exp + TOLERANCE_SECONDS) * 1000) };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}
