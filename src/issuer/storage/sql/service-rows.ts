/** Services with their secrets as rows of a join: one for each secret, or one without. */
import type { Registration, StoredSecret, StoredService } from '../records.ts';
import type { Queries } from './sql-database.ts';

export interface ServiceRow {
  readonly client_id: string;
  readonly registration: string;
  readonly version: number;
  readonly created_at_ms: number;
  readonly updated_at_ms: number;
  readonly revoked_at_ms: number | null;
  readonly secret_id: string | null;
  readonly hash: string | null;
  readonly sealed: string | null;
  readonly hint: string | null;
  readonly secret_created_at_ms: number | null;
  readonly secret_expires_at_ms: number | null;
  readonly last_used_at_ms: number | null;
}

/** The columns of a `ServiceRow`, from a join of `services` and `secrets`. */
export const serviceColumns = [
  'services.client_id as client_id',
  'services.registration as registration',
  'services.version as version',
  'services.created_at_ms as created_at_ms',
  'services.updated_at_ms as updated_at_ms',
  'services.revoked_at_ms as revoked_at_ms',
  'secrets.id as secret_id',
  'secrets.hash as hash',
  'secrets.sealed as sealed',
  'secrets.hint as hint',
  'secrets.created_at_ms as secret_created_at_ms',
  'secrets.expires_at_ms as secret_expires_at_ms',
  'secrets.last_used_at_ms as last_used_at_ms',
] as const;

/** `undefined` without rows; rows of other services than the first one's must not be among them. */
export function toService(rows: readonly ServiceRow[]): StoredService | undefined {
  const [first] = rows;
  if (first === undefined) return undefined;
  const registration: Registration = JSON.parse(first.registration);
  return Object.freeze({
    ...withUnset,
    ...registration,
    clientId: first.client_id,
    secrets: Object.freeze(rows.flatMap(toSecret)),
    createdAtMs: first.created_at_ms,
    updatedAtMs: first.updated_at_ms,
    revokedAtMs: first.revoked_at_ms ?? undefined,
    version: first.version,
  });
}

/** What JSON leaves out. */
const withUnset = {
  description: undefined,
  accessTokenSeconds: undefined,
  jwks: undefined,
  jwksUri: undefined,
  tlsClientAuth: undefined,
};

function toSecret(row: ServiceRow): readonly StoredSecret[] {
  const { secret_id: id, hash, hint, secret_created_at_ms: createdAtMs } = row;
  if (id === null || hash === null || hint === null || createdAtMs === null) return [];
  const sealed = row.sealed ?? undefined;
  const expiresAtMs = row.secret_expires_at_ms ?? undefined;
  const lastUsedAtMs = row.last_used_at_ms ?? undefined;
  return [Object.freeze({ id, hash, sealed, hint, createdAtMs, expiresAtMs, lastUsedAtMs })];
}

/** What of a service is kept as one document: all that an administrator decides. */
export function toRegistration(service: StoredService): string {
  const { clientId, secrets, createdAtMs, updatedAtMs, revokedAtMs, version, ...registration } = service;
  return JSON.stringify(registration);
}

export async function insertSecret(
  transaction: Queries,
  clientId: string,
  secret: StoredSecret,
): Promise<void> {
  const { id, hash, hint } = secret;
  await transaction
    .insertInto('secrets')
    .values({
      id,
      client_id: clientId,
      hash,
      sealed: secret.sealed ?? null,
      hint,
      created_at_ms: secret.createdAtMs,
      expires_at_ms: secret.expiresAtMs ?? null,
      last_used_at_ms: secret.lastUsedAtMs ?? null,
    })
    .execute();
}

/** The ids of a service's secrets, in the order in which they may be written. */
export async function secretsInOrder(transaction: Queries, clientId: string): Promise<readonly string[]> {
  const rows = await transaction
    .selectFrom('secrets')
    .select('id')
    .where('client_id', '=', clientId)
    .execute();
  return inOrder(rows.map(({ id }) => id));
}

/** Secrets are always written in this order: transactions that lock several of them then never wait for each other. */
export function inOrder(ids: Iterable<string>): readonly string[] {
  return [...ids].sort();
}
