import type { ColumnDefinitionBuilder, Kysely } from 'kysely';
import type { Schema } from './schema.ts';

/** A connection, or a transaction on one. */
export type Queries = Kysely<Schema>;

/** A database, and all in which the two kinds of it differ as far as queries are concerned. */
export interface SqlDatabase {
  readonly db: Queries;
  /** The type of a column whose value the database counts up. */
  readonly sequenceType: 'integer' | 'bigint';
  readonly countUp: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder;
  /** Whether rows have locks (`for update`): where there is but one writer at a time, nothing needs them. */
  readonly hasRowLocks: boolean;
  /** Lets one process at a time go on, until its transaction ends. */
  readonly lockMigrations: (transaction: Queries) => Promise<void>;
}
