/** The capacity model: the load that follows from a plan, in closed form. docs/scale.md explains each formula. */
import { membersOf, type Plan, servicesOf } from './plan.ts';

/** Renewals begin in the first fifth of the window. */
const JITTER = 0.2;
/** Documents are fetched again after 60 to 80 % of the time for which they are fresh. */
const DOCUMENT_SHARE = 0.7;
/** How often calls without a token may ask while the issuer fails. */
const BRAKE_SECONDS = 2;

/** The refresh window: as configured, at most half a life. */
export function windowSeconds({ aheadSeconds, lifetimeSeconds }: Plan): number {
  return Math.min(aheadSeconds, lifetimeSeconds / 2);
}

/** From one request for a token to the next, where each instance asks for itself. */
export function cycleSeconds(plan: Plan): number {
  return plan.lifetimeSeconds - windowSeconds(plan) * (1 - JITTER / 2) + 1 / plan.callsPerSecond;
}

/** The same where the instances of a service share: whoever comes to its renewal first asks for all. */
export function sharedCycleSeconds(plan: Plan): number {
  const window = windowSeconds(plan);
  return plan.lifetimeSeconds - window + firstOf(membersOf(plan), JITTER * window, plan.callsPerSecond);
}

export interface TokenLoad {
  /** Requests at the issuer, a second. */
  readonly steady: number;
  /** The most in one second while all instances are replaced. */
  readonly deployPeak: number;
  /** The most in one second once the issuer is back. */
  readonly outagePeak: number;
}

export function tokenLoad(plan: Plan): TokenLoad {
  const { deploySeconds, outageSeconds, callsPerSecond, roundTripMs } = plan;
  const slots = plan.instances * plan.tokens;
  const steady = slots / cycleSeconds(plan);
  const quiet = backgroundSeconds(plan);
  const withoutToken = steady * Math.max(outageSeconds - quiet, 0);
  const everyOneAsks = BRAKE_SECONDS + 1 / callsPerSecond + roundTripMs / 1000;
  const inBackground = steady * attemptsWithin(Math.min(quiet, outageSeconds), callsPerSecond);
  return {
    steady,
    // While they are replaced, half of the old ones are there on average.
    deployPeak: mostInGroups(slots / deploySeconds + steady / 2, plan),
    outagePeak: most(withoutToken / everyOneAsks + inBackground, BRAKE_SECONDS),
  };
}

/** Where the instances of a service share their tokens: a new instance finds them there. */
export function sharedTokenLoad(plan: Plan): TokenLoad {
  const { deploySeconds, outageSeconds } = plan;
  const steady = (servicesOf(plan) * plan.tokens) / sharedCycleSeconds(plan);
  return {
    steady,
    // The tokens of one service were got together, and are renewed together.
    deployPeak: plan.tokens * most(steady / plan.tokens, deploySeconds),
    // Of several instances one asks at once, whatever the others wait for.
    outagePeak: most(steady * outageSeconds, 1),
  };
}

export interface RedisLoad {
  /** Commands for shared tokens, a second. */
  readonly tokens: number;
  /** The most in one second while all instances are replaced. */
  readonly tokensAtDeploy: number;
  /** One for each call that carries a proof. */
  readonly proofs: number;
  /** Proofs that are alive. */
  readonly liveProofs: number;
  /** Looks for invalidations that pub/sub may have lost. */
  readonly invalidations: number;
}

export function redisLoad(plan: Plan): RedisLoad {
  const { instances, tokens, callsPerSecond, deploySeconds } = plan;
  const groups = servicesOf(plan) * tokens;
  // Each instance reads; the one that asks takes a lease, reads again, writes, and ends the lease.
  const steady = (groups * (membersOf(plan) + 4)) / sharedCycleSeconds(plan);
  const proofs = instances * tokens * callsPerSecond;
  return {
    tokens: steady,
    tokensAtDeploy: mostInGroups((instances * tokens) / deploySeconds + steady / 2, plan),
    proofs,
    liveProofs: proofs * plan.proofSeconds,
    invalidations: instances / plan.syncSeconds,
  };
}

export interface DocumentLoad {
  readonly keys: number;
  /** Of each status list that has live tokens. */
  readonly statusList: number;
}

/** Every instance is a verifier, too, and gets as many calls as it makes. */
export function documentLoad(plan: Plan): DocumentLoad {
  const callsPerSecond = plan.tokens * plan.callsPerSecond;
  const each = (freshSeconds: number): number =>
    plan.instances / (freshSeconds * DOCUMENT_SHARE + 1 / callsPerSecond);
  return { keys: each(plan.keysMaxAgeSeconds), statusList: each(plan.statusListTtlSeconds) };
}

export interface IntrospectionLoad {
  /** Calls of the endpoint, a second: nothing is shared. */
  readonly alone: number;
  /** Callers share their tokens. */
  readonly sharedTokens: number;
  /** And verifiers their answers. */
  readonly sharedAnswers: number;
}

/** Where tokens are opaque. A service is called by as many others as it calls, and each of its instances alike. */
export function introspectionLoad(plan: Plan): IntrospectionLoad {
  const { instances, tokens, callsPerSecond, introspectionCacheSeconds } = plan;
  const members = membersOf(plan);
  // One answer serves for the time it is believed, and then until the next call with the same token.
  const asked = (callsOfToken: number): number => 1 / (introspectionCacheSeconds + 1 / callsOfToken);
  return {
    alone: instances * tokens * members * asked(callsPerSecond / members),
    sharedTokens: instances * tokens * asked(callsPerSecond),
    sharedAnswers: servicesOf(plan) * tokens * asked(callsPerSecond * members),
  };
}

/** How long a renewal may fail before calls notice. */
function backgroundSeconds(plan: Plan): number {
  const { callsPerSecond, mandatorySeconds, lifetimeSeconds } = plan;
  const lead = windowSeconds(plan) * (1 - JITTER / 2) - Math.min(mandatorySeconds, lifetimeSeconds / 10);
  return Math.max(lead, 1 / callsPerSecond);
}

/** Attempts of one renewal in the background: waits of 1, 2, 4 ... 60 seconds, a quarter less on average. */
function attemptsWithin(seconds: number, callsPerSecond: number): number {
  let count = 0;
  for (let at = 0; at < seconds; count++) at += 0.75 * Math.min(2 ** count, 60) + 1 / callsPerSecond;
  return count;
}

/** The first of several who come at any time within `spread` seconds, and then with their next call. */
function firstOf(count: number, spread: number, callsPerSecond: number): number {
  const STEP = 0.001;
  let mean = 0;
  for (let at = STEP / 2; ; at += STEP) {
    const left = lateShare(at, spread, callsPerSecond) ** count;
    mean += left * STEP;
    if (left < 1e-9) return mean;
  }
}

/** The share of those who have not come by then. */
function lateShare(seconds: number, spread: number, callsPerSecond: number): number {
  const fall = (time: number): number => Math.exp(-callsPerSecond * Math.max(time, 0));
  if (spread === 0) return fall(seconds);
  const notDue = Math.max(1 - seconds / spread, 0);
  return notDue + (fall(seconds - spread) - fall(seconds)) / (callsPerSecond * spread);
}

/** The most in one second of a deploy: the tokens of one instance are asked for together, or nearly so. */
function mostInGroups(perSecond: number, { deploySeconds, tokens, callsPerSecond }: Plan): number {
  const inTheSameSecond = 1 - (1 - Math.exp(-callsPerSecond)) / callsPerSecond;
  const group = 1 + (tokens - 1) * inTheSameSecond;
  return group * most(perSecond / group, deploySeconds);
}

/** What is to be expected as the most in one of so many seconds, of what comes independently (Poisson). */
export function most(perSecond: number, seconds: number): number {
  let probability = Math.exp(-perSecond);
  // Beyond this the sum below would begin with nothing.
  if (perSecond > 500) return perSecond + Math.sqrt(perSecond) * deviations(seconds);
  let sum = 0;
  let atMost = probability;
  for (let count = 0; ; count++) {
    const beyond = 1 - atMost ** seconds;
    sum += beyond;
    if (count > perSecond && beyond < 1e-9) return sum;
    probability *= perSecond / (count + 1);
    atMost = Math.min(atMost + probability, 1);
  }
}

/** By how many standard deviations the largest of so many exceeds the mean. */
function deviations(seconds: number): number {
  return most(400, seconds) / 20 - 20;
}
