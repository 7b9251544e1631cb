/** What access tokens say, the same for both formats. */
import { isObject, type JsonObject } from '../../shared/json.ts';
import type { StatusPlace } from '../storage/records.ts';

/** The key or certificate that a token is bound to: the claim `cnf` (RFC 7800, RFC 9449 section 6, RFC 8705 section 3.1). */
export interface Confirmation {
  readonly jkt?: string;
  readonly 'x5t#S256'?: string;
}

/** Who acts for the subject, and for whom it was done before: the claim `act` (RFC 8693 section 4.1). */
export interface Actor {
  readonly sub: string;
  readonly act?: Actor;
}

/** What a token says, before it has a name and a time. */
export interface AccessTokenGrant {
  readonly clientId: string;
  readonly subject: string;
  readonly audience: readonly string[];
  /** Separated by spaces; `undefined` where none was granted. */
  readonly scope: string | undefined;
  readonly confirmation: Confirmation | undefined;
  readonly actor: Actor | undefined;
}

export interface AccessTokenClaims extends AccessTokenGrant {
  readonly tokenId: string;
  /** In epoch seconds. */
  readonly issuedAt: number;
  /** In epoch seconds. */
  readonly expiresAt: number;
  /** Its place in a status list, where it has one. */
  readonly status: StatusPlace | undefined;
}

export interface IssuedToken extends AccessTokenClaims {
  readonly accessToken: string;
}

/** One way of writing claims into a token, and of reading them again. */
export interface TokenFormat {
  write(claims: AccessTokenClaims): Promise<IssuedToken>;
  /** The claims of a token of this issuer, expired or not; `undefined` for any other text. */
  read(token: string): Promise<AccessTokenClaims | undefined>;
}

/** The claims by their registered names (RFC 9068 section 2.2), save for its place in a status list. */
export function toJwtClaims(issuer: string, claims: AccessTokenClaims): JsonObject {
  const { clientId, subject, audience, scope, confirmation, actor, tokenId, issuedAt, expiresAt } = claims;
  return {
    iss: issuer,
    sub: subject,
    aud: singleOrList(audience),
    exp: expiresAt,
    iat: issuedAt,
    jti: tokenId,
    client_id: clientId,
    scope,
    cnf: confirmation,
    act: actor,
  };
}

/** Reads what `toJwtClaims` wrote; `undefined` for anything that is not understood to the last member. */
export function fromJwtClaims(
  issuer: string,
  claims: JsonObject,
  status: StatusPlace | undefined,
): AccessTokenClaims | undefined {
  const { iss, sub, aud, exp, iat, jti, client_id: clientId, scope, cnf, act } = claims;
  const audience = typeof aud === 'string' ? [aud] : aud;
  if (iss !== issuer || !isText(sub) || !isTextList(audience) || !isText(jti) || !isText(clientId)) {
    return undefined;
  }
  if (!isSeconds(exp) || !isSeconds(iat) || (scope !== undefined && !isText(scope))) return undefined;
  // A binding or an actor that is not understood must not be lost: the token would be worth more without it.
  if ((cnf !== undefined && !isConfirmation(cnf)) || (act !== undefined && !isActor(act))) return undefined;
  return {
    clientId,
    subject: sub,
    audience,
    scope,
    confirmation: cnf,
    actor: act,
    tokenId: jti,
    issuedAt: iat,
    expiresAt: exp,
    status,
  };
}

/** The value of `aud`: RFC 7519 section 4.1.3 lets a single one stand alone. */
function singleOrList(audience: readonly string[]): string | readonly string[] {
  const [first] = audience;
  return audience.length === 1 && first !== undefined ? first : audience;
}

const confirmationMethods: readonly string[] = ['jkt', 'x5t#S256'];

function isConfirmation(value: unknown): value is Confirmation {
  if (!isObject(value)) return false;
  const methods = Object.keys(value);
  return (
    methods.length > 0 && methods.every((name) => confirmationMethods.includes(name) && isText(value[name]))
  );
}

function isActor(value: unknown): value is Actor {
  if (!isObject(value) || !isText(value.sub)) return false;
  return Object.keys(value).every((name) => name === 'sub' || (name === 'act' && isActor(value.act)));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.length > 0 && value.every(isText);
}

function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value);
}
