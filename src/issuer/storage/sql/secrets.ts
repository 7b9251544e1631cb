import { keptSecret } from '../kept-secret.ts';
import type { Registration } from '../records.ts';
import type { IssuerStorage } from '../storage.ts';
import { note } from './audit-log.ts';
import { noteCreate } from './idempotent-creates.ts';
import { inOrder, insertSecret, secretsInOrder } from './service-rows.ts';
import type { Queries, SqlDatabase } from './sql-database.ts';
import { transact } from './transact.ts';

type Secrets = Pick<IssuerStorage, 'addSecret' | 'removeSecret' | 'touchSecrets'>;

export function createSecretTable({ db, hasRowLocks }: SqlDatabase): Secrets {
  return {
    addSecret: ({ clientId, secret, expireOthersAtMs, most = Infinity }, audit, request) =>
      transact(db, async (transaction) => {
        if (!(await noteCreate(transaction, request, audit))) return 'repeated';
        const service = await transaction
          .selectFrom('services')
          .select('registration')
          .where('client_id', '=', clientId)
          .where('revoked_at_ms', 'is', null)
          .$if(hasRowLocks, (query) => query.forUpdate())
          .executeTakeFirst();
        if (service === undefined) return 'taken';
        const others = await secretsInOrder(transaction, clientId);
        if (others.length >= most) return 'full';
        if (expireOthersAtMs !== undefined) {
          for (const id of others) await expireSecret(transaction, id, expireOthersAtMs);
        }
        // Read under the lock: an update may have taken the method away that the secret was sealed for.
        const { authMethods }: Registration = JSON.parse(service.registration);
        await insertSecret(transaction, clientId, keptSecret(authMethods, secret));
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
      await transact(db, async (transaction) => {
        for (const id of inOrder(uses.keys())) {
          const usedAtMs = uses.get(id) ?? 0;
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

/** A secret that lives longer ends then. */
async function expireSecret(transaction: Queries, id: string, expiresAtMs: number): Promise<void> {
  await transaction
    .updateTable('secrets')
    .set({ expires_at_ms: expiresAtMs })
    .where('id', '=', id)
    .where(({ eb, or }) => or([eb('expires_at_ms', 'is', null), eb('expires_at_ms', '>', expiresAtMs)]))
    .execute();
}
