import type { Selectable } from 'kysely';
import type { StoredResource } from '../records.ts';
import type { IssuerStorage } from '../storage.ts';
import { note } from './audit-log.ts';
import type { Schema } from './schema.ts';
import type { Queries } from './sql-database.ts';
import { assertStorable } from './storable.ts';
import { transact } from './transact.ts';

type Resources = Pick<
  IssuerStorage,
  'createResource' | 'findResource' | 'listResources' | 'updateResource' | 'deleteResource'
>;

export function createResourceTable(db: Queries): Resources {
  return {
    async createResource(resource, audit) {
      assertStorable('resource', resource.resource);
      return transact(db, async (transaction) => {
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto('resources')
          .values({ resource: resource.resource, ...toColumns(resource) })
          .onConflict((conflict) => conflict.column('resource').doNothing())
          .executeTakeFirstOrThrow();
        if (numInsertedOrUpdatedRows !== 1n) return false;
        await note(transaction, audit);
        return true;
      });
    },
    async findResource(resource) {
      const row = await db
        .selectFrom('resources')
        .selectAll()
        .where('resource', '=', resource)
        .executeTakeFirst();
      return row === undefined ? undefined : toResource(row);
    },
    async listResources() {
      const rows = await db.selectFrom('resources').selectAll().orderBy('sequence').execute();
      return rows.map(toResource);
    },
    updateResource: (resource, audit) =>
      transact(db, async (transaction) => {
        const { numUpdatedRows } = await transaction
          .updateTable('resources')
          .set(toColumns(resource))
          .where('resource', '=', resource.resource)
          .where('version', '=', resource.version - 1)
          .executeTakeFirstOrThrow();
        if (numUpdatedRows === 0n) return false;
        await note(transaction, audit);
        return true;
      }),
    deleteResource: (resource, audit) =>
      transact(db, async (transaction) => {
        const { numDeletedRows } = await transaction
          .deleteFrom('resources')
          .where('resource', '=', resource)
          .executeTakeFirstOrThrow();
        if (numDeletedRows === 0n) return false;
        await note(transaction, audit);
        return true;
      }),
  };
}

function toColumns({ name, scopes, createdAtMs, updatedAtMs, version }: StoredResource) {
  return {
    name: name ?? null,
    scopes: scopes === undefined ? null : JSON.stringify(scopes),
    created_at_ms: createdAtMs,
    updated_at_ms: updatedAtMs,
    version,
  };
}

function toResource(row: Selectable<Schema['resources']>): StoredResource {
  return Object.freeze({
    resource: row.resource,
    name: row.name ?? undefined,
    scopes: row.scopes === null ? undefined : JSON.parse(row.scopes),
    createdAtMs: row.created_at_ms,
    updatedAtMs: row.updated_at_ms,
    version: row.version,
  });
}
