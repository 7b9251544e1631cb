/** `client_secret_basic` and `client_secret_post` (RFC 6749 section 2.3.1). */
import type { IssuerContext } from '../context.ts';
import type { StoredService } from '../storage/records.ts';
import type { AuthenticatedClient } from './client-request.ts';
import type { PresentedSecret } from './presented-credentials.ts';
import { Refusal } from './refusal.ts';

export async function authenticateBySecret(
  { settings, secrets, housekeeping }: IssuerContext,
  { clientId, clientSecret, method }: PresentedSecret,
  service: StoredService | undefined,
): Promise<AuthenticatedClient | Refusal> {
  const isRegistered = service?.authMethods.includes(method) ?? false;
  const kept = isRegistered ? (service?.secrets ?? []) : [];
  const secretId = secrets.match(clientId, clientSecret, kept, settings.now());
  if (service === undefined || !isRegistered) return new Refusal('wrong_method');
  if (secretId === undefined) return new Refusal('wrong_secret');
  housekeeping.secretUsed(secretId);
  return { service, method };
}
