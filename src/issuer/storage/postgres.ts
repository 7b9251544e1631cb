import { OptionChecker } from '../../shared/options.ts';
import { parseUrl } from '../../shared/url.ts';
import { loadPackage } from './load-package.ts';
import { createPostgresDialect } from './sql/postgres-dialect.ts';
import type { Schema } from './sql/schema.ts';
import type { Queries } from './sql/sql-database.ts';
import { createSqlStorage } from './sql/sql-storage.ts';
import type { IssuerStorage } from './storage.ts';

/** Which PostgreSQL, and how much of it. */
export interface PostgresStorageOptions {
  /**
   * A connection URI of PostgreSQL, such as `postgresql://issuer@db.internal/issuer`. The database should be the
   * issuer's own: its tables have plain names.
   */
  readonly url: string;
  /**
   * How many connections this instance opens at most.
   * @default 10
   */
  readonly maxConnections?: number | undefined;
}

const CONNECT_TIMEOUT_MS = 5000;
const STATEMENT_TIMEOUT_MS = 10_000;
/** Beyond the server's own limit: only a server that cannot be reached takes as long. */
const ANSWER_TIMEOUT_MS = 15_000;
/** Of a transaction whose process is gone without a word: its locks must not stay. */
const IDLE_TRANSACTION_TIMEOUT_MS = 30_000;
/** Whatever the server's own default is: stricter levels would reject what here waits for a lock and then goes on. */
const READ_COMMITTED = '-c default_transaction_isolation=read\\ committed';
/** The number of PostgreSQL's type `bigint`. */
const BIGINT = 20;
/** Any number will do, if nobody else's advisory lock has it. */
const MIGRATION_LOCK = 7_263_641_902;

/**
 * Storage in PostgreSQL, for any number of issuers that then behave as one; with the packages `pg` and `kysely`.
 *
 * While the database is out of reach calls reject; they work again as soon as it is back. Not checked: that the server
 * is set to make commits durable, as it is by default, and who else may use the database.
 *
 * @throws TypeError for wrong options; rejects with an Error if the database cannot be reached, is of a newer version,
 * or if the packages are not installed.
 *
 * @example
 * ```ts
 * import { createIssuer, postgresStorage } from 'service-auth/issuer';
 *
 * const storage = await postgresStorage({ url: process.env.SERVICE_AUTH_DATABASE_URL ?? '', maxConnections: 20 });
 * const secretKey = process.env.SERVICE_AUTH_SECRET_KEY;
 *
 * export const issuer = createIssuer({ issuer: 'https://idp.example', storage, secretKey });
 * ```
 */
export async function postgresStorage(options: PostgresStorageOptions): Promise<IssuerStorage> {
  const check = new OptionChecker('postgresStorage');
  const { url, maxConnections = 10 } = check.object('options', options, ['url', 'maxConnections']);
  // A password may be anywhere in it, so it is never shown.
  if (typeof url !== 'string' || !isPostgresUrl(url)) check.failSecret('url', 'a postgresql: URL');
  check.wholeNumber('maxConnections', maxConnections, 1, 1000, 'connections');
  const [kysely, { default: pg }] = await loadPackage('postgresStorage', 'kysely pg', () =>
    Promise.all([import('kysely'), import('pg')]),
  );
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'service-auth',
    max: maxConnections,
    keepAlive: true,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: ANSWER_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    options: READ_COMMITTED,
    types: {
      // All that is kept is within what a number holds exactly.
      getTypeParser: (type, format) => (type === BIGINT ? Number : pg.types.getTypeParser(type, format)),
    },
  });
  return createSqlStorage({
    db: new kysely.Kysely<Schema>({ dialect: createPostgresDialect(kysely, pool) }),
    sequenceType: 'bigint',
    countUp: (column) => column.generatedByDefaultAsIdentity(),
    hasRowLocks: true,
    lockMigrations,
  });
}

function isPostgresUrl(text: string): boolean {
  return ['postgres:', 'postgresql:'].includes(parseUrl(text)?.protocol ?? '');
}

async function lockMigrations(transaction: Queries): Promise<void> {
  await transaction
    .selectNoFrom(({ fn, val, cast }) =>
      fn('pg_advisory_xact_lock', [cast(val(MIGRATION_LOCK), 'bigint')]).as('lock'),
    )
    .execute();
}
