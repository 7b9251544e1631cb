/** Access tokens that say themselves what they are good for (RFC 9068), with their place in a status list. */
import { isObject, type JsonObject } from '../../shared/json.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import { readSignedJwt, signJwt } from '../keys/signed-jwt.ts';
import type { SigningKeys } from '../keys/signing-keys.ts';
import type { StatusPlace } from '../storage/records.ts';
import { fromJwtClaims, type TokenFormat, toJwtClaims } from './access-token-claims.ts';
import { statusListId, statusListUri } from './status-list-uri.ts';
import { createStatusPlaces } from './status-places.ts';

const TYP = 'at+jwt';

export function createJwtTokens(settings: IssuerSettings, keys: SigningKeys): TokenFormat {
  const { issuer, baseUrl } = settings;
  const places = settings.statusLists ? createStatusPlaces(settings) : undefined;

  function readStatus({ status }: JsonObject): StatusPlace | undefined {
    const reference = isObject(status) ? status.status_list : undefined;
    const { idx, uri } = isObject(reference) ? reference : {};
    const listId = typeof uri === 'string' ? statusListId(baseUrl, uri) : undefined;
    return typeof idx === 'number' && listId !== undefined ? { listId, index: idx } : undefined;
  }

  return {
    async write(claims) {
      const { clientId, issuedAt, expiresAt } = claims;
      // Without its place a token could not be revoked for those who look there: then rather no token.
      const status = await places?.take(clientId, expiresAt * 1000);
      const key = await keys.signer(expiresAt - issuedAt);
      const reference = status && {
        status_list: { idx: status.index, uri: statusListUri(baseUrl, status.listId) },
      };
      const accessToken = await signJwt(key, TYP, { ...toJwtClaims(issuer, claims), status: reference });
      return { ...claims, status, accessToken };
    },
    async read(token) {
      const claims = await readSignedJwt(keys, TYP, token);
      return claims && fromJwtClaims(issuer, claims, readStatus(claims));
    },
  };
}
