import type { AuditEntry, IdempotentCreate } from '../records.ts';
import type { IssuerStorage } from '../storage.ts';
import type { Queries } from './sql-database.ts';

/** Notes a create; `false` if its key was used before and has not expired. */
export async function noteCreate(
  transaction: Queries,
  request: IdempotentCreate | undefined,
  { atMs }: AuditEntry,
): Promise<boolean> {
  if (request === undefined) return true;
  const { key, ...rest } = toRow(request);
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto('idempotent_creates')
    .values({ key, ...rest })
    .onConflict((conflict) =>
      conflict.column('key').doUpdateSet(rest).where('idempotent_creates.expires_at_ms', '<=', atMs),
    )
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

export function createIdempotentCreates(db: Queries): Pick<IssuerStorage, 'findIdempotentCreate'> {
  return {
    async findIdempotentCreate(key, nowMs) {
      const row = await db
        .selectFrom('idempotent_creates')
        .selectAll()
        .where('key', '=', key)
        .where('expires_at_ms', '>', nowMs)
        .executeTakeFirst();
      if (row === undefined) return undefined;
      const { client_id: clientId, expires_at_ms: expiresAtMs, fingerprint, salt } = row;
      const secretId = row.secret_id ?? undefined;
      return Object.freeze({ key, fingerprint, salt, clientId, secretId, expiresAtMs });
    },
  };
}

function toRow({ key, fingerprint, salt, clientId, secretId, expiresAtMs }: IdempotentCreate) {
  const secret_id = secretId ?? null;
  return { key, fingerprint, salt, client_id: clientId, secret_id, expires_at_ms: expiresAtMs };
}
