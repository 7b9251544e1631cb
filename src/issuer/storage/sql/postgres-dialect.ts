import type { CompiledQuery, DatabaseConnection, Dialect, QueryResult } from 'kysely';
import type { Pool, PoolClient } from 'pg';
import { toStorable } from './storable.ts';

interface Connection extends DatabaseConnection {
  release(): void;
}

/** Kysely on a pool of `pg`; unlike its own dialect this one gives up connections whose state is not known. */
export function createPostgresDialect(kysely: typeof import('kysely'), pool: Pool): Dialect {
  // Connections break also while nobody uses them; without listeners that would end the process.
  pool.on('error', () => {});
  pool.on('connect', (client) => void client.on('error', () => {}));

  const connections = new WeakMap<DatabaseConnection, Connection>();
  const run = async (connection: DatabaseConnection, text: string): Promise<void> => {
    await connection.executeQuery(kysely.CompiledQuery.raw(text));
  };
  return {
    createDriver: () => ({
      async init() {},
      async acquireConnection() {
        const connection = createConnection(await pool.connect());
        connections.set(connection, connection);
        return connection;
      },
      beginTransaction: (connection) => run(connection, 'begin'),
      commitTransaction: (connection) => run(connection, 'commit'),
      rollbackTransaction: (connection) => run(connection, 'rollback'),
      async releaseConnection(connection) {
        connections.get(connection)?.release();
      },
      destroy: () => pool.end(),
    }),
    createQueryCompiler: () => new kysely.PostgresQueryCompiler(),
    createAdapter: () => new kysely.PostgresAdapter(),
    createIntrospector: (db) => new kysely.PostgresIntrospector(db),
  };
}

function createConnection(client: PoolClient): Connection {
  let broken: { readonly by: unknown } | undefined;
  return {
    async executeQuery<R>({ sql: text, parameters }: CompiledQuery): Promise<QueryResult<R>> {
      // To roll back would take as long as what was waited for in vain; the server does so once the connection is gone.
      if (broken !== undefined) throw broken.by;
      try {
        const { rows, rowCount } = await client.query({ text, values: parameters.map(toStorable) });
        return { rows, numAffectedRows: BigInt(rowCount ?? 0) };
      } catch (error) {
        // Not the server's own word: no answer came, and a late one must not meet another query.
        if (!(error instanceof Error && 'severity' in error)) broken = { by: error };
        throw error;
      }
    },
    streamQuery() {
      throw new Error('no query here is streamed');
    },
    release: () => client.release(broken !== undefined),
  };
}
