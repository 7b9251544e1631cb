import { migrations } from './migrations.ts';
import type { SqlDatabase } from './sql-database.ts';

/**
 * Brings the tables up to what this version of the code needs, all in one transaction.
 *
 * Rejects if the database went through more migrations than this version knows.
 */
export async function migrate(database: SqlDatabase): Promise<void> {
  await database.db.transaction().execute(async (transaction) => {
    await database.lockMigrations(transaction);
    await transaction.schema
      .createTable('migrations')
      .ifNotExists()
      .addColumn('version', 'bigint', (column) => column.primaryKey())
      .execute();
    const { version } = await transaction
      .selectFrom('migrations')
      .select(({ fn }) => fn.coalesce(fn.max('version'), fn.count('version')).as('version'))
      .executeTakeFirstOrThrow();
    const from = Number(version);
    if (from > migrations.length) {
      throw new Error(
        `the database is of version ${from} and this service-auth knows versions up to ${migrations.length}; use the newer service-auth that made it`,
      );
    }
    for (const [done, migration] of migrations.entries()) {
      if (done < from) continue;
      await migration(transaction, database);
      await transaction
        .insertInto('migrations')
        .values({ version: done + 1 })
        .execute();
    }
  });
}
