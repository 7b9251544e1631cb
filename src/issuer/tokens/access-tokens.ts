/** Access tokens of both formats: issued, known again, and judged. */
import type { Secrets } from '../clients/secrets.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { AccessTokenClaims, AccessTokenGrant, IssuedToken } from './access-token-claims.ts';
import { createJwtTokens } from './jwt-tokens.ts';
import { createOpaqueTokens } from './opaque-tokens.ts';

export type { AccessTokenClaims, AccessTokenGrant, IssuedToken } from './access-token-claims.ts';

export interface TokenForm {
  readonly format: 'jwt' | 'opaque';
  readonly lifetimeSeconds: number;
  /** In epoch seconds, which the token does not outlive, however long it takes to make it. */
  readonly expiresBy?: number;
}

export interface AccessTokens {
  /** Rejects where the storage cannot do its part, or took too long with it. */
  issue(grant: AccessTokenGrant, form: TokenForm): Promise<IssuedToken>;
  /** The claims of a token of this issuer that has not expired. Does not look for revocation. */
  read(token: string): Promise<AccessTokenClaims | undefined>;
  /** As `read`, for tokens that neither were revoked themselves nor belong to a revoked service. */
  readActive(token: string): Promise<AccessTokenClaims | undefined>;
}

const LONGEST_TOKEN = 16 * 1024;

export function createAccessTokens(
  settings: IssuerSettings,
  keys: SigningKeys,
  secrets: Secrets,
): AccessTokens {
  const { storage, now } = settings;
  const jwt = createJwtTokens(settings, keys);
  const opaque = createOpaqueTokens(settings, secrets);
  const formats = { jwt, opaque };

  async function issue(grant: AccessTokenGrant, form: TokenForm): Promise<IssuedToken> {
    const issuedAt = Math.floor(now() / 1000);
    const expiresAt = Math.min(issuedAt + form.lifetimeSeconds, form.expiresBy ?? Infinity);
    if (expiresAt <= issuedAt) throw new Error('the token that it is made of has expired meanwhile');
    const tokenId = secrets.identifier();
    return formats[form.format].write({ ...grant, tokenId, issuedAt, expiresAt, status: undefined });
  }

  async function read(token: string): Promise<AccessTokenClaims | undefined> {
    if (token.length > LONGEST_TOKEN) return undefined;
    const claims = await (token.includes('.') ? jwt : opaque).read(token);
    return claims !== undefined && claims.expiresAt * 1000 > now() ? claims : undefined;
  }

  async function readActive(token: string): Promise<AccessTokenClaims | undefined> {
    const claims = await read(token);
    if (claims === undefined) return undefined;
    const [service, isRevoked] = await Promise.all([
      storage.findService(claims.clientId),
      storage.isTokenRevoked(claims.tokenId),
    ]);
    const isLive = service !== undefined && service.revokedAtMs === undefined && !isRevoked;
    return isLive ? claims : undefined;
  }

  return { issue, read, readActive };
}
