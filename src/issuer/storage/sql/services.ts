import { keepsSealed } from '../kept-secret.ts';
import type { StoredService } from '../records.ts';
import type { IssuerStorage } from '../storage.ts';
import { note } from './audit-log.ts';
import { decoyId, decoySequence } from './decoy.ts';
import { noteCreate } from './idempotent-creates.ts';
import {
  insertSecret,
  type ServiceRow,
  secretsInOrder,
  serviceColumns,
  toRegistration,
  toService,
} from './service-rows.ts';
import type { Queries } from './sql-database.ts';
import { revokePlaces } from './status-lists.ts';
import { assertStorable } from './storable.ts';
import { transact } from './transact.ts';

type Services = Pick<
  IssuerStorage,
  'createService' | 'findService' | 'listServices' | 'updateService' | 'revokeService'
>;

export function createServices(db: Queries): Services {
  // Compiled once: every request of a client begins with it.
  const byClientId = db
    .selectFrom('services')
    .leftJoin('secrets', 'secrets.client_id', 'services.client_id')
    .select(serviceColumns)
    .where('services.sequence', '=', ({ fn, selectFrom, val }) =>
      fn.coalesce(
        selectFrom('services as named').select('named.sequence').where('named.client_id', '=', ''),
        val(decoySequence),
      ),
    )
    .orderBy('secrets.sequence')
    .compile();

  return {
    async createService(service, audit, request) {
      assertStorable('clientId', service.clientId);
      return transact(db, async (transaction) => {
        if (!(await noteCreate(transaction, request, audit))) return 'repeated';
        if (!(await insertService(transaction, service))) return 'taken';
        for (const secret of service.secrets) await insertSecret(transaction, service.clientId, secret);
        await note(transaction, audit);
        return 'created';
      });
    },
    async findService(clientId) {
      const parameters = [clientId, decoySequence];
      const { rows } = await db.executeQuery<ServiceRow>({ ...byClientId, parameters });
      // An unknown client costs what a known one does, down to what its rows are made into.
      const service = toService(rows);
      return clientId === decoyId || service?.clientId !== clientId ? undefined : service;
    },
    async listServices({ after, limit }) {
      const rows = await db
        .selectFrom(({ selectFrom }) =>
          selectFrom('services')
            .selectAll()
            .where('sequence', '>', ({ selectFrom: nested }) =>
              nested('services')
                .select('sequence')
                .where('client_id', '=', after ?? decoyId),
            )
            .orderBy('sequence')
            .limit(limit)
            .as('services'),
        )
        .leftJoin('secrets', 'secrets.client_id', 'services.client_id')
        .select(serviceColumns)
        .orderBy('services.sequence')
        .orderBy('secrets.sequence')
        .execute();
      return toServices(rows);
    },
    updateService: (service, audit) =>
      transact(db, async (transaction) => {
        const { clientId, updatedAtMs, version } = service;
        const { numUpdatedRows } = await transaction
          .updateTable('services')
          .set({ registration: toRegistration(service), version, updated_at_ms: updatedAtMs })
          .where('client_id', '=', clientId)
          .where('version', '=', version - 1)
          .executeTakeFirstOrThrow();
        if (numUpdatedRows === 0n) return false;
        if (!keepsSealed(service.authMethods)) await forgetSealed(transaction, clientId);
        await note(transaction, audit);
        return true;
      }),
    revokeService: (clientId, atMs, audit) =>
      transact(db, async (transaction) => {
        const { numUpdatedRows } = await transaction
          .updateTable('services')
          .set({ revoked_at_ms: atMs })
          .where('client_id', '=', clientId)
          .where('revoked_at_ms', 'is', null)
          .executeTakeFirstOrThrow();
        if (numUpdatedRows === 0n) return isKnown(transaction, clientId);
        await revokePlaces(transaction, clientId);
        await note(transaction, audit);
        return true;
      }),
  };
}

async function insertService(transaction: Queries, service: StoredService): Promise<boolean> {
  const { numInsertedOrUpdatedRows } = await transaction
    .insertInto('services')
    .values({
      client_id: service.clientId,
      registration: toRegistration(service),
      version: service.version,
      created_at_ms: service.createdAtMs,
      updated_at_ms: service.updatedAtMs,
      revoked_at_ms: service.revokedAtMs ?? null,
    })
    .onConflict((conflict) => conflict.column('client_id').doNothing())
    .executeTakeFirstOrThrow();
  return numInsertedOrUpdatedRows === 1n;
}

async function forgetSealed(transaction: Queries, clientId: string): Promise<void> {
  for (const id of await secretsInOrder(transaction, clientId)) {
    await transaction
      .updateTable('secrets')
      .set({ sealed: null })
      .where('id', '=', id)
      .where('client_id', '=', clientId)
      .where('sealed', 'is not', null)
      .execute();
  }
}

async function isKnown(transaction: Queries, clientId: string): Promise<boolean> {
  const row = await transaction
    .selectFrom('services')
    .select('sequence')
    .where('client_id', '=', clientId)
    .executeTakeFirst();
  return row !== undefined;
}

function toServices(rows: readonly ServiceRow[]): readonly StoredService[] {
  const groups = new Map<string, ServiceRow[]>();
  for (const row of rows) {
    const group = groups.get(row.client_id);
    if (group === undefined) groups.set(row.client_id, [row]);
    else group.push(row);
  }
  return [...groups.values()].flatMap((group) => toService(group) ?? []);
}
