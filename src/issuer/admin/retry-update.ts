import { refuse } from './problems.ts';

/** Of updates that lose to others; each loser waits for one winner. */
const MOST_TRIES = 20;

/**
 * Updates what others may update at the same time: `attempt` gives `undefined` where it lost to another one. A patch
 * says what to change, not what the whole shall be, so the next attempt merges it into what the winner wrote.
 */
export async function retryUpdate(attempt: () => Promise<Response | undefined>): Promise<Response> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const answer = await attempt();
    if (answer !== undefined) return answer;
  }
  return refuse('update_conflict');
}
