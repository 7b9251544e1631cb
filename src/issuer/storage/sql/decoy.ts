import type { Queries } from './sql-database.ts';

/** The name of a service that is nobody's: client ids have no control characters (RFC 6749 appendix A.1). */
export const decoyId = '\u0001';

/** Before all others in the order of creation, so that a list may begin behind it. */
export const decoySequence = 0;

/** What is read where no service is found, so that it takes as long to find none as to find one. */
export async function insertDecoy(transaction: Queries): Promise<void> {
  const registration = JSON.stringify({
    name: 'nobody',
    scopes: ['orders:read', 'orders:write'],
    resources: ['https://orders.example', 'https://billing.example'],
    serves: [],
    authMethods: ['client_secret_basic', 'client_secret_post'],
    tokenFormat: 'jwt',
    dpopBound: false,
    certificateBound: false,
    federatedIdentities: [],
  });
  const times = { created_at_ms: 1_767_225_600_000, updated_at_ms: 1_767_225_600_000 };
  await transaction
    .insertInto('services')
    .values({ sequence: decoySequence, client_id: decoyId, registration, version: 1, ...times })
    .execute();
  await transaction
    .insertInto('secrets')
    .values({
      id: decoyId.repeat(16),
      client_id: decoyId,
      hash: 'A'.repeat(43),
      hint: '0000',
      created_at_ms: times.created_at_ms,
    })
    .execute();
}
