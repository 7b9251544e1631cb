/** A fleet that shares its access tokens in a real Redis: one token request for all of them. */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createRedisStores, type RedisStoresOptions } from '../../adapters/redis.ts';
import {
  createTokenClient,
  type EventListener,
  type ServiceAuthEvent,
  type TokenClient,
  type TokenStore,
} from '../../src/index.ts';
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
import { startTokenServer, type TokenServer } from '../unit/outbound/support.ts';

const FLEET = 100;
const storeKey = 'the secret that the fleet shares, 32 bytes or more';

const open = new Set<RedisConnection>();
afterEach(() => {
  for (const client of open) client.close();
  open.clear();
});

async function tokenStore(
  kind: RedisClientKind,
  port: number,
  changes: Omit<RedisStoresOptions, 'client'> = {},
): Promise<TokenStore> {
  const opened = await kind.connect(port);
  open.add(opened);
  const { tokens } = createRedisStores({ client: opened.client, timeoutMs: 10_000, ...changes });
  // As in a program that serves already: connected, to every node of a cluster.
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'].map((key) => tokens.get(key)));
  return tokens;
}

function tokenClient(
  server: TokenServer,
  store: TokenStore,
  timeoutMs = 10_000,
  onEvent: EventListener = () => {},
): TokenClient {
  return createTokenClient({ ...server.options, store, storeKey, timeoutMs, onEvent });
}

describe.runIf(hasRedis())('shared tokens', () => {
  let redis: PrivateRedis;
  let cluster: PrivateRedisCluster;
  beforeAll(async () => {
    [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
  });
  afterAll(() => Promise.all([redis.remove(), cluster.remove()]));

  const portFor = (kind: RedisClientKind): number => (kind.isCluster ? cluster.nodes[0] : redis)?.port ?? 0;

  /** A hundred clients without a token ask for one at the same time. */
  async function askAsFleet(kind: RedisClientKind) {
    const server = await startTokenServer();
    const namespace = randomUUID();
    // A connection for each would keep one process too busy to be in time; fleet-tokens.test.ts has ten processes.
    const stores = await Promise.all(
      Array.from({ length: FLEET / 10 }, () => tokenStore(kind, portFor(kind), { namespace })),
    );
    let late = 0;
    const onEvent = ({ type }: ServiceAuthEvent): void => {
      if (type === 'token.store_failed') late++;
    };
    const fleet = Array.from({ length: 10 }, () => stores).flat();
    const clients = fleet.map((store) => tokenClient(server, store, 60_000, onEvent));
    const answers = await Promise.all(clients.map((client) => client.getToken()));
    for (const client of clients) client.close();
    return {
      namespace,
      tokens: answers.map(({ accessToken }) => accessToken),
      requests: server.received.length,
      late,
    };
  }

  describe.each([...singleClients, ...clusterClients])('with $name', (kind) => {
    it('a fleet of 100 sends one token request, and Redis sees no token', async () => {
      let asked = await askAsFleet(kind);
      // Whoever gets no answer of the store within 200 ms asks by itself: such a round says nothing of leases.
      for (let round = 1; asked.late > 0 && round < 5; round++) asked = await askAsFleet(kind);
      const { namespace, tokens, requests, late } = asked;
      expect(late).toBe(0);
      expect(new Set(tokens)).toEqual(new Set(['token-1']));
      expect(requests).toBe(1);
      const servers = kind.isCluster ? cluster.nodes : [redis];
      const lists = servers.map((one) => one.command('--scan', '--pattern', `${namespace}:*`));
      const keys = (await Promise.all(lists)).flatMap((list) => list.split('\n')).filter(Boolean);
      // The lease is gone; of the token there is what nobody can read.
      expect(keys).toEqual([expect.stringMatching(/:v1:shared:\{token:[\w-]{43}\}$/)]);
      const [key = ''] = keys;
      const keeper = kind.isCluster ? await cluster.nodeOf(key) : redis;
      expect(await keeper.command('GET', key)).toMatch(/^v1\.[\w-]+$/);
    });

    it('a lease has one holder, is ended by that one alone, and ends by itself', async () => {
      const [a, b] = [await tokenStore(kind, portFor(kind)), await tokenStore(kind, portFor(kind))];
      const key = `token:${randomUUID()}`;
      const endFirst = await a.lease(key, 300);
      expect(endFirst).toBeTypeOf('function');
      expect(await b.lease(key, 300)).toBeUndefined();
      const granted: (() => unknown)[] = [];
      await until(async () => {
        const end = await b.lease(key, 10_000);
        if (end !== undefined) granted.push(end);
        return end !== undefined;
      });
      // Its own has ended long ago, and this one is another's.
      await endFirst?.();
      expect(await a.lease(key, 300)).toBeUndefined();
      await granted[0]?.();
      expect(await a.lease(key, 300)).toBeTypeOf('function');
    });

    it('text is kept until it expires, and not at all where it has', async () => {
      const now = Date.now();
      const store = await tokenStore(kind, portFor(kind), { now: () => now });
      const key = randomUUID();
      await store.set(key, 'ä text', now + 60_000);
      expect(await store.get(key)).toBe('ä text');
      await store.delete(key);
      expect(await store.get(key)).toBeUndefined();
      await store.set(key, 'dead', now);
      await store.set(key, 'dead', Number.NaN);
      expect(await store.get(key)).toBeUndefined();
      await store.set(key, 'for ever', Number.MAX_VALUE);
      expect(await store.get(key)).toBe('for ever');
      await store.set(key, 'short', now + 50);
      await until(async () => (await store.get(key)) === undefined);
    });
  });

  it('where the holder of the lease is killed, another asks once the lease has ended', async () => {
    const [kind] = singleClients;
    if (kind === undefined) throw new Error('no client');
    const store = await tokenStore(kind, redis.port);
    const key = `token:${randomUUID()}`;
    const lastsMs = 1500;
    const program = fileURLToPath(new URL('../helpers/redis-lease-holder.ts', import.meta.url));
    const args = ['--import', 'tsx', program, String(redis.port), key, String(lastsMs)];
    const holder = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [said] = await once(holder.stdout, 'data');
    const begun = performance.now();
    expect(`${said}`).toBe('held\n');
    const gone = once(holder, 'exit');
    holder.kill('SIGKILL');
    await gone;
    expect(await store.lease(key, lastsMs)).toBeUndefined();
    await until(async () => (await store.lease(key, lastsMs)) !== undefined);
    const waited = performance.now() - begun;
    expect(waited).toBeGreaterThan(lastsMs / 2);
    expect(waited).toBeLessThan(lastsMs * 3);
  });

  it('where the holder hangs, another client has its token once the lease has ended', async () => {
    const [kind] = singleClients;
    if (kind === undefined) throw new Error('no client');
    const server = await startTokenServer();
    const namespace = randomUUID();
    const [a, b] = [
      tokenClient(server, await tokenStore(kind, redis.port, { namespace }), 2000),
      tokenClient(server, await tokenStore(kind, redis.port, { namespace }), 10_000),
    ];
    server.next.push(() => {});
    const hanging = a.getToken().catch((error: unknown) => error);
    await until(() => server.received.length === 1);
    expect((await b.getToken()).accessToken).toBe('token-1');
    expect(server.received.length).toBeGreaterThanOrEqual(2);
    a.close();
    b.close();
    await hanging;
  });
});

describe.runIf(hasRedis()).each(singleClients)('a Redis that fails, with $name', (kind) => {
  let redis: PrivateRedis;
  afterEach(() => redis.remove());

  it('killed, paused, full or restarted empty: calls have their tokens all the same', async () => {
    redis = await startRedis();
    const server = await startTokenServer();
    const store = await tokenStore(kind, redis.port, { timeoutMs: 100 });
    async function obtain(): Promise<string> {
      const client = tokenClient(server, store);
      const { accessToken } = await client.getToken();
      client.close();
      return accessToken;
    }
    expect(await obtain()).toBe('token-1');
    expect(await obtain()).toBe('token-1');
    redis.pause();
    expect(await obtain()).toBe('token-2');
    redis.resume();
    await redis.kill9();
    expect(await obtain()).toBe('token-3');
    await redis.start();
    // Shared again: the one has what the other asked for.
    await until(async () => {
      const first = await obtain();
      return first === (await obtain());
    });
    const before = server.received.length;
    await redis.command('FLUSHALL');
    await redis.command('DEBUG', 'POPULATE', '1000', 'filler', '100');
    await redis.command('CONFIG', 'SET', 'maxmemory', '1mb');
    await obtain();
    await obtain();
    expect(server.received).toHaveLength(before + 2);
  });

  it('a lease that is granted too late is given back', async () => {
    redis = await startRedis();
    const [slow, other] = [
      await tokenStore(kind, redis.port, { timeoutMs: 100 }),
      await tokenStore(kind, redis.port),
    ];
    const key = `token:${randomUUID()}`;
    redis.pause();
    await expect(async () => slow.lease(key, 60_000)).rejects.toMatchObject({ code: 'timeout' });
    redis.resume();
    await until(async () => (await other.lease(key, 60_000)) !== undefined);
  });
});
