import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createFleet, settledFleet } from '../../../bench/scale/fleet.ts';
import {
  cycleSeconds,
  documentLoad,
  introspectionLoad,
  most,
  redisLoad,
  sharedTokenLoad,
  tokenLoad,
} from '../../../bench/scale/model.ts';
import { planFor } from '../../../bench/scale/plan.ts';
import { createRandom } from '../../../bench/scale/random.ts';
import { simulate, simulateHerd } from '../../../bench/scale/simulate.ts';
import { createVirtualTime } from '../../../bench/scale/virtual-time.ts';

/** How far model and simulation may be apart, as docs/scale.md says. */
const RATE = 0.05;
const PEAK = 0.15;

const { stackTraceLimit } = Error;
beforeAll(() => {
  Error.stackTraceLimit = 0;
});
afterAll(() => {
  Error.stackTraceLimit = stackTraceLimit;
});

function expectClose(simulated: number, model: number, share: number): void {
  expect(simulated).toBeGreaterThan(model * (1 - share));
  expect(simulated).toBeLessThan(model * (1 + share));
}

describe('the capacity model', () => {
  it.each([
    ['as it is by default', planFor(200)],
    ['with short tokens, of which half a life is the window', planFor(200, { lifetimeSeconds: 100 })],
    ['with rare calls and a wide window', planFor(200, { callsPerSecond: 0.2, aheadSeconds: 300 })],
  ])('agrees with real token slots, %s', async (_, plan) => {
    const found = await simulate(plan, 5);
    const model = tokenLoad(plan);
    expectClose(found.tokens.steady, model.steady, RATE);
    expectClose(found.tokens.deployPeak, model.deployPeak, PEAK);
    expectClose(found.shared.steady, sharedTokenLoad(plan).steady, RATE);
    expectClose(found.shared.commands, redisLoad(plan).tokens, RATE);
  });

  it('agrees with what a deploy asks of a shared store', async () => {
    const plan = planFor(300);
    const { shared } = await simulate(plan, 5, { instances: 10, outage: 10, shared: 300 });
    expectClose(shared.commandsAtDeploy, redisLoad(plan).tokensAtDeploy, PEAK);
    expect(shared.deployPeak).toBeLessThan(5);
  });

  it('agrees with real token slots that come back after an outage', async () => {
    const plan = planFor(1000);
    const { tokens, recoverySeconds } = await simulate(plan, 5, { instances: 10, outage: 1000, shared: 10 });
    expectClose(tokens.outagePeak, tokenLoad(plan).outagePeak, PEAK);
    expect(recoverySeconds).toBeLessThan(20);
  });

  it('tells where a fleet does not come back', async () => {
    const plan = planFor(100, { outageSeconds: 600, issuerTokensPerSecond: 5 });
    const { recoverySeconds } = await simulate(plan, 5, { instances: 10, outage: 100, shared: 10 });
    expect(recoverySeconds).toBeNaN();
  });

  it('agrees with real documents and with caches of answers', async () => {
    const plan = planFor(400);
    const found = await simulate(plan, 5, { instances: 10, outage: 10, shared: 400 });
    expectClose(found.documents.keys, documentLoad(plan).keys, RATE);
    expectClose(found.documents.statusList, documentLoad(plan).statusList, RATE);
    expectClose(found.introspections.alone, introspectionLoad(plan).alone, RATE);
    expectClose(found.introspections.sharedTokens, introspectionLoad(plan).sharedTokens, RATE);
    expectClose(found.introspections.sharedAnswers, introspectionLoad(plan).sharedAnswers, RATE);
  });

  it('knows the worked example of docs/scale.md', () => {
    const plan = planFor(1000);
    expect(cycleSeconds(plan)).toBe(847);
    expect(tokenLoad(plan).steady).toBeCloseTo(3000 / 847, 10);
    expect(redisLoad(plan)).toMatchObject({ proofs: 3000, liveProofs: 225_000, invalidations: 200 });
  });

  it('expects of chance what chance does', () => {
    const random = createRandom(3);
    const seconds = 60;
    let sum = 0;
    for (let round = 0; round < 400; round++) {
      const counts = new Array<number>(seconds).fill(0);
      for (let at = -Math.log(1 - random()) / 20; at < seconds; at += -Math.log(1 - random()) / 20) {
        counts[Math.floor(at)] = (counts[Math.floor(at)] ?? 0) + 1;
      }
      sum += Math.max(...counts);
    }
    expectClose(sum / 400, most(20, seconds), 0.02);
  });
});

describe('the simulation', () => {
  it('gives the same for the same seed', async () => {
    const seen = await Promise.all(
      [4, 4, 5].map(async (seed) => {
        const fleet = createFleet({ plan: planFor(20), seed });
        fleet.start(10);
        await fleet.time.run(2_000_000);
        return Array.from({ length: 2000 }, (_, at) =>
          fleet.issuer.requests.between(at * 1000, (at + 1) * 1000),
        ).join('');
      }),
    );
    expect(seen[0]).toBe(seen[1]);
    expect(seen[0]).not.toBe(seen[2]);
  });

  it('asks the issuer once for the instances of a service that share', async () => {
    const plan = planFor(20);
    const fleet = createFleet({ plan, seed: 1, sharesTokens: true });
    fleet.start(0);
    await fleet.time.run(60_000);
    expect(fleet.served()).toBe(plan.instances * plan.tokens);
    expect(fleet.issuer.requests.between(0, 60_000)).toBe(plan.tokens);
  });

  it('replaces a fleet that shares without a single request', async () => {
    const plan = planFor(20);
    const fleet = await settledFleet({ plan, seed: 1, sharesTokens: true });
    const from = fleet.time.now();
    const before = fleet.served();
    fleet.start(1);
    await fleet.time.run(from + 20_000);
    expect(fleet.served() - before).toBe(plan.instances * plan.tokens);
    expect(fleet.issuer.requests.between(from, from + 20_000)).toBe(0);
  });

  it('never recovers where more tokens are missing than an issuer can make before clients give up', async () => {
    const start = { deploySeconds: 1, clientRequestsPerMinute: Number.POSITIVE_INFINITY, timeoutMs: 10_000 };
    const enough = planFor(100, { ...start, issuerTokensPerSecond: 30 });
    const tooLittle = planFor(100, { ...start, issuerTokensPerSecond: 10 });
    expect((await simulateHerd(enough, 1, 300)).allServedSeconds).toBeLessThan(20);
    const { allServedSeconds, requests, wasted } = await simulateHerd(tooLittle, 1, 300);
    expect(allServedSeconds).toBeUndefined();
    expect(requests).toBeGreaterThan(10 * 300);
    expect(wasted).toBeGreaterThan(1000);
  });

  it('does what is due in order, and waits for promises in between', async () => {
    const time = createVirtualTime();
    const log: string[] = [];
    time.at(30, () => log.push(`c ${time.now()}`));
    time.at(10, () => {
      log.push(`a ${time.now()}`);
      void Promise.resolve().then(() => time.at(20, () => log.push(`b ${time.now()}`)));
    });
    time.at(99, () => log.push('too late'));
    await time.run(50);
    expect(log).toEqual(['a 10', 'b 20', 'c 30']);
    expect(time.now()).toBe(50);
  });
});
