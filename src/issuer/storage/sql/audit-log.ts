import type { AuditEntry } from '../records.ts';
import type { IssuerStorage } from '../storage.ts';
import type { Queries } from './sql-database.ts';

/** Adds an entry, in the transaction of what it tells of. */
export async function note(transaction: Queries, entry: AuditEntry): Promise<void> {
  const { atMs, actor, action, target, before, after } = entry;
  await transaction
    .insertInto('audit')
    .values({ at_ms: atMs, actor, action, target, before: toJson(before), after: toJson(after) })
    .execute();
}

export function createAuditLog(db: Queries): Pick<IssuerStorage, 'listAudit'> {
  return {
    async listAudit({ before, limit, target }) {
      const rows = await db
        .selectFrom('audit')
        .selectAll()
        .$if(before !== undefined, (query) => query.where('sequence', '<', before ?? 0))
        .$if(target !== undefined, (query) => query.where('target', '=', target ?? ''))
        .orderBy('sequence', 'desc')
        .limit(limit)
        .execute();
      return rows.map(({ at_ms: atMs, before: was, after: is, ...row }) =>
        Object.freeze({ ...row, atMs, before: fromJson(was), after: fromJson(is) }),
      );
    },
  };
}

function toJson(value: unknown): string | null {
  return value === undefined ? null : JSON.stringify(value);
}

function fromJson(text: string | null): unknown {
  return text === null ? undefined : JSON.parse(text);
}
