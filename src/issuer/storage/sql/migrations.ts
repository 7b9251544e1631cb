/** How the tables came to be what they are. What is released is never edited; what changes is added below it. */
import type { CreateTableBuilder } from 'kysely';
import { insertDecoy } from './decoy.ts';
import type { Queries, SqlDatabase } from './sql-database.ts';

type Migration = (transaction: Queries, database: SqlDatabase) => Promise<void>;

/** The version of a database is the number of migrations that it went through. */
export const migrations: readonly Migration[] = [
  async (transaction, database) => {
    const { schema } = transaction;
    const create = (name: string): CreateTableBuilder<string> => schema.createTable(name);
    const createNumbered = (name: string): CreateTableBuilder<string> =>
      create(name).addColumn('sequence', database.sequenceType, (column) =>
        database.countUp(column.primaryKey()),
      );
    const index = (table: string, ...columns: string[]): Promise<void> =>
      schema
        .createIndex(`${table}_by_${columns.join('_')}`)
        .on(table)
        .columns(columns)
        .execute();

    await createNumbered('services')
      .addColumn('client_id', 'text', (column) => column.notNull().unique())
      .addColumn('registration', 'text', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('revoked_at_ms', 'bigint')
      .execute();
    await createNumbered('secrets')
      .addColumn('id', 'text', (column) => column.notNull())
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('hash', 'text', (column) => column.notNull())
      .addColumn('sealed', 'text')
      .addColumn('hint', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint')
      .addColumn('last_used_at_ms', 'bigint')
      .execute();
    await index('secrets', 'client_id', 'sequence');
    await index('secrets', 'id');
    await insertDecoy(transaction);
    await create('idempotent_creates')
      .addColumn('key', 'text', (column) => column.primaryKey())
      .addColumn('fingerprint', 'text', (column) => column.notNull())
      .addColumn('salt', 'text', (column) => column.notNull())
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('secret_id', 'text')
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await index('idempotent_creates', 'expires_at_ms');
    await createNumbered('resources')
      .addColumn('resource', 'text', (column) => column.notNull().unique())
      .addColumn('name', 'text')
      .addColumn('scopes', 'text')
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('updated_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('version', 'bigint', (column) => column.notNull())
      .execute();

    await create('tokens')
      .addColumn('hash', 'text', (column) => column.primaryKey())
      .addColumn('token_id', 'text', (column) => column.notNull())
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('claims', 'text', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await index('tokens', 'expires_at_ms');
    await create('revoked_tokens')
      .addColumn('token_id', 'text', (column) => column.primaryKey())
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('list_id', 'bigint')
      .addColumn('list_index', 'bigint')
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await index('revoked_tokens', 'list_id');
    await index('revoked_tokens', 'expires_at_ms');
    await create('status_lists')
      .addColumn('id', 'bigint', (column) => column.primaryKey())
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .addColumn('next_place', 'bigint', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await create('status_blocks')
      .addColumn('list_id', 'bigint', (column) => column.notNull())
      .addColumn('start', 'bigint', (column) => column.notNull())
      .addColumn('count', 'bigint', (column) => column.notNull())
      .addColumn('client_id', 'text', (column) => column.notNull())
      .addColumn('revoked', 'integer', (column) => column.notNull())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('status_blocks_key', ['list_id', 'start'])
      .execute();
    await index('status_blocks', 'list_id', 'revoked');
    await index('status_blocks', 'client_id');
    await index('status_blocks', 'expires_at_ms');

    await create('used_names')
      .addColumn('hash', 'text', (column) => column.primaryKey())
      .addColumn('expires_at_ms', 'bigint', (column) => column.notNull())
      .execute();
    await index('used_names', 'expires_at_ms');
    await create('limits')
      .addColumn('key', 'text', (column) => column.notNull())
      .addColumn('window_ends_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('used', 'bigint', (column) => column.notNull())
      .addColumn('granted', 'bigint', (column) => column.notNull())
      .addPrimaryKeyConstraint('limits_key', ['key', 'window_ends_at_ms'])
      .execute();
    await index('limits', 'window_ends_at_ms');

    await createNumbered('signing_keys')
      .addColumn('kid', 'text', (column) => column.notNull().unique())
      .addColumn('after_kid', 'text', (column) => column.notNull().unique())
      .addColumn('algorithm', 'text', (column) => column.notNull())
      .addColumn('sealed_key', 'text', (column) => column.notNull())
      .addColumn('created_at_ms', 'bigint', (column) => column.notNull())
      .addColumn('active_from_ms', 'bigint', (column) => column.notNull())
      .addColumn('token_seconds', 'bigint', (column) => column.notNull())
      .execute();
    await createNumbered('audit')
      .addColumn('at_ms', 'bigint', (column) => column.notNull())
      .addColumn('actor', 'text', (column) => column.notNull())
      .addColumn('action', 'text', (column) => column.notNull())
      .addColumn('target', 'text', (column) => column.notNull())
      .addColumn('before', 'text')
      .addColumn('after', 'text')
      .execute();
    await index('audit', 'target', 'sequence');
  },
];
