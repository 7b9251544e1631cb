import { createHash } from 'node:crypto';
import type { IssuerStorage } from '../storage.ts';
import type { Queries } from './sql-database.ts';

type Counters = Pick<IssuerStorage, 'useOnce' | 'takeFromLimit'>;

/** What instances count together; each function is one statement, so none takes what another one took. */
export function createCounters(db: Queries): Counters {
  return {
    async useOnce(name, expiresAtMs) {
      // Hashed, since a name may be of any length and hold any character. An expired one counts until it is deleted.
      const hash = createHash('sha256').update(name, 'utf16le').digest('base64url');
      const { numInsertedOrUpdatedRows } = await db
        .insertInto('used_names')
        .values({ hash, expires_at_ms: expiresAtMs })
        .onConflict((conflict) => conflict.column('hash').doNothing())
        .executeTakeFirstOrThrow();
      return numInsertedOrUpdatedRows === 1n;
    },
    async takeFromLimit({ key, windowEndsAtMs, limit, amount }) {
      const first = Math.max(0, Math.min(amount, limit));
      const row = await db
        .insertInto('limits')
        .values({ key, window_ends_at_ms: windowEndsAtMs, used: first, granted: first })
        .onConflict((conflict) =>
          conflict
            .columns(['key', 'window_ends_at_ms'])
            .doUpdateSet(({ eb, val }) => {
              const isEnough = eb('limits.used', '<=', limit - amount);
              return {
                used: eb
                  .case()
                  .when(isEnough)
                  .then(eb('limits.used', '+', amount))
                  .else(val(limit))
                  .end(),
                granted: eb
                  .case()
                  .when(isEnough)
                  .then(val(amount))
                  .else(eb(val(limit), '-', eb.ref('limits.used')))
                  .end(),
              };
            })
            .where('limits.used', '<', limit),
        )
        .returning('granted')
        .executeTakeFirst();
      // No row: nothing is left, and nothing was written.
      return row?.granted ?? 0;
    },
  };
}
