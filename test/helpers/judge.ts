/** The verdict on a token, in one word. */
import type { AuthOutcome, MaybePromise, Verifier } from '../../src/index.ts';

export async function reasonOf(outcome: MaybePromise<AuthOutcome>): Promise<string> {
  const settled = await outcome;
  return settled.ok ? 'accepted' : settled.rejection.reason;
}

export function judge(verifier: Verifier, token: string): Promise<string> {
  return reasonOf(verifier.verifyToken(token));
}
