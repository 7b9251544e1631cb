import type { IssuerStorage } from '../storage.ts';
import { note } from './audit-log.ts';
import type { Queries } from './sql-database.ts';
import { assertStorable } from './storable.ts';
import { transact } from './transact.ts';

type SigningKeys = Pick<
  IssuerStorage,
  'listSigningKeys' | 'addSigningKey' | 'extendSigningKey' | 'deleteSigningKey'
>;

export function createSigningKeyTable(db: Queries): SigningKeys {
  return {
    async listSigningKeys() {
      const rows = await db.selectFrom('signing_keys').selectAll().orderBy('sequence').execute();
      return rows.map((row) =>
        Object.freeze({
          kid: row.kid,
          algorithm: row.algorithm,
          sealedKey: row.sealed_key,
          createdAtMs: row.created_at_ms,
          activeFromMs: row.active_from_ms,
          tokenSeconds: row.token_seconds,
        }),
      );
    },
    async addSigningKey(key, after, audit) {
      assertStorable('kid', key.kid);
      return transact(db, async (transaction) => {
        const last = await transaction
          .selectFrom('signing_keys')
          .select('kid')
          .orderBy('sequence', 'desc')
          .limit(1)
          .executeTakeFirst();
        if (last?.kid !== after) return false;
        // Who reads the same last key at the same time fails here, at the second key that follows it.
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto('signing_keys')
          .values({
            kid: key.kid,
            after_kid: after ?? '',
            algorithm: key.algorithm,
            sealed_key: key.sealedKey,
            created_at_ms: key.createdAtMs,
            active_from_ms: key.activeFromMs,
            token_seconds: key.tokenSeconds,
          })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirstOrThrow();
        if (numInsertedOrUpdatedRows !== 1n) return false;
        if (audit !== undefined) await note(transaction, audit);
        return true;
      });
    },
    async extendSigningKey(kid, tokenSeconds) {
      await db
        .updateTable('signing_keys')
        .set({ token_seconds: tokenSeconds })
        .where('kid', '=', kid)
        .where('token_seconds', '<', tokenSeconds)
        .execute();
    },
    async deleteSigningKey(kid) {
      await db.deleteFrom('signing_keys').where('kid', '=', kid).execute();
    },
  };
}
