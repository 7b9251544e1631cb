/** Verifiers that ask about opaque tokens: the rule is followed call by call. */
import type { IntrospectionLoad } from './model.ts';
import { membersOf, type Plan, servicesOf } from './plan.ts';
import { createRandom, exponential, type Random } from './random.ts';

const WARM_SECONDS = 120;
const SECONDS = 600;

export function simulateIntrospections(plan: Plan, seed: number): IntrospectionLoad {
  const { instances, tokens, callsPerSecond, introspectionCacheSeconds } = plan;
  const members = membersOf(plan);
  const random = createRandom(seed);
  const cache = introspectionCacheSeconds;
  const callsOfInstance = tokens * callsPerSecond;
  const sum = (count: number, callsOfOne: number, distinct: number): number => {
    let asked = 0;
    for (let one = 0; one < count; one++) asked += questions(random, callsOfOne, distinct, cache);
    return asked / SECONDS;
  };
  return {
    alone: sum(instances, callsOfInstance, tokens * members),
    sharedTokens: sum(instances, callsOfInstance, tokens),
    sharedAnswers: sum(servicesOf(plan), callsOfInstance * members, tokens),
  };
}

/** How often one cache does not know, where calls bring any of so many tokens. */
function questions(random: Random, callsPerSecond: number, distinct: number, cacheSeconds: number): number {
  // Caches that begin empty would ask in step for a long time.
  const believedUntil = Float64Array.from({ length: distinct }, () => random() * cacheSeconds);
  let asked = 0;
  for (let at = 0; at < WARM_SECONDS + SECONDS; at += exponential(random, 1 / callsPerSecond)) {
    const token = Math.floor(random() * distinct);
    if (at < (believedUntil[token] ?? 0)) continue;
    believedUntil[token] = at + cacheSeconds;
    if (at >= WARM_SECONDS) asked++;
  }
  return asked;
}
