/** Pure checks of verified claims (RFC 7519 section 4.1, RFC 9068 section 4); the clock is passed in. */
import { Fault } from '../shared/fault.ts';
import { isObject, type JsonObject } from '../shared/json.ts';
import { type Caller, VerifiedCaller } from './caller.ts';
import type { ClaimMapping } from './claim-mapping.ts';

export interface ClaimRules {
  /** `null` is the explicit opt-out. */
  readonly audience: readonly string[] | null;
  readonly clockToleranceSeconds: number;
  readonly maxTokenAgeSeconds: number | undefined;
}

/** Media types of other JWTs (RFC 9449, OIDC Back-Channel Logout, RFC 9701, RFC 8417, RFC 9101 and others). */
const foreignTypes: ReadonlySet<string> = new Set([
  'dpop+jwt',
  'logout+jwt',
  'token-introspection+jwt',
  'statuslist+jwt',
  'secevent+jwt',
  'oauth-authz-req+jwt',
  'client-authentication+jwt',
  'entity-statement+jwt',
  'trust-mark+jwt',
  'id+jwt',
  'id_token+jwt',
  'id_token',
  'userinfo+jwt',
  'kb+jwt',
  'vc+jwt',
  'vc+sd-jwt',
  'dc+sd-jwt',
  'vp+jwt',
  'authorization-grant+jwt',
  'oauth-id-jag+jwt',
  'oauth-client-attestation+jwt',
  'oauth-client-attestation-pop+jwt',
  'openid4vci-proof+jwt',
  'key-attestation+jwt',
  'txntoken+jwt',
  'rt+jwt',
  'wit+jwt',
  'wpt+jwt',
]);

/** Judges `typ` (RFC 7515 section 4.1.9): a token of another kind is refused even where any is taken. */
export function checkTyp(typ: string | undefined, accepted: readonly string[] | 'any'): Fault | undefined {
  // Parameters say nothing about the kind (RFC 6838 section 4.3).
  const name = typ?.split(';', 1)[0]?.trim().toLowerCase();
  const short = name?.startsWith('application/') ? name.slice('application/'.length) : name;
  if (accepted === 'any') {
    // Whatever stands in front, and however often.
    if (short === undefined || !foreignTypes.has(short.slice(short.lastIndexOf('/') + 1))) return undefined;
    return new Fault('token', 'wrong_typ', 'the typ of an access token', typ);
  }
  if (short !== undefined && accepted.includes(short)) return undefined;
  return new Fault('token', 'wrong_typ', accepted.join(' or '), typ ?? 'none');
}

/**
 * Makes the caller of verified claims; a fault where a claim is not of its type.
 *
 * `fallbackExpiresAt` (epoch seconds) stands in for `exp`, which introspection may leave out (RFC 7662 section 2.2).
 */
export function readCaller(
  claims: JsonObject,
  issuer: string,
  mapping: ClaimMapping,
  token: string,
  fallbackExpiresAt?: number,
): Caller | Fault {
  const expiresAt = claims.exp ?? fallbackExpiresAt;
  if (!isTime(expiresAt) || expiresAt === 0) return invalid('exp as a finite number above 0', expiresAt);
  const issuedAt = claims.iat;
  if (issuedAt !== undefined && !isTime(issuedAt)) return invalid('iat as a finite number', issuedAt);
  const subject = claims.sub;
  if (subject !== undefined && typeof subject !== 'string') return invalid('sub as a string', subject);
  const tokenId = claims.jti;
  if (tokenId !== undefined && typeof tokenId !== 'string') return invalid('jti as a string', tokenId);
  const audience = mapping.audience(claims);
  if (audience === undefined) return invalid('aud as a string or a list of strings', claims.aud);
  const scopes = mapping.scopes(claims);
  if (scopes === undefined) return invalid('scope as a string or a list of strings', 'another type');
  const clientId = mapping.clientId(claims);
  if (clientId === null) return invalid('a client that can be read', 'none');
  const isService = mapping.isService(claims, clientId);
  if (isService === null) return invalid('a kind that can be read', 'none');
  const kind = isService ? 'service' : 'user';
  const scheme = isObject(claims.cnf) && claims.cnf.jkt !== undefined ? 'DPoP' : 'Bearer';
  return new VerifiedCaller(
    { issuer, subject, clientId, kind, audience, scopes, expiresAt, issuedAt, tokenId, scheme, claims },
    token,
  );
}

/** Judges what may change while a token is cached: its times. */
export function checkTimes(
  caller: Caller,
  rules: ClaimRules,
  nowMs: number,
  claims = caller.claims,
): Fault | undefined {
  const now = nowMs / 1000;
  const { clockToleranceSeconds: tolerance, maxTokenAgeSeconds: maxAge } = rules;
  const { expiresAt, issuedAt } = caller;
  if (now >= expiresAt + tolerance) return untimely('expired', `exp after ${now}`, expiresAt, caller);
  const notBefore = claims.nbf;
  if (notBefore !== undefined) {
    if (!isTime(notBefore)) return invalid('nbf as a finite number', notBefore, caller);
    if (now < notBefore - tolerance) return untimely('not_yet_valid', `nbf up to ${now}`, notBefore, caller);
  }
  if (issuedAt !== undefined && now < issuedAt - tolerance) {
    return untimely('issued_in_future', `iat up to ${now}`, issuedAt, caller);
  }
  if (maxAge === undefined) return undefined;
  if (issuedAt === undefined) return invalid('iat, since maxTokenAgeSeconds is set', undefined, caller);
  if (now < issuedAt + maxAge + tolerance) return undefined;
  return untimely('too_old', `an age up to ${maxAge} s`, issuedAt, caller);
}

function untimely(reason: Fault['reason'], expected: string, actual: number, caller: Caller): Fault {
  return new Fault('claims', reason, expected, String(actual), caller);
}

/** The epoch milliseconds from which `checkTimes` must be asked again for a token that it passed. */
export function usableUntilMs(caller: Caller, rules: ClaimRules): number {
  const { maxTokenAgeSeconds = Number.POSITIVE_INFINITY, clockToleranceSeconds } = rules;
  const aged = (caller.issuedAt ?? 0) + maxTokenAgeSeconds;
  return (Math.min(caller.expiresAt, aged) + clockToleranceSeconds) * 1000;
}

/** Judges what never changes about a token: audience and kind. */
export function checkFixed(caller: Caller, rules: ClaimRules, claims: JsonObject): Fault | undefined {
  const { audience } = caller;
  if (rules.audience !== null && !namesAny(audience, rules.audience)) {
    const actual = audience.length === 0 ? 'none' : audience.join(' ');
    return new Fault('claims', 'wrong_audience', rules.audience.join(' or '), actual, caller);
  }
  const foreign = foreignKind(claims);
  if (foreign !== undefined) {
    return new Fault('claims', 'wrong_token_kind', 'an access token', foreign, caller);
  }
  return undefined;
}

export function namesAny(audience: readonly string[], accepted: readonly string[]): boolean {
  for (const name of audience) if (accepted.includes(name)) return true;
  return false;
}

/** Of Keycloak, which says the kind in a claim. */
const foreignClaimTypes: ReadonlySet<string> = new Set([
  'ID',
  'Serialized-ID',
  'Refresh',
  'Offline',
  'Logout',
  'InitialAccessToken',
  'RegistrationAccessToken',
]);

/** Tells ID, refresh and logout tokens, which some issuers sign with the same keys and without a `typ` header. */
function foreignKind(claims: JsonObject): string | undefined {
  const use = claims.token_use;
  if (use === 'id' || use === 'refresh' || use === 'refresh_token') return `token_use ${use}`;
  const typ = claims.typ;
  if (typeof typ === 'string' && foreignClaimTypes.has(typ)) return `typ ${typ}`;
  // Of OpenID Connect; some issuers copy it into access tokens, which then name a scope as ID tokens never do.
  if (claims.nonce !== undefined && isBlank(claims.scope) && isBlank(claims.scp)) return 'nonce';
  if (claims.at_hash !== undefined) return 'at_hash';
  if (claims.c_hash !== undefined) return 'c_hash';
  if (claims.s_hash !== undefined) return 's_hash';
  // An authorization response (JARM section 2.1) speaks of nobody.
  if (claims.code !== undefined && claims.sub === undefined) return 'code';
  return claims.events === undefined ? undefined : 'events';
}

function isBlank(scope: unknown): boolean {
  if (typeof scope === 'string') return scope.trim() === '';
  return scope === undefined || scope === null || (Array.isArray(scope) && scope.length === 0);
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function invalid(expected: string, actual: unknown, caller?: Caller): Fault {
  // Not String(): an object of the token may bring its own `toString`.
  const shown = typeof actual === 'number' || typeof actual === 'string' ? String(actual) : typeof actual;
  return new Fault('claims', 'invalid_claim', expected, shown, caller);
}
