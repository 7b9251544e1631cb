/** Access tokens as JWTs (RFC 9068): issued, and known again. */
import { decodeProtectedHeader, type JWTPayload, jwtVerify, SignJWT } from 'jose';
import type { IssuerSettings } from './issuer-options.ts';
import type { SigningKey } from './sealed-keys.ts';
import type { Secrets } from './secrets.ts';
import type { SigningKeys } from './signing-keys.ts';

export interface AccessTokenGrant {
  readonly clientId: string;
  readonly subject: string;
  readonly audience: readonly string[];
  /** Separated by spaces; `undefined` where none was granted. */
  readonly scope: string | undefined;
}

export interface AccessTokenClaims extends AccessTokenGrant {
  readonly tokenId: string;
  /** In epoch seconds. */
  readonly issuedAt: number;
  /** In epoch seconds. */
  readonly expiresAt: number;
}

export interface IssuedToken extends AccessTokenClaims {
  readonly accessToken: string;
}

export interface AccessTokens {
  issue(grant: AccessTokenGrant): Promise<IssuedToken>;
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
  const { issuer, storage, accessTokenSeconds, now } = settings;

  async function issue(grant: AccessTokenGrant): Promise<IssuedToken> {
    const { clientId, subject, audience, scope } = grant;
    const { privateKey, algorithm, kid } = await keys.signer();
    const issuedAt = Math.floor(now() / 1000);
    const expiresAt = issuedAt + accessTokenSeconds;
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
    };
    const accessToken = await new SignJWT(claims)
      .setProtectedHeader({ alg: algorithm, typ: TYP, kid })
      .sign(privateKey);
    return { ...grant, accessToken, tokenId, issuedAt, expiresAt };
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
  const { sub, aud, exp, iat, jti, client_id: clientId, scope } = payload;
  if (sub === undefined || aud === undefined || exp === undefined || iat === undefined || jti === undefined) {
    return undefined;
  }
  if (typeof clientId !== 'string') return undefined;
  return {
    clientId,
    subject: sub,
    audience: typeof aud === 'string' ? [aud] : aud,
    scope: typeof scope === 'string' ? scope : undefined,
    tokenId: jti,
    issuedAt: iat,
    expiresAt: exp,
  };
}
