/** Used proofs in a real Redis: each once among all instances, whatever happens to the server. */
import { createHash, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRedisStores, RedisFailure, type RedisStoresOptions } from '../../adapters/redis.ts';
import type { ReplayStore } from '../../src/index.ts';
import {
  hasRedis,
  type PrivateRedis,
  type PrivateRedisCluster,
  startRedis,
  startRedisCluster,
  until,
} from '../helpers/redis.ts';
import {
  clusterClients,
  type RedisClientKind,
  type RedisConnection,
  singleClients,
} from '../helpers/redis-clients.ts';
import { startCuttingProxy } from '../helpers/redis-proxy.ts';

const INSTANCES = 8;
const LIFETIME_MS = 65_000;
const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs';

const open = new Set<RedisConnection>();
afterEach(() => {
  for (const client of open) client.close();
  open.clear();
});

async function connect(kind: RedisClientKind, port: number) {
  const client = await kind.connect(port);
  open.add(client);
  return client.client;
}

type Changes = Omit<RedisStoresOptions, 'client'>;

/** The store of one instance, with a connection of its own. */
async function replayStore(kind: RedisClientKind, port: number, changes: Changes = {}): Promise<ReplayStore> {
  return createRedisStores({ client: await connect(kind, port), ...changes }).replay;
}

const proof = (jti: string = randomUUID()) => ({ jkt, jti, expiresAt: Date.now() + LIFETIME_MS });

/** Whether the store has recorded it, or how it failed. */
async function attempt(store: ReplayStore, used = proof()): Promise<string> {
  try {
    return await store.record(used);
  } catch (error) {
    return error instanceof RedisFailure ? error.code : `${error}`;
  }
}

describe.runIf(hasRedis())('replay store', () => {
  let redis: PrivateRedis;
  let cluster: PrivateRedisCluster;
  beforeAll(async () => {
    [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
  });
  afterAll(() => Promise.all([redis.remove(), cluster.remove()]));

  const portFor = (kind: RedisClientKind): number => (kind.isCluster ? cluster.nodes[0] : redis)?.port ?? 0;

  describe.each([...singleClients, ...clusterClients])('with $name', (kind) => {
    it('records each proof once among instances that ask at the same time', async () => {
      const port = portFor(kind);
      const stores = await Promise.all(
        Array.from({ length: INSTANCES }, () => replayStore(kind, port, { timeoutMs: 10_000 })),
      );
      const proofs = Array.from({ length: 500 }, () => proof());
      const answers = await Promise.all(
        proofs.map((used) => Promise.all(stores.map((store) => store.record(used)))),
      );
      const once = ['recorded', ...Array.from({ length: INSTANCES - 1 }, () => 'replayed')];
      for (const each of answers) expect(each.sort()).toEqual(once);
    });

    it('tells proofs apart by key and by jti, whatever a client puts into one', async () => {
      const changes = { namespace: randomUUID(), timeoutMs: 10_000 };
      const store = await replayStore(kind, portFor(kind), changes);
      const jtis = ['a', 'a}b', '{a}', '', '\n', 'é'.repeat(64), 'x'.repeat(65), 'x'.repeat(60_000), '*'];
      const all = jtis.map((jti) => proof(jti));
      const others = all.map((one) => ({ ...one, jkt: jkt.replace('N', 'M') }));
      const answers = async (): Promise<string[]> =>
        Promise.all([...all, ...others].map((one) => store.record(one)));
      const first = await answers();
      expect(new Set(first)).toEqual(new Set(['recorded']));
      expect(new Set(await answers())).toEqual(new Set(['replayed']));
    });

    it('keeps a proof as long as it is good by any clock of the fleet, and no longer', async () => {
      const namespace = randomUUID();
      const now = 1_800_000_000_000;
      const store = await replayStore(kind, portFor(kind), { namespace, now: () => now });
      await store.record({ jkt, jti: 'known', expiresAt: now + LIFETIME_MS });
      const key = `${namespace}:v1:replay:{${jkt}:known}`;
      const server = kind.isCluster ? await cluster.nodeOf(key) : redis;
      const left = Number(await server.command('PTTL', key));
      expect(left).toBeGreaterThan(LIFETIME_MS);
      expect(left).toBeLessThanOrEqual(LIFETIME_MS + 10_000);
    });
  });

  it('spreads proofs of one client over the whole cluster', async () => {
    const [kind] = clusterClients;
    if (kind === undefined) throw new Error('no client');
    const namespace = randomUUID();
    const store = await replayStore(kind, portFor(kind), { namespace, timeoutMs: 10_000 });
    await Promise.all(Array.from({ length: 300 }, () => store.record(proof())));
    const counts = await Promise.all(
      cluster.nodes.map(async (node) => {
        const names = await node.command('--scan', '--pattern', `${namespace}:*`);
        return names.split('\n').length;
      }),
    );
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(300);
    for (const count of counts) expect(count).toBeGreaterThan(50);
  });

  it.each([...singleClients, ...clusterClients])(
    'with $name: of one key four instances record no more than they may, and all of another',
    async (kind) => {
      const limit = 512;
      const changes = { namespace: randomUUID(), timeoutMs: 10_000, now: () => 1_800_000_000_000 };
      const stores = await Promise.all(
        Array.from({ length: 4 }, () =>
          replayStore(kind, portFor(kind), { ...changes, replay: { proofsPerKeyAndMinute: limit } }),
        ),
      );
      const record = (at: number, key: string) =>
        stores[at % 4]?.record({ jkt: key, jti: `${at}`, expiresAt: changes.now() + LIFETIME_MS });
      const answers = await Promise.all(Array.from({ length: 2 * limit }, (_, at) => record(at, jkt)));
      // Each may record a 256th beyond it.
      expect(answers.filter((answer) => answer === 'recorded')).toHaveLength(limit + 4 * (limit / 256));
      expect(new Set(answers)).toEqual(new Set(['recorded', 'full']));
      expect(await record(0, 'another')).toBe('recorded');
    },
  );

  it('refuses where others have put something else in the place of a proof or of a count', async () => {
    const [kind] = singleClients;
    if (kind === undefined) throw new Error('no client');
    const now = (): number => 1_800_000_000_000;
    const namespace = randomUUID();
    const store = await replayStore(kind, redis.port, {
      namespace,
      now,
      replay: { proofsPerKeyAndMinute: 1 },
    });
    const used = (jti: string) => ({ jkt, jti, expiresAt: now() + LIFETIME_MS });
    await redis.command('LPUSH', `${namespace}:v1:replay:{${jkt}:list}`, 'value');
    expect(await attempt(store, used('list'))).toBe('unavailable');
    await attempt(store, used('first'));
    for (const write of ['LPUSH', 'SET']) {
      const name = await redis.command('--scan', '--pattern', `${namespace}:v1:quota:*`);
      if (name !== '') await redis.command('DEL', name);
      const hash = createHash('sha256').update(jkt, 'utf16le').digest('base64url');
      const key = `${namespace}:v1:quota:{${hash}}:${now() + 60_000 - (now() % 60_000)}`;
      await redis.command(write, key, 'text');
      expect(await attempt(store, used('next'))).toBe('unavailable');
    }
  });

  it('shares nothing between namespaces', async () => {
    const [kind] = singleClients;
    if (kind === undefined) throw new Error('no client');
    const [a, b] = await Promise.all([
      replayStore(kind, redis.port, { namespace: 'a' }),
      replayStore(kind, redis.port, { namespace: 'b' }),
    ]);
    const used = proof();
    expect([await a.record(used), await b.record(used)]).toEqual(['recorded', 'recorded']);
  });
});

describe.runIf(hasRedis()).each(singleClients)('a Redis that fails, with $name', (kind) => {
  let redis: PrivateRedis;
  async function start(settings: Record<string, string> = {}): Promise<void> {
    redis = await startRedis(settings);
  }
  afterEach(() => redis.remove());

  it('full: refuses, and records again once there is room', async () => {
    await start({ maxmemory: '3mb', 'maxmemory-policy': 'noeviction' });
    for (const whenUnavailable of ['refuse', 'local'] as const) {
      await redis.command('FLUSHALL');
      const store = await replayStore(kind, redis.port, { replay: { whenUnavailable } });
      const used = proof();
      expect(await attempt(store, used)).toBe('recorded');
      await redis.command('DEBUG', 'POPULATE', '20000', 'filler', '100');
      await until(async () => (await attempt(store)) === 'full');
      // What is there is still known.
      expect(await attempt(store, used)).not.toBe('recorded');
      await redis.command('FLUSHALL');
      expect(await attempt(store)).toBe('recorded');
    }
  });

  it('slow: fails within the deadline, and answers again when Redis does', async () => {
    await start();
    const store = await replayStore(kind, redis.port, { timeoutMs: 100 });
    expect(await attempt(store)).toBe('recorded');
    redis.pause();
    const begun = performance.now();
    expect(await Promise.all(Array.from({ length: 50 }, () => attempt(store)))).toEqual(
      Array.from({ length: 50 }, () => 'timeout'),
    );
    expect(performance.now() - begun).toBeLessThan(1000);
    redis.resume();
    await until(async () => (await attempt(store)) === 'recorded');
    const asleep = redis.command('DEBUG', 'SLEEP', '0.4');
    await until(async () => (await attempt(store)) === 'timeout');
    await asleep;
    await until(async () => (await attempt(store)) === 'recorded');
  });

  it('a proof whose answer came too late is not accepted afterwards', async () => {
    await start();
    const store = await replayStore(kind, redis.port, { timeoutMs: 100 });
    expect(await attempt(store)).toBe('recorded');
    const used = proof();
    redis.pause();
    expect(await attempt(store, used)).toBe('timeout');
    redis.resume();
    await until(async () => (await attempt(store)) === 'recorded');
    expect(await attempt(store, used)).toBe('replayed');
  });

  it('connection lost after Redis did its work: a client that sends again does not meet its own proof', async () => {
    await start();
    const cut = await startCuttingProxy(redis.port);
    const store = await replayStore(kind, cut.port, { timeoutMs: 10_000 });
    expect(await attempt(store)).toBe('recorded');
    const used = proof();
    cut.cutNextAnswer();
    expect(['recorded', 'unavailable']).toContain(await attempt(store, used));
    expect(cut.cuts()).toBe(1);
    await until(async () => (await attempt(store)) === 'recorded');
    expect(await attempt(store, used)).toBe('replayed');
  });

  it('failing over: refuses while the server is a replica, and goes on when it is the master', async () => {
    await start();
    const other = await startRedis();
    try {
      const store = await replayStore(kind, redis.port);
      expect(await attempt(store)).toBe('recorded');
      await redis.command('REPLICAOF', '127.0.0.1', String(other.port));
      for (let at = 0; at < 5; at++) expect(await attempt(store)).toBe('unavailable');
      await redis.command('REPLICAOF', 'NO', 'ONE');
      await until(async () => (await attempt(store)) === 'recorded');
    } finally {
      await other.remove();
    }
  });

  it('down: fails in time, and the same program goes on when Redis is back', async () => {
    await start();
    const failures: string[] = [];
    const store = await replayStore(kind, redis.port, {
      onFailure: ({ store: name, code }) => {
        failures.push(`${name} ${code}`);
        throw new Error('a listener that throws');
      },
    });
    for (let round = 0; round < 2; round++) {
      expect(await attempt(store)).toBe('recorded');
      await redis.kill9();
      for (let at = 0; at < 5; at++) expect(['timeout', 'unavailable']).toContain(await attempt(store));
      await redis.start();
      await until(async () => (await attempt(store)) === 'recorded');
    }
    expect(failures.length).toBeGreaterThanOrEqual(10);
    expect(new Set(failures.map((line) => line.split(' ')[0]))).toEqual(new Set(['replay']));
  });

  it('killed, with a log that is always written: knows every proof it has recorded', async () => {
    await start({ appendonly: 'yes', appendfsync: 'always' });
    const [store, other] = await Promise.all([
      replayStore(kind, redis.port, { timeoutMs: 5000 }),
      replayStore(kind, redis.port, { timeoutMs: 5000 }),
    ]);
    const recorded: ReturnType<typeof proof>[] = [];
    const writing = Promise.all(
      Array.from({ length: 20 }, async () => {
        for (let at = 0; at < 100; at++) {
          const used = proof();
          if ((await attempt(store, used)) !== 'recorded') return;
          recorded.push(used);
        }
      }),
    );
    await until(() => recorded.length >= 200);
    await redis.kill9();
    const before = [...recorded];
    await redis.start();
    await writing;
    await until(async () => (await attempt(other)) === 'recorded');
    for (const used of before) expect(await attempt(other, used)).toBe('replayed');
  });

  it('restarted empty: has forgotten, where each instance alone remembers nothing', async () => {
    await start();
    const [refusing, local, other] = await Promise.all([
      replayStore(kind, redis.port),
      replayStore(kind, redis.port, { replay: { whenUnavailable: 'local' } }),
      replayStore(kind, redis.port, { replay: { whenUnavailable: 'local' } }),
    ]);
    const [a, b] = [proof(), proof()];
    expect([await attempt(refusing, a), await attempt(local, b)]).toEqual(['recorded', 'recorded']);
    await redis.restart();
    await until(async () => (await attempt(refusing)) === 'recorded');
    // What docs/redis.md says of it: without a log on disk a proof is good once more, ...
    expect(await attempt(refusing, a)).toBe('recorded');
    // ... though not at the instance that saw it and remembers for itself.
    expect(await attempt(local, b)).toBe('replayed');
    expect(await attempt(other, b)).toBe('recorded');
  });

  it('down, and remembered locally: each instance accepts a proof once, and none twice', async () => {
    await start();
    const replay = { whenUnavailable: 'local' } as const;
    let aheadMs = 0;
    const changes = { replay, now: () => Date.now() + aheadMs };
    const [a, b] = await Promise.all([
      replayStore(kind, redis.port, changes),
      replayStore(kind, redis.port, changes),
    ]);
    const before = proof();
    expect([await attempt(a, before), await attempt(b, before)]).toEqual(['recorded', 'replayed']);
    await redis.kill9();
    const during = Array.from({ length: 20 }, () => proof());
    for (const used of during) expect(await attempt(a, used)).toBe('recorded');
    for (const used of during) expect(await attempt(a, used)).toBe('replayed');
    expect(await attempt(a, before)).toBe('replayed');
    await redis.start();
    // As long as it may take until Redis is asked again.
    aheadMs = 2000;
    // Redis counts again once a proof of one is a replay at the other.
    await until(async () => {
      const used = proof();
      return (await attempt(a, used)) === 'recorded' && (await attempt(b, used)) === 'replayed';
    });
    for (const used of during) expect(await attempt(a, used)).toBe('replayed');
  });
});

describe.runIf(hasRedis())('a cluster that loses a node', () => {
  let cluster: PrivateRedisCluster;
  beforeAll(async () => {
    cluster = await startRedisCluster();
  });
  afterAll(() => cluster.remove());

  it.each(clusterClients)(
    'with $name: refuses what that node kept, records the rest, and all of it when the node is back',
    async (kind) => {
      const store = await replayStore(kind, cluster.nodes[0]?.port ?? 0, { timeoutMs: 500 });
      await until(async () => (await attempt(store)) === 'recorded');
      const lost = cluster.nodes[2];
      if (lost === undefined) throw new Error('no third node');
      await lost.kill9();
      const answers = await Promise.all(Array.from({ length: 60 }, () => attempt(store)));
      const recorded = answers.filter((answer) => answer === 'recorded').length;
      expect(recorded).toBeGreaterThan(0);
      expect(recorded).toBeLessThan(60);
      for (const answer of answers) expect(['recorded', 'timeout', 'unavailable']).toContain(answer);
      await lost.start();
      await until(async () => {
        const again = await Promise.all(Array.from({ length: 30 }, () => attempt(store)));
        return again.every((answer) => answer === 'recorded');
      });
    },
  );
});
