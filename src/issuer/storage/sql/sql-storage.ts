import type { IssuerStorage } from '../storage.ts';
import { createAuditLog } from './audit-log.ts';
import { createCounters } from './counters.ts';
import { createExpiry } from './expiry.ts';
import { createIdempotentCreates } from './idempotent-creates.ts';
import { migrate } from './migrate.ts';
import { createResourceTable } from './resources.ts';
import { createSecretTable } from './secrets.ts';
import { createServices } from './services.ts';
import { createSigningKeyTable } from './signing-keys.ts';
import type { SqlDatabase } from './sql-database.ts';
import { createStatusLists } from './status-lists.ts';
import { createTokens } from './tokens.ts';

/** Storage in a database of SQL, whose tables are made or brought up to date first; closed if that fails. */
export async function createSqlStorage(database: SqlDatabase): Promise<IssuerStorage> {
  const { db } = database;
  try {
    await migrate(database);
  } catch (error) {
    await db.destroy();
    throw error;
  }
  return Object.freeze({
    durable: true,
    ...createServices(db),
    ...createSecretTable(database),
    ...createIdempotentCreates(db),
    ...createResourceTable(db),
    ...createTokens(db),
    ...createStatusLists(database),
    ...createCounters(db),
    ...createSigningKeyTable(db),
    ...createAuditLog(db),
    ...createExpiry(database),
    close: () => db.destroy(),
  });
}
