/** A fleet under load, whose parts fail one after another: nothing is let through wrongly, and nobody refused wrongly. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type CallerKey,
  type Callers,
  createCallerKey,
  type Fleet,
  SERVICE_URL,
  startCallers,
  startFleet,
} from '../helpers/fleet.ts';
import { difference, type FleetCounts, type LoadReport, printTable } from '../helpers/fleet-counts.ts';
import { type FleetIssuers, startFleetIssuers } from '../helpers/fleet-issuers.ts';
import { createProver } from '../helpers/fleet-proofs.ts';
import { type SlowProxy, startSlowProxy } from '../helpers/fleet-proxy.ts';
import { createFleetToken } from '../helpers/fleet-token.ts';
import { hasPostgres } from '../helpers/postgres.ts';
import { hasRedis, type PrivateRedis, startRedis, until } from '../helpers/redis.ts';

const INSTANCES = 8;
const REDIS_TIMEOUT_MS = 200;
const ANSWER_TIMEOUT_MS = 2000;
/** The fleet is well again once each instance has let through so many more. */
const WELL = 25;

interface World {
  readonly redis: PrivateRedis;
  readonly network: SlowProxy;
  readonly issuers: FleetIssuers;
  readonly fleet: Fleet;
}

/** What goes wrong, and how one sees that it has been felt for long enough. */
interface Fault {
  readonly name: string;
  begin(world: World): unknown;
  isFelt(met: Row): boolean;
  end(world: World): unknown;
}

interface Row extends FleetCounts {
  readonly tokens: number;
}

const nothingWrong = { acceptedTwice: 0, goodRefused: 0, badAccepted: 0, odd: 0 };
const nothing = (): void => {};

const faults: readonly Fault[] = [
  { name: 'nothing', begin: nothing, isFelt: ({ accepted }) => accepted >= 1000, end: nothing },
  {
    name: 'Redis: kill -9, and started again',
    begin: ({ redis }) => redis.kill9(),
    isFelt: ({ undecided }) => undecided >= 300,
    end: ({ redis }) => redis.start(),
  },
  {
    name: 'Redis: SIGSTOP',
    begin: ({ redis }) => redis.pause(),
    isFelt: ({ undecided }) => undecided >= 500,
    end: ({ redis }) => redis.resume(),
  },
  {
    name: 'Redis: 20 ms away',
    begin: ({ network }) => network.delay(20),
    isFelt: ({ accepted }) => accepted >= 500,
    end: ({ network }) => network.delay(0),
  },
  {
    name: 'Redis: 500 ms away',
    begin: ({ network }) => network.delay(500),
    isFelt: ({ undecided }) => undecided >= 300,
    end: ({ network }) => network.delay(0),
  },
  {
    name: 'Redis: connections cut',
    begin: ({ network }) => network.cut(),
    isFelt: ({ proofs }) => proofs >= 300,
    end: ({ network }) => network.cut(),
  },
  {
    name: 'a service: kill -9, and started again',
    begin: ({ fleet }) => fleet.kill9(0),
    isFelt: ({ unanswered, accepted }) => unanswered >= 100 && accepted >= 300,
    end: ({ fleet }) => fleet.start(0),
  },
  {
    name: 'a service: SIGSTOP',
    begin: ({ fleet }) => fleet.pause(1),
    isFelt: ({ unanswered }) => unanswered >= 40,
    end: ({ fleet }) => fleet.resume(1),
  },
  {
    name: 'an issuer: kill -9, and started again',
    begin: ({ issuers }) => issuers.kill9(0),
    isFelt: ({ tokens, accepted }) => tokens >= 5 && accepted >= 500,
    end: ({ issuers }) => issuers.replace(0),
  },
  {
    name: 'an issuer: SIGSTOP',
    begin: ({ issuers }) => issuers.pause(1),
    isFelt: ({ tokens, accepted }) => tokens >= 3 && accepted >= 500,
    end: ({ issuers }) => issuers.resume(1),
  },
  {
    name: 'all at once',
    begin: ({ redis, fleet, issuers }) =>
      Promise.all([redis.kill9(), fleet.kill9(2), issuers.kill9(0), fleet.pause(3)]),
    isFelt: ({ undecided, unanswered, tokens }) => undecided >= 100 && unanswered >= 100 && tokens >= 1,
    end: ({ redis, fleet, issuers }) =>
      Promise.all([redis.start(), fleet.start(2), issuers.replace(0), fleet.resume(3)]),
  },
];

function shown({ fault, ...met }: Row & { readonly fault: string }) {
  return {
    fault,
    proofs: met.proofs,
    accepted: met.accepted,
    twice: met.acceptedTwice,
    'good refused': met.goodRefused,
    'replays refused': met.replaysRefused,
    bad: met.bad,
    'bad accepted': met.badAccepted,
    undecided: met.undecided,
    unanswered: met.unanswered,
    odd: met.odd,
    tokens: met.tokens,
  };
}

const byName = faults.map((fault) => [fault.name, fault] as const);

/** Asks until every instance has let through more than it had. */
async function untilWell(callers: Callers): Promise<LoadReport> {
  const before = await callers.report();
  let now = before;
  await until(async () => {
    now = await callers.report();
    return now.acceptedBy.every((count, at) => count >= (before.acceptedBy[at] ?? 0) + WELL);
  });
  return now;
}

describe.runIf(hasRedis() && hasPostgres())('a fleet under load', () => {
  let world: World;
  let callers: Callers;
  let key: CallerKey;
  let tokens = 0;
  let isOver = false;
  let supply: Promise<void>;
  const refused: unknown[] = [];
  const rows: (Row & { readonly fault: string })[] = [];

  beforeAll(async () => {
    const [redis, issuers] = await Promise.all([
      startRedis({ appendonly: 'yes', appendfsync: 'always' }),
      startFleetIssuers(),
    ]);
    const network = await startSlowProxy(redis.port);
    const fleet = await startFleet({
      count: INSTANCES,
      issuer: { issuer: issuers.url, statusList: true },
      redisPort: network.port,
      redisTimeoutMs: REDIS_TIMEOUT_MS,
    });
    world = { redis, network, issuers, fleet };
    key = await createCallerKey();
    callers = await startCallers({ fleet, key, count: 2, atOnce: 16, answerTimeoutMs: ANSWER_TIMEOUT_MS });
    const bad = await issuers.badTokens(key);
    for (const port of fleet.ports) await until(async () => (await probe(port, bad.revoked ?? '')) === 401);
    await callers.useBadTokens(bad);
    await callers.useToken(await issuers.token(key));
    await callers.run();
    supply = supplyTokens();
  }, 120_000);

  afterAll(async () => {
    isOver = true;
    await supply;
    await callers?.remove();
    await Promise.all([world?.fleet.remove(), world?.network.close()]);
    await Promise.all([world?.issuers.remove(), world?.redis.remove()]);
  });

  it.each(byName)('%s: nothing wrong, and all is well again by itself', async (_, fault) => {
    const [before, tokensBefore] = [await callers.report(), tokens];
    const met = async (): Promise<Row> => {
      const { counts } = await callers.report();
      return { ...difference(counts, before.counts), tokens: tokens - tokensBefore };
    };
    await fault.begin(world);
    try {
      await until(async () => fault.isFelt(await met()));
    } finally {
      await fault.end(world);
    }
    await untilWell(callers);
    const row = await met();
    rows.push({ fault: fault.name, ...row });
    expect(row).toMatchObject(nothingWrong);
  });

  it('in all: no proof was let through twice, no bad token at all, and no good one was refused', async () => {
    const { counts, reasons } = await callers.stop();
    isOver = true;
    await supply;
    rows.push({ fault: 'in all', ...counts, tokens });
    printTable(rows.map(shown));
    expect(rows).toHaveLength(faults.length + 1);
    expect(counts).toMatchObject(nothingWrong);
    expect(Object.keys(reasons)).toEqual(['replayed_proof']);
    expect(refused).toEqual([]);
    // As the services themselves saw it: whoever was killed had let some through that nobody heard of.
    const ledger = [...world.fleet.ledger()].filter(([name]) => !name.startsWith('probe-'));
    expect(ledger.filter(([name, times]) => times.length > 1 || name.startsWith('bad-'))).toEqual([]);
    expect(ledger.length).toBeGreaterThanOrEqual(counts.accepted);
    expect(ledger.length).toBeLessThanOrEqual(counts.accepted + counts.unanswered);
  });

  /** Callers have a new token every now and then, which only a living issuer can give them. */
  async function supplyTokens(): Promise<void> {
    while (!isOver) {
      const { counts } = await callers.report();
      try {
        await callers.useToken(await world.issuers.token(key));
        tokens++;
      } catch (error) {
        refused.push(error);
      }
      await until(async () => isOver || (await callers.report()).counts.proofs > counts.proofs + 100);
    }
  }

  /** What one instance says of a token, with a proof that holds. */
  async function probe(port: number, token: string): Promise<number> {
    const jti = `probe-${crypto.randomUUID()}`;
    const headers = {
      authorization: `DPoP ${token}`,
      dpop: createProver(key.privateJwk, SERVICE_URL).prove(jti, token),
    };
    const response = await fetch(`http://127.0.0.1:${port}/orders?${jti}`, { headers });
    await response.text();
    return response.status;
  }
});

describe.runIf(hasRedis())('a fleet under load whose Redis keeps nothing on disk', () => {
  let redis: PrivateRedis;
  let fleet: Fleet;
  let callers: Callers;

  beforeAll(async () => {
    const key = await createCallerKey();
    const { token, issuer } = await createFleetToken(key);
    redis = await startRedis();
    fleet = await startFleet({
      count: 3,
      issuer,
      redisPort: redis.port,
      redisTimeoutMs: REDIS_TIMEOUT_MS,
    });
    callers = await startCallers({ fleet, key, count: 2, atOnce: 16, answerTimeoutMs: ANSWER_TIMEOUT_MS });
    await callers.useToken(token);
  });
  afterAll(async () => {
    await Promise.all([callers?.remove(), fleet?.remove()]);
    await redis?.remove();
  });

  it('kill -9: what was used before is good once more, as docs/redis.md says, and nothing else is', async () => {
    await callers.run();
    await until(async () => (await callers.report()).counts.accepted >= 2000);
    const killedAt = Date.now();
    await redis.restart();
    await untilWell(callers);
    const wellAt = Date.now();
    await until(async () => (await callers.report()).acceptedBy.every((count) => count >= 2000));
    const { counts, reasons } = await callers.stop();
    const ledger = [...fleet.ledger().values()];
    const forgotten = ledger
      .filter((times) => times.length > 1)
      .map((times) => [...times].sort((a, b) => a - b));
    printTable([
      {
        proofs: counts.proofs,
        accepted: counts.accepted,
        'used before the kill': ledger.filter(([first = 0]) => first < killedAt).length,
        'of them once more': forgotten.length,
        'used after it, twice': forgotten.filter(([first = 0]) => first >= wellAt).length,
        'good refused': counts.goodRefused,
        undecided: counts.undecided,
      },
    ]);
    expect(counts).toMatchObject({ goodRefused: 0, badAccepted: 0, odd: 0, unanswered: 0 });
    expect(Object.keys(reasons)).toEqual(['replayed_proof']);
    expect(counts.acceptedTwice).toBe(forgotten.length);
    expect(forgotten.length).toBeGreaterThan(0);
    for (const [first = 0, second = 0, ...more] of forgotten) {
      expect(first).toBeLessThan(wellAt);
      expect(second).toBeGreaterThanOrEqual(killedAt);
      expect(more).toEqual([]);
    }
  });
});
