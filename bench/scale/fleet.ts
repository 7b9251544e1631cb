/** A fleet of real token slots: its steady load, a deploy of all of it, and an outage of the issuer. */
import { holdToken } from '../../src/outbound/held-token.ts';
import { startCaller } from './caller.ts';
import { cycleSeconds } from './model.ts';
import type { Plan } from './plan.ts';
import { createRandom } from './random.ts';
import { createSharedStore, type SharedStore } from './shared-store.ts';
import type { Tally } from './tally.ts';
import { createTokenServer, type TokenServer } from './token-server.ts';
import { createVirtualTime, type VirtualTime } from './virtual-time.ts';

export interface Fleet {
  readonly time: VirtualTime;
  readonly issuer: TokenServer;
  /** Commands to Redis, where tokens are shared. */
  readonly commands: Tally | undefined;
  /** Starts all instances, or replaces them, within so many seconds from now; those of one service together, if so said. */
  start(withinSeconds: number, byService?: boolean): void;
  /** The longest that calls of an instance had no token since the last look, in seconds. */
  longestWait(): number;
  /** How many tokens calls lack now; no fleet was replaced before. */
  lacking(): number;
  /** How many that were lacking came. */
  served(): number;
}

export interface FleetOptions {
  readonly plan: Plan;
  readonly seed: number;
  readonly sharesTokens?: boolean;
}

export function createFleet({ plan, seed, sharesTokens = false }: FleetOptions): Fleet {
  const time = createVirtualTime();
  const random = createRandom(seed);
  const issuer = createTokenServer(time, plan);
  const store = sharesTokens ? createSharedStore(time, random, plan) : undefined;
  const running: (() => void)[][] = Array.from({ length: plan.instances }, () => []);
  let longestMs = 0;
  let served = 0;
  let lacking = 0;
  let lookedAt = 0;

  function startInstance(instance: number): void {
    for (const end of running[instance] ?? []) end();
    const clientId = `service-${Math.floor(instance / plan.instancesPerService)}`;
    running[instance] = Array.from({ length: plan.tokens }, (_, target) =>
      startCaller({
        time,
        random,
        plan,
        startAt: time.now(),
        request: requestOf(issuer, store, clientId, target),
        onLacked: () => void lacking++,
        onServed(waitedMs) {
          lacking--;
          longestMs = Math.max(longestMs, Math.min(waitedMs, time.now() - lookedAt));
          served++;
        },
      }),
    );
  }

  return {
    time,
    issuer,
    commands: store?.commands,
    start(withinSeconds, byService = false) {
      let startAt = time.now();
      for (let instance = 0; instance < plan.instances; instance++) {
        const isAlike = byService && instance % plan.instancesPerService > 0;
        if (!isAlike) startAt = time.now() + random() * withinSeconds * 1000;
        time.at(startAt, () => startInstance(instance));
      }
    },
    longestWait() {
      const seconds = longestMs / 1000;
      longestMs = 0;
      lookedAt = time.now();
      return seconds;
    },
    served: () => served,
    lacking: () => lacking,
  };
}

type Request = Parameters<typeof startCaller>[0]['request'];

function requestOf(
  issuer: TokenServer,
  store: SharedStore | undefined,
  clientId: string,
  target: number,
): Request {
  const ask = (): ReturnType<TokenServer['request']> => issuer.request(clientId);
  if (store === undefined) return async () => holdToken(await ask(), undefined);
  return (old) => store.obtain(`${clientId} ${target}`, old, ask);
}

/** A fleet whose instances were started at any time, so that its renewals are spread as evenly as they will ever be. */
export async function settledFleet(options: FleetOptions): Promise<Fleet> {
  const fleet = createFleet(options);
  const cycle = cycleSeconds(options.plan);
  fleet.start(cycle, options.sharesTokens);
  await fleet.time.run(Math.ceil(cycle) * 1000);
  return fleet;
}
