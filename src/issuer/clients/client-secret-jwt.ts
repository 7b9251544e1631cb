/** `client_secret_jwt` (OpenID Connect Core section 9): an assertion under any live secret of the service. */
import { importSecret, type SecretAlgorithm } from '../../shared/crypto.ts';
import type { Jws } from '../../shared/jws.ts';
import type { IssuerContext } from '../context.ts';
import type { StoredService } from '../storage/records.ts';
import type { AuthenticatedClient } from './client-request.ts';
import { Refusal } from './refusal.ts';

const METHOD = 'client_secret_jwt';
/** So many secrets are tried at least, so that time does not tell whether there is one. */
const LEAST_TRIALS = 4;

export async function verifyBySecret(
  { secrets, settings, housekeeping }: IssuerContext,
  { signingInput, signature }: Jws,
  algorithm: SecretAlgorithm,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal> {
  const { clientId = '' } = service ?? {};
  const isRegistered = service?.authMethods.includes(METHOD) ?? false;
  const nowMs = settings.now();
  const sealed = isRegistered ? (service?.secrets ?? []).filter((secret) => secret.sealed !== undefined) : [];
  let used: string | undefined;
  for (let trial = 0; trial < Math.max(sealed.length, LEAST_TRIALS); trial++) {
    const kept = sealed[trial];
    const secret = kept === undefined ? secrets.openDecoy() : (secrets.open(clientId, kept) ?? '');
    const holds = await importSecret(new TextEncoder().encode(secret), algorithm)(signingInput, signature);
    if (holds && kept !== undefined && secret !== '' && (kept.expiresAtMs ?? Infinity) > nowMs)
      used = kept.id;
  }
  if (service === undefined || !isRegistered) return new Refusal('wrong_method');
  if (used === undefined) return new Refusal('bad_signature');
  housekeeping.secretUsed(used);
  return { service, method: METHOD };
}
