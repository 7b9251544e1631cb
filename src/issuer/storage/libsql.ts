import { writeFileSync } from 'node:fs';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type Libsql from 'libsql';
import { OptionChecker } from '../../shared/options.ts';
import { loadPackage } from './load-package.ts';
import { createLibsqlDialect } from './sql/libsql-dialect.ts';
import type { Schema } from './sql/schema.ts';
import { createSqlStorage } from './sql/sql-storage.ts';
import type { IssuerStorage } from './storage.ts';

/** Where an embedded database lives. */
export interface LibsqlStorageOptions {
  /** The directory of the database, `issuer.db`; it is made, for its owner alone, if it is not there. */
  readonly directory: string;
}

const DIRECTORY_MODE = 0o700;
const FILE_MODE = 0o600;
/** How long another process may take to let go of the directory, such as one that is being replaced. */
const PATIENCE_MS = 1000;

/**
 * Storage on the disk of this machine, for one issuer: SQLite, embedded by the packages `libsql` and `kysely`.
 * What is acknowledged is on the disk, and outlives a crash of the process or of the machine.
 *
 * Not checked: who may read a directory that was there before, and whether its file system keeps what it was told to.
 *
 * @throws TypeError for wrong options; rejects with an Error if another issuer uses the directory, if its database is
 * that of a newer version, or if the packages are not installed.
 *
 * @example
 * ```ts
 * import { createIssuer, libsqlStorage } from 'service-auth/issuer';
 *
 * const storage = await libsqlStorage({ directory: './service-auth-data' });
 * const secretKey = process.env.SERVICE_AUTH_SECRET_KEY;
 *
 * export const issuer = createIssuer({ issuer: 'https://idp.example', storage, secretKey });
 * ```
 */
export async function libsqlStorage(options: LibsqlStorageOptions): Promise<IssuerStorage> {
  const check = new OptionChecker('libsqlStorage');
  const directory = check.path('directory', check.object('options', options, ['directory']).directory);
  const [kysely, { default: Database }] = await loadPackage('libsqlStorage', 'kysely libsql', () =>
    Promise.all([import('kysely'), import('libsql')]),
  );
  const database = openDatabase(Database, await prepareFile(directory));
  return createSqlStorage({
    db: new kysely.Kysely<Schema>({ dialect: createLibsqlDialect(kysely, database) }),
    sequenceType: 'integer',
    countUp: (column) => column.autoIncrement(),
    hasRowLocks: false,
    // The database is locked as a whole, for as long as it is open.
    lockMigrations: async () => {},
  });
}

/** SQLite gives its other files the mode of this one. */
async function prepareFile(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: DIRECTORY_MODE });
  const path = join(directory, 'issuer.db');
  makeFile(path);
  await chmod(path, FILE_MODE);
  return path;
}

/**
 * Makes the file at once, and never opens one that is there: a process that closes a file gives up all locks that it
 * has on it (POSIX, fcntl), also those of a database that is open in it.
 */
function makeFile(path: string): void {
  try {
    writeFileSync(path, '', { flag: 'wx', mode: FILE_MODE });
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  }
}

function openDatabase(Database: typeof Libsql, path: string): Libsql.Database {
  const database = new Database(path, { timeout: PATIENCE_MS });
  try {
    // Exclusive: what is read may be kept in memory, and nobody else changes it behind our back.
    database.pragma('locking_mode = exclusive');
    database.pragma('journal_mode = wal');
    database.pragma('synchronous = full');
    return database;
  } catch (error) {
    database.close();
    if (!(error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY')) throw error;
    throw new Error('the data directory is in use by another issuer; use PostgreSQL for several');
  }
}
