import { type StatusBlock, statusListSize } from '../records.ts';
import type { IssuerStorage, StatusReservation } from '../storage.ts';
import type { Queries, SqlDatabase } from './sql-database.ts';

type StatusLists = Pick<IssuerStorage, 'reserveStatuses' | 'statusListRevision' | 'statusList'>;

export function createStatusLists({ db, hasRowLocks }: SqlDatabase): StatusLists {
  return {
    async reserveStatuses(reservation) {
      if (!(reservation.count >= 1 && reservation.count <= statusListSize)) {
        throw new RangeError(`count must be from 1 to ${statusListSize}`);
      }
      return db.transaction().execute(async (transaction) => {
        // The lock makes a revocation under way wait, or be waited for: one of the two sees the other.
        const service = await transaction
          .selectFrom('services')
          .select('revoked_at_ms')
          .where('client_id', '=', reservation.clientId)
          .$if(hasRowLocks, (query) => query.forShare())
          .executeTakeFirst();
        const isRevoked = typeof service?.revoked_at_ms === 'number';
        const block = await takePlaces(transaction, reservation);
        await transaction
          .insertInto('status_blocks')
          .values({
            list_id: Number(block.listId),
            start: block.start,
            count: block.count,
            client_id: reservation.clientId,
            revoked: isRevoked ? 1 : 0,
            expires_at_ms: reservation.expiresAtMs,
          })
          .execute();
        if (isRevoked) await touchList(transaction, Number(block.listId));
        return block;
      });
    },
    statusListRevision: (listId) => revisionOf(db, listNumber(listId)),
    async statusList(listId, nowMs) {
      const list = listNumber(listId);
      // Before what it counts: what is read may then be newer than its revision, never older.
      const revision = await revisionOf(db, list);
      if (list === undefined || revision === undefined) return undefined;
      const tokens = await db
        .selectFrom('revoked_tokens')
        .select('list_index')
        .where('list_id', '=', list)
        .where('expires_at_ms', '>', nowMs)
        .execute();
      const blocks = await db
        .selectFrom('status_blocks')
        .select(['start', 'count'])
        .where('list_id', '=', list)
        .where('revoked', '=', 1)
        .where('expires_at_ms', '>', nowMs)
        .execute();
      const places = tokens.flatMap(({ list_index: index }) => (index === null ? [] : [[index, 1] as const]));
      const runs = blocks.map(({ start, count }) => [start, count] as const);
      return { revision, size: statusListSize, revoked: [...places, ...runs] };
    },
  };
}

/** Takes places of the newest list, or of one more where that is full. */
async function takePlaces(
  transaction: Queries,
  { count, expiresAtMs }: StatusReservation,
): Promise<StatusBlock> {
  for (;;) {
    const { newest } = await transaction
      .selectFrom('status_lists')
      .select(({ fn }) => fn.max('id').as('newest'))
      .executeTakeFirstOrThrow();
    const id = newest ?? 0;
    const taken = await transaction
      .updateTable('status_lists')
      .set(({ eb, ref }) => ({
        next_place: eb('next_place', '+', count),
        expires_at_ms: eb
          .case()
          .when('expires_at_ms', '<', expiresAtMs)
          .then(expiresAtMs)
          .else(ref('expires_at_ms'))
          .end(),
      }))
      .where('id', '=', id)
      .where('next_place', '<=', statusListSize - count)
      .returning('next_place')
      .executeTakeFirst();
    if (taken !== undefined) return { listId: String(id), start: taken.next_place - count, count };
    // Where another instance adds the same list, there is one.
    await transaction
      .insertInto('status_lists')
      .values({ id: id + 1, revision: 0, next_place: 0, expires_at_ms: expiresAtMs })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .execute();
  }
}

/** Marks all places of a service, in the transaction that revokes it. */
export async function revokePlaces(transaction: Queries, clientId: string): Promise<void> {
  await transaction
    .updateTable('status_blocks')
    .set({ revoked: 1 })
    .where('client_id', '=', clientId)
    .execute();
  const lists = await transaction
    .selectFrom('status_blocks')
    .select('list_id')
    .distinct()
    .where('client_id', '=', clientId)
    .orderBy('list_id')
    .execute();
  // One after the other: two transactions that take locks in one order never wait for each other.
  for (const { list_id: list } of lists) await touchList(transaction, list);
}

/** Tells that a list has changed, in the transaction of the change. */
export async function touchList(transaction: Queries, list: number): Promise<void> {
  await transaction
    .updateTable('status_lists')
    .set(({ eb }) => ({ revision: eb('revision', '+', 1) }))
    .where('id', '=', list)
    .execute();
}

async function revisionOf(db: Queries, list: number | undefined): Promise<number | undefined> {
  const row = await db
    .selectFrom('status_lists')
    .select('revision')
    .where('id', '=', list ?? 0)
    .executeTakeFirst();
  return row?.revision;
}

/** The number of a list; `undefined` for what is not spelt as this storage spells it. */
export function listNumber(listId: string): number | undefined {
  return /^[1-9][0-9]{0,14}$/.test(listId) ? Number(listId) : undefined;
}
