/** The simulation of a plan, as the tables of docs/scale.md show it. */
import { simulateDocuments } from './documents.ts';
import { createFleet, type Fleet, settledFleet } from './fleet.ts';
import { simulateIntrospections } from './introspections.ts';
import {
  cycleSeconds,
  type DocumentLoad,
  type IntrospectionLoad,
  sharedCycleSeconds,
  type TokenLoad,
} from './model.ts';
import type { Plan } from './plan.ts';
import type { Tally } from './tally.ts';

/** Peaks are NaN where a part of the fleet was simulated. */
export interface SharedLoad {
  readonly steady: number;
  readonly deployPeak: number;
  readonly commands: number;
  readonly commandsAtDeploy: number;
}

export interface Simulated {
  readonly tokens: TokenLoad;
  /** The longest that calls had no token at the deploy, and since the end of the outage, in seconds. */
  readonly deployWait: number;
  /** NaN where two minutes after it some still have none. */
  readonly recoverySeconds: number;
  readonly shared: SharedLoad;
  readonly documents: DocumentLoad;
  readonly introspections: IntrospectionLoad;
}

/** As many are simulated; larger fleets are that many times as large in everything, their issuer as well. */
export interface Bounds {
  /** With a token slot each. */
  readonly instances: number;
  readonly outage: number;
  /** With a shared store, where each renewal is encrypted and decrypted. */
  readonly shared: number;
}

export const bounds: Bounds = Object.freeze({ instances: 10_000, outage: 3000, shared: 1000 });

export async function simulate(plan: Plan, seed: number, most: Bounds = bounds): Promise<Simulated> {
  const { steady, deployPeak, deployWait } = await inPart(plan, most.instances, (part) => run(part, seed));
  const { outagePeak, recoverySeconds } = await inPart(plan, most.outage, (part) => runOutage(part, seed));
  return {
    tokens: { steady, deployPeak, outagePeak },
    deployWait,
    recoverySeconds,
    shared: await runSharedPart(plan, seed, most.shared),
    documents: await inPart(plan, most.shared, (part) => simulateDocuments(part, seed)),
    introspections: await inPart(plan, most.shared, async (part) => simulateIntrospections(part, seed)),
  };
}

/** The peaks of a small part, a hundred times over, would be those of chance. */
async function runSharedPart(plan: Plan, seed: number, most: number): Promise<SharedLoad> {
  const load = await inPart(plan, most, (part) => runShared(part, seed));
  const isWhole = plan.instances <= most;
  return isWhole ? load : { ...load, deployPeak: Number.NaN, commandsAtDeploy: Number.NaN };
}

/** Loads of fleets that have nothing in common add up; times do not. */
async function inPart<T extends object>(
  plan: Plan,
  most: number,
  work: (part: Plan) => Promise<T>,
): Promise<T> {
  const times = Math.max(plan.instances / most, 1);
  const issuerTokensPerSecond = plan.issuerTokensPerSecond / times;
  const result = await work({ ...plan, instances: plan.instances / times, issuerTokensPerSecond });
  const scaled = Object.entries(result).map(([name, value]) => [
    name,
    /(Wait|Seconds)$/.test(name) ? value : value * times,
  ]);
  return Object.fromEntries(scaled) as T;
}

/** Few tokens are watched for longer, so that chance says less. */
function cyclesFor(requests: number): number {
  return Math.max(1, Math.min(200, Math.round(6000 / requests)));
}

async function run(
  plan: Plan,
  seed: number,
): Promise<Pick<TokenLoad, 'steady' | 'deployPeak'> & { readonly deployWait: number }> {
  const fleet = await settledFleet({ plan, seed });
  const seconds = Math.ceil(cycleSeconds(plan) * cyclesFor(plan.instances * plan.tokens));
  const steady = (await watch(fleet, seconds)).count / seconds;
  fleet.longestWait();
  const [deployPeak = 0] = await deploys(fleet, plan, [fleet.issuer.requests]);
  return { steady, deployPeak, deployWait: fleet.longestWait() };
}

/** The most in one second of a deploy, on average of several where a fleet is small. */
async function deploys(fleet: Fleet, plan: Plan, tallies: readonly Tally[]): Promise<readonly number[]> {
  const times = plan.instances > 1000 ? 1 : 5;
  const sums = tallies.map(() => 0);
  for (let time = 0; time < times; time++) {
    fleet.start(plan.deploySeconds);
    const from = fleet.time.now();
    await fleet.time.run(from + (plan.deploySeconds + 60) * 1000);
    for (const [at, tally] of tallies.entries())
      sums[at] = (sums[at] ?? 0) + tally.peak(from, fleet.time.now());
  }
  return sums.map((sum) => sum / times);
}

async function watch(
  fleet: Fleet,
  seconds: number,
): Promise<{ readonly count: number; readonly peak: number }> {
  const from = fleet.time.now();
  await fleet.time.run(from + seconds * 1000);
  const until = fleet.time.now();
  return { count: fleet.issuer.requests.between(from, until), peak: fleet.issuer.requests.peak(from, until) };
}

async function runOutage(
  plan: Plan,
  seed: number,
): Promise<Pick<TokenLoad, 'outagePeak'> & { readonly recoverySeconds: number }> {
  const times = plan.instances > 100 ? 1 : 5;
  let sum = 0;
  let recoverySeconds = 0;
  for (let time = 0; time < times; time++) {
    const fleet = await settledFleet({ plan, seed: seed + time });
    fleet.issuer.setDown(true);
    await watch(fleet, plan.outageSeconds);
    fleet.issuer.setDown(false);
    fleet.longestWait();
    sum += (await watch(fleet, 120)).peak;
    // One in a thousand may just be asking.
    const isOver = fleet.lacking() * 1000 <= plan.instances * plan.tokens;
    recoverySeconds = Math.max(recoverySeconds, isOver ? fleet.longestWait() : Number.NaN);
  }
  return { outagePeak: sum / times, recoverySeconds };
}

async function runShared(plan: Plan, seed: number): Promise<SharedLoad> {
  const fleet = await settledFleet({ plan, seed, sharesTokens: true });
  const { commands } = fleet;
  if (commands === undefined) throw new TypeError('a fleet that shares tokens has a store');
  const seconds = Math.ceil(sharedCycleSeconds(plan) * Math.min(cyclesFor(plan.instances * plan.tokens), 20));
  const from = fleet.time.now();
  const { count } = await watch(fleet, seconds);
  const counted = commands.between(from, fleet.time.now());
  const [deployPeak = 0, commandsAtDeploy = 0] = await deploys(fleet, plan, [
    fleet.issuer.requests,
    commands,
  ]);
  return {
    steady: count / seconds,
    deployPeak,
    commands: counted / seconds,
    commandsAtDeploy,
  };
}

export interface Herd {
  readonly requests: number;
  /** Tokens that came too late for whoever had asked. */
  readonly wasted: number;
  /** Until the last instance had its tokens; undefined where that took longer than the time given. */
  readonly allServedSeconds: number | undefined;
}

/** All instances begin anew, with nothing in memory and nothing shared. */
export async function simulateHerd(
  plan: Plan,
  seed: number,
  mostSeconds: number,
  most = 2000,
): Promise<Herd> {
  const times = Math.max(plan.instances / most, 1);
  const part = {
    ...plan,
    instances: plan.instances / times,
    issuerTokensPerSecond: plan.issuerTokensPerSecond / times,
  };
  const fleet = createFleet({ plan: part, seed });
  fleet.start(plan.deploySeconds);
  while (fleet.served() < part.instances * part.tokens && fleet.time.now() < mostSeconds * 1000) {
    await fleet.time.run(fleet.time.now() + 1000);
  }
  const now = fleet.time.now();
  const isDone = fleet.served() >= part.instances * part.tokens;
  return {
    requests: fleet.issuer.requests.between(0, now) * times,
    wasted: fleet.issuer.wasted() * times,
    allServedSeconds: isDone ? now / 1000 : undefined,
  };
}
