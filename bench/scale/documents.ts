/** Documents that every verifier fetches: key sets and status lists, kept by the real code. */
import { createRemoteDocument } from '../../src/shared/remote-document.ts';
import type { DocumentLoad } from './model.ts';
import type { Plan } from './plan.ts';
import { createRandom, exponential } from './random.ts';
import { createTally } from './tally.ts';
import { createVirtualTime } from './virtual-time.ts';

const SECONDS = 600;
/** No copy is fetched again sooner. */
const SOONEST = 0.6;

export async function simulateDocuments(plan: Plan, seed: number): Promise<DocumentLoad> {
  return {
    keys: await fetches(plan, plan.keysMaxAgeSeconds, seed),
    statusList: await fetches(plan, plan.statusListTtlSeconds, seed + 1),
  };
}

/** Fetches of one document by all instances, a second. */
async function fetches(plan: Plan, freshSeconds: number, seed: number): Promise<number> {
  const time = createVirtualTime();
  const random = createRandom(seed);
  const tally = createTally();
  const pauseMs = 1000 / (plan.tokens * plan.callsPerSecond);
  const freshMs = freshSeconds * 1000;

  function startVerifier(): void {
    let quietUntil = 0;
    const document = createRemoteDocument({
      load: async () => {
        tally.add(time.now());
        // Calls until then would find a copy that is fresh.
        quietUntil = time.now() + SOONEST * freshMs;
        return { value: true, freshMs };
      },
      now: time.now,
      random,
      minFreshMs: 5000,
    });
    const call = (): void => {
      void document.read();
      time.at(Math.max(quietUntil, time.now()) + exponential(random, pauseMs), call);
    };
    time.at(random() * freshMs * 0.7, call);
  }

  for (let instance = 0; instance < plan.instances; instance++) startVerifier();
  const from = Math.ceil(freshSeconds) * 1000;
  await time.run(from + SECONDS * 1000);
  return tally.between(from, from + SECONDS * 1000) / SECONDS;
}
