/** `private_key_jwt` (OpenID Connect Core section 9): an assertion under a key that is registered for the service. */
import type { KeyAlgorithm } from '../../shared/crypto.ts';
import type { Jws } from '../../shared/jws.ts';
import type { VerificationKey } from '../../shared/key-set.ts';
import type { IssuerContext } from '../context.ts';
import type { OAuthFault } from '../http/oauth-fault.ts';
import type { StoredService } from '../storage/records.ts';
import type { AuthenticatedClient } from './client-request.ts';
import { Refusal, undecided } from './refusal.ts';

const METHOD = 'private_key_jwt';

export async function verifyByKey(
  { clientKeys }: IssuerContext,
  { header, signingInput, signature }: Jws,
  algorithm: KeyAlgorithm,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal | OAuthFault> {
  const isRegistered = service?.authMethods.includes(METHOD) ?? false;
  let keys: readonly VerificationKey[];
  try {
    keys = await clientKeys.keysOf(isRegistered ? service : undefined).find(algorithm, header.kid);
  } catch (error) {
    return undecided(error);
  }
  // Where there is no key one that nobody has the other half of is tried, so that it takes as long.
  const tried = keys.length === 0 ? [clientKeys.decoyFor(algorithm)] : keys;
  for (const key of tried) {
    const holds = await key.verify(signingInput, signature);
    if (holds && service !== undefined && isRegistered) return { service, method: METHOD };
  }
  if (!isRegistered) return new Refusal('wrong_method');
  return new Refusal(keys.length === 0 ? 'unknown_key' : 'bad_signature');
}
