import type { CompiledQuery, DatabaseConnection, Dialect, Driver, QueryResult } from 'kysely';
import type Libsql from 'libsql';
import { toStorable } from './storable.ts';

type Statement = Libsql.Statement<unknown[]>;

/**
 * Kysely on a libsql database. Its own SQLite dialect prepares every statement anew, and wakes all that wait for the
 * one connection each time that it is free; here statements are kept, and those that wait stand in a queue.
 */
export function createLibsqlDialect(kysely: typeof import('kysely'), database: Libsql.Database): Dialect {
  return {
    createDriver: () => createDriver(database),
    createQueryCompiler: () => new kysely.SqliteQueryCompiler(),
    createAdapter: () => new kysely.SqliteAdapter(),
    createIntrospector: (db) => new kysely.SqliteIntrospector(db),
  };
}

function createDriver(database: Libsql.Database): Driver {
  const queue = createQueue();
  const connection = createConnection(database);
  const run = async (sql: string): Promise<void> => void database.exec(sql);
  return {
    async init() {},
    async acquireConnection() {
      await queue.enter();
      return connection;
    },
    beginTransaction: () => run('begin immediate'),
    commitTransaction: () => run('commit'),
    async rollbackTransaction() {
      // Where the disk is full SQLite has done so itself.
      if (database.inTransaction) await run('rollback');
    },
    async releaseConnection() {
      queue.leave();
    },
    async destroy() {
      // What is under way is finished first.
      await queue.enter();
      letGo(database);
      database.close();
    },
  };
}

/** Gives up the lock of the file: closing alone does so only once all statements are garbage, and collected. */
function letGo(database: Libsql.Database): void {
  database.pragma('journal_mode = delete');
  database.pragma('locking_mode = normal');
  database.pragma('user_version');
}

/** One at a time, in the order in which they came. */
function createQueue() {
  const waiting: (() => void)[] = [];
  let isBusy = false;
  return {
    enter(): Promise<void> | undefined {
      if (isBusy) return new Promise((resolve) => waiting.push(resolve));
      isBusy = true;
      return undefined;
    },
    leave(): void {
      const next = waiting.shift();
      if (next === undefined) isBusy = false;
      else next();
    },
  };
}

function createConnection(database: Libsql.Database): DatabaseConnection {
  const statements = new Map<string, { readonly statement: Statement; readonly isReader: boolean }>();

  function prepared(sql: string) {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = database.prepare(sql);
    const made = { statement, isReader: statement.reader };
    // Queries are few: none is composed of what comes from outside.
    statements.set(sql, made);
    return made;
  }

  return {
    async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      const { statement, isReader } = prepared(sql);
      const values = parameters.map(toStorable);
      if (isReader) return { rows: statement.all(values) as R[] };
      const { changes } = statement.run(values);
      return { rows: [], numAffectedRows: BigInt(changes) };
    },
    streamQuery() {
      throw new Error('no query here is streamed');
    },
  };
}
