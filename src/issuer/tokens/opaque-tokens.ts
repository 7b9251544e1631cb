/** Access tokens that say nothing: what they are good for is in the storage, under a keyed hash of the token. */
import { parseJsonObject } from '../../shared/json.ts';
import { isWellFormedSecret, type Secrets } from '../clients/secrets.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import { fromJwtClaims, type TokenFormat, toJwtClaims } from './access-token-claims.ts';

const PURPOSE = 'access token';

export function createOpaqueTokens(
  { issuer, storage }: Pick<IssuerSettings, 'issuer' | 'storage'>,
  secrets: Secrets,
): TokenFormat {
  return {
    async write(claims) {
      const { tokenId, clientId, expiresAt } = claims;
      const accessToken = secrets.generateToken();
      await storage.saveToken({
        hash: secrets.fingerprint(PURPOSE, accessToken),
        tokenId,
        clientId,
        expiresAtMs: expiresAt * 1000,
        claims: JSON.stringify(toJwtClaims(issuer, claims)),
      });
      return { ...claims, accessToken };
    },
    async read(token) {
      // The checksum first: floods of random tokens do not reach the storage.
      if (!isWellFormedSecret(token)) return undefined;
      const stored = await storage.findToken(secrets.fingerprint(PURPOSE, token));
      const claims = stored && parseJsonObject(new TextEncoder().encode(stored.claims));
      return claims && fromJwtClaims(issuer, claims, undefined);
    },
  };
}
