import { setImmediate as nextTurn } from 'node:timers/promises';
import type { DeleteResult, SelectQueryBuilder } from 'kysely';
import type { IssuerStorage } from '../storage.ts';
import type { Schema } from './schema.ts';
import type { SqlDatabase } from './sql-database.ts';

/** How many rows one statement deletes at most, so that requests get their turn in between. */
const BATCH = 500;

export function createExpiry({ db, hasRowLocks }: SqlDatabase): Pick<IssuerStorage, 'deleteExpired'> {
  /** What another instance is deleting is left to it. */
  function batch<T extends keyof Schema, O>(rows: SelectQueryBuilder<Schema, T, O>) {
    return rows.limit(BATCH).$if(hasRowLocks, (query) => query.forUpdate().skipLocked());
  }

  const statements: readonly ((nowMs: number) => Promise<DeleteResult>)[] = [
    (nowMs) =>
      db
        .deleteFrom('tokens')
        .where('hash', 'in', ({ selectFrom }) =>
          batch(selectFrom('tokens').select('hash').where('expires_at_ms', '<=', nowMs)),
        )
        .executeTakeFirstOrThrow(),
    (nowMs) =>
      db
        .deleteFrom('revoked_tokens')
        .where('token_id', 'in', ({ selectFrom }) =>
          batch(selectFrom('revoked_tokens').select('token_id').where('expires_at_ms', '<=', nowMs)),
        )
        .executeTakeFirstOrThrow(),
    (nowMs) =>
      db
        .deleteFrom('used_names')
        .where('hash', 'in', ({ selectFrom }) =>
          batch(selectFrom('used_names').select('hash').where('expires_at_ms', '<=', nowMs)),
        )
        .executeTakeFirstOrThrow(),
    (nowMs) =>
      db
        .deleteFrom('idempotent_creates')
        .where('key', 'in', ({ selectFrom }) =>
          batch(selectFrom('idempotent_creates').select('key').where('expires_at_ms', '<=', nowMs)),
        )
        .executeTakeFirstOrThrow(),
    (nowMs) =>
      db
        .deleteFrom('limits')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('key', 'window_ends_at_ms'),
            'in',
            batch(
              selectFrom('limits')
                .select(['key', 'window_ends_at_ms'])
                .where('window_ends_at_ms', '<=', nowMs),
            ).$asTuple('key', 'window_ends_at_ms'),
          ),
        )
        .executeTakeFirstOrThrow(),
    (nowMs) =>
      db
        .deleteFrom('status_blocks')
        .where(({ eb, refTuple, selectFrom }) =>
          eb(
            refTuple('list_id', 'start'),
            'in',
            batch(
              selectFrom('status_blocks').select(['list_id', 'start']).where('expires_at_ms', '<=', nowMs),
            ).$asTuple('list_id', 'start'),
          ),
        )
        .executeTakeFirstOrThrow(),
    // The newest one stays: places are taken from it.
    (nowMs) =>
      db
        .deleteFrom('status_lists')
        .where('id', 'in', ({ selectFrom }) =>
          batch(
            selectFrom('status_lists')
              .select('id')
              .where('expires_at_ms', '<=', nowMs)
              .where('id', '<', (nested) =>
                nested.selectFrom('status_lists as all').select(({ fn }) => fn.max('all.id').as('newest')),
              ),
          ),
        )
        .executeTakeFirstOrThrow(),
  ];

  return {
    async deleteExpired(nowMs) {
      for (const statement of statements) {
        while ((await statement(nowMs)).numDeletedRows >= BATCH) await nextTurn();
      }
    },
  };
}
