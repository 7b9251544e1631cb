import type { IssuerStorage } from '../storage.ts';
import type { Queries } from './sql-database.ts';
import { listNumber, touchList } from './status-lists.ts';
import { transact } from './transact.ts';

type Tokens = Pick<IssuerStorage, 'saveToken' | 'findToken' | 'revokeToken' | 'isTokenRevoked'>;

export function createTokens(db: Queries): Tokens {
  return {
    async saveToken({ hash, tokenId, clientId, claims, expiresAtMs }) {
      await db
        .insertInto('tokens')
        .values({ hash, token_id: tokenId, client_id: clientId, claims, expires_at_ms: expiresAtMs })
        .execute();
    },
    async findToken(hash) {
      const row = await db.selectFrom('tokens').selectAll().where('hash', '=', hash).executeTakeFirst();
      if (row === undefined) return undefined;
      const { token_id: tokenId, client_id: clientId, claims, expires_at_ms: expiresAtMs } = row;
      return { hash, tokenId, clientId, claims, expiresAtMs };
    },
    async revokeToken({ tokenId, clientId, expiresAtMs, status }) {
      const list = status && listNumber(status.listId);
      await transact(db, async (transaction) => {
        const { numInsertedOrUpdatedRows } = await transaction
          .insertInto('revoked_tokens')
          .values({
            token_id: tokenId,
            client_id: clientId,
            list_id: list ?? null,
            list_index: status?.index ?? null,
            expires_at_ms: expiresAtMs,
          })
          .onConflict((conflict) => conflict.column('token_id').doNothing())
          .executeTakeFirstOrThrow();
        if (numInsertedOrUpdatedRows === 1n && list !== undefined) await touchList(transaction, list);
        return true;
      });
    },
    async isTokenRevoked(tokenId) {
      const row = await db
        .selectFrom('revoked_tokens')
        .select('token_id')
        .where('token_id', '=', tokenId)
        .executeTakeFirst();
      return row !== undefined;
    },
  };
}
