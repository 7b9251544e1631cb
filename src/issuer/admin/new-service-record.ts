import type { Secrets } from '../clients/secrets.ts';
import type { AuditEntry, Registration, StoredService } from '../storage/records.ts';
import { needsSecret, sealSecret } from './secret-operations.ts';
import { showService } from './show.ts';

export interface ServiceCreation {
  readonly actor: string;
  readonly clientId: string;
  /** Judged. */
  readonly registration: Registration;
  /** Kept if a method of the service needs one. */
  readonly clientSecret: string;
  /** The id of the secret, where it was given to one before. */
  readonly secretId?: string | undefined;
  readonly createdAtMs: number;
}

/** A service that is to be stored for the first time, and what the audit log says of it. */
export function newServiceRecord(
  secrets: Secrets,
  { actor, clientId, registration, clientSecret, secretId, createdAtMs }: ServiceCreation,
): { readonly service: StoredService; readonly audit: AuditEntry } {
  const { authMethods } = registration;
  const options = { nowMs: createdAtMs, id: secretId };
  const service: StoredService = {
    ...registration,
    clientId,
    secrets: needsSecret(authMethods)
      ? [sealSecret(secrets, { clientId, authMethods }, clientSecret, options)]
      : [],
    createdAtMs,
    updatedAtMs: createdAtMs,
    revokedAtMs: undefined,
    version: 1,
  };
  const after = showService(service);
  const audit = { atMs: createdAtMs, actor, action: 'service.created', target: clientId };
  return { service, audit: { ...audit, before: undefined, after } };
}
