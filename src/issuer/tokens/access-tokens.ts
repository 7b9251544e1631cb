/** Access tokens as JWTs (RFC 9068): issued, and known again. */
import { decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import { isObject } from '../../shared/json.ts';
import type { Secrets } from '../clients/secrets.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { SigningKey } from '../keys/sealed-keys.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
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

export interface TokenForm {
  readonly format: 'jwt' | 'opaque';
  readonly lifetimeSeconds: number;
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

export interface AccessTokens {
  issue(grant: AccessTokenGrant, form: TokenForm): Promise<IssuedToken>;
  /** The claims of a token that this issuer signed and that has not expired. Does not look for revocation. */
  read(token: string): Promise<AccessTokenClaims | undefined>;
  /** As `read`, for tokens that neither were revoked themselves nor belong to a revoked service. */
  readActive(token: string): Promise<AccessTokenClaims | undefined>;
}

const TYP = 'at+jwt';
const LONGEST_TOKEN = 16 * 1024;

export function createAccessTokens(
  settings: IssuerSettings,
  keys: SigningKeys,
  secrets: Secrets,
): AccessTokens {
  const { issuer, storage, now } = settings;

  async function issue(grant: AccessTokenGrant, { lifetimeSeconds }: TokenForm): Promise<IssuedToken> {
    const { clientId, subject, audience, scope, confirmation, actor } = grant;
    const { privateKey, algorithm, kid } = await keys.signer();
    const issuedAt = Math.floor(now() / 1000);
    const expiresAt = issuedAt + lifetimeSeconds;
    const tokenId = secrets.identifier();
    const claims: JWTPayload = {
      iss: issuer,
      sub: subject,
      aud: singleOrList(audience),
      exp: expiresAt,
      iat: issuedAt,
      jti: tokenId,
      client_id: clientId,
      ...(scope !== undefined && { scope }),
      ...(confirmation !== undefined && { cnf: confirmation }),
      ...(actor !== undefined && { act: actor }),
    };
    const accessToken = await new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, typ: TYP, kid })
      .sign(privateKey);
    return { ...grant, accessToken, tokenId, issuedAt, expiresAt, status: undefined };
  }

  async function read(token: string): Promise<AccessTokenClaims | undefined> {
    if (token.length > LONGEST_TOKEN) return undefined;
    // Outside the try: keys that cannot be read are a failure, not a bad token.
    const published = await keys.published(readKid(token));
    try {
      const { payload } = await jwtVerify(token, ({ kid, alg }) => findKey(published, kid, alg), {
        issuer,
        typ: TYP,
        currentDate: new Date(now()),
        requiredClaims: ['exp', 'iat', 'jti', 'aud', 'sub', 'client_id'],
      });
      return readClaims(payload);
    } catch {
      return undefined;
    }
  }

  async function readActive(token: string): Promise<AccessTokenClaims | undefined> {
    const claims = await read(token);
    if (claims === undefined) return undefined;
    const service = await storage.findService(claims.clientId);
    if (service === undefined || service.revokedAtMs !== undefined) return undefined;
    return (await storage.isTokenRevoked(claims.tokenId)) ? undefined : claims;
  }

  return { issue, read, readActive };
}

/** The value of `aud`: RFC 7519 section 4.1.3 lets a single one stand alone. */
export function singleOrList(audience: readonly string[]): string | string[] {
  const [first] = audience;
  return audience.length === 1 && first !== undefined ? first : [...audience];
}

function readKid(token: string): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}

function findKey(
  published: readonly SigningKey[],
  kid: string | undefined,
  algorithm: string,
): SigningKey['publicKey'] {
  const key = published.find((candidate) => candidate.kid === kid);
  if (key === undefined || key.algorithm !== algorithm) throw new Error('not a key of this issuer');
  return key.publicKey;
}

function readClaims(payload: JWTPayload): AccessTokenClaims | undefined {
  const { sub, aud, exp, iat, jti, client_id: clientId, scope, cnf, act } = payload;
  if (sub === undefined || aud === undefined || exp === undefined || iat === undefined || jti === undefined) {
    return undefined;
  }
  if (typeof clientId !== 'string') return undefined;
  return {
    clientId,
    subject: sub,
    audience: typeof aud === 'string' ? [aud] : aud,
    scope: typeof scope === 'string' ? scope : undefined,
    confirmation: isObject(cnf) ? (cnf as Confirmation) : undefined,
    actor: isObject(act) ? (act as unknown as Actor) : undefined,
    tokenId: jti,
    status: undefined,
    issuedAt: iat,
    expiresAt: exp,
  };
}
