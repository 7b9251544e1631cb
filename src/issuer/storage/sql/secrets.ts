import type { IssuerStorage } from '../storage.ts';
import { note } from './audit-log.ts';
import { noteCreate } from './idempotent-creates.ts';
import { insertSecret } from './service-rows.ts';
import type { SqlDatabase } from './sql-database.ts';
import { transact } from './transact.ts';

type Secrets = Pick<IssuerStorage, 'addSecret' | 'removeSecret' | 'touchSecrets'>;

export function createSecretTable({ db, hasRowLocks }: SqlDatabase): Secrets {
  return {
    addSecret: ({ clientId, secret, expireOthersAtMs }, audit, request) =>
      transact(db, async (transaction) => {
        if (!(await noteCreate(transaction, request, audit))) return 'repeated';
        const service = await transaction
          .selectFrom('services')
          .select('sequence')
          .where('client_id', '=', clientId)
          .where('revoked_at_ms', 'is', null)
          .$if(hasRowLocks, (query) => query.forUpdate())
          .executeTakeFirst();
        if (service === undefined) return 'taken';
        if (expireOthersAtMs !== undefined) {
          await transaction
            .updateTable('secrets')
            .set({ expires_at_ms: expireOthersAtMs })
            .where('client_id', '=', clientId)
            .where(({ eb, or }) =>
              or([eb('expires_at_ms', 'is', null), eb('expires_at_ms', '>', expireOthersAtMs)]),
            )
            .execute();
        }
        await insertSecret(transaction, clientId, secret);
        await note(transaction, audit);
        return 'created';
      }),
    removeSecret: (clientId, secretId, audit) =>
      transact(db, async (transaction) => {
        const { numDeletedRows } = await transaction
          .deleteFrom('secrets')
          .where('id', '=', secretId)
          .where('client_id', '=', clientId)
          .executeTakeFirstOrThrow();
        if (numDeletedRows === 0n) return false;
        await note(transaction, audit);
        return true;
      }),
    async touchSecrets(uses) {
      // In one order, so that two instances do not wait for each other.
      const sorted = [...uses].sort(([a], [b]) => (a < b ? -1 : 1));
      await transact(db, async (transaction) => {
        for (const [id, usedAtMs] of sorted) {
          await transaction
            .updateTable('secrets')
            .set({ last_used_at_ms: usedAtMs })
            .where('id', '=', id)
            .where(({ eb, or }) =>
              or([eb('last_used_at_ms', 'is', null), eb('last_used_at_ms', '<', usedAtMs)]),
            )
            .execute();
        }
        return true;
      });
    },
  };
}
