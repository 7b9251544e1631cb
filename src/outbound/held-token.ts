/** A token with the key that it is bound to, as slots keep it. */
import { accessTokenHash } from '../shared/dpop.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { type AccessToken, type AccessTokenFields, ReceivedToken } from './access-token.ts';
import type { DpopSigner } from './dpop-keys.ts';

export interface HeldToken {
  readonly token: AccessToken;
  /** Present where the token is bound to a key (RFC 9449). */
  readonly signer: DpopSigner | undefined;
  /** `ath` of its proofs. */
  hash(): MaybePromise<string>;
}

export function holdToken(fields: AccessTokenFields, signer: DpopSigner | undefined): HeldToken {
  let hash: string | undefined;
  return {
    token: new ReceivedToken(fields),
    signer: fields.tokenType === 'DPoP' ? signer : undefined,
    hash: () =>
      hash ??
      andThen(accessTokenHash(fields.accessToken), (computed) => {
        hash = computed;
        return computed;
      }),
  };
}
