import type { CreateResult } from '../storage.ts';
import type { Queries } from './sql-database.ts';

/**
 * Runs `work` in a transaction, and keeps what it did only if its answer is that it was done.
 *
 * What it reads may have changed by the time it writes: conditions belong into the statements that write.
 */
export async function transact<T extends boolean | CreateResult>(
  db: Queries,
  work: (transaction: Queries) => Promise<T>,
): Promise<T> {
  try {
    return await db.transaction().execute(async (transaction) => {
      const answer = await work(transaction);
      if (answer === true || answer === 'created') return answer;
      throw new Refusal(answer);
    });
  } catch (error) {
    if (error instanceof Refusal) return error.answer;
    throw error;
  }
}

/** Makes the transaction roll back; never leaves this file. */
class Refusal<T> extends Error {
  readonly answer: T;

  constructor(answer: T) {
    super('refused');
    this.answer = answer;
  }
}
