/** Limits that issuers count in Redis: never more than one limit for all, never none. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createRedisLimits } from '../../adapters/redis/limits.ts';
import type { LimitStore } from '../../src/index.ts';
import { createIssuer, memoryStorage } from '../../src/issuer/index.ts';
import {
  hasRedis,
  type PrivateRedis,
  type PrivateRedisCluster,
  startRedis,
  startRedisCluster,
  until,
} from '../helpers/redis.ts';
import { clusterClients, singleClients } from '../helpers/redis-clients.ts';
import { createHarness } from '../unit/issuer/harness.ts';
import { inParallel } from '../unit/issuer/storage/samples.ts';

const WINDOW_SECONDS = 60;

describe.runIf(hasRedis())('limits in Redis', () => {
  let redis: PrivateRedis;
  let cluster: PrivateRedisCluster;
  let ends: (() => unknown)[] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  beforeAll(async () => {
    process.on('unhandledRejection', onUnhandled);
    [redis, cluster] = await Promise.all([startRedis(), startRedisCluster()]);
  });
  afterAll(async () => {
    process.off('unhandledRejection', onUnhandled);
    await Promise.all([redis.remove(), cluster.remove()]);
  });
  beforeEach(() => redis.command('FLUSHALL'));
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    ends = [];
    expect(unhandled).toEqual([]);
  });

  const soon = (): number => Date.now() + WINDOW_SECONDS * 1000;

  describe.each(singleClients)('with $name', ({ connect }) => {
    async function open(namespace?: string, timeoutMs = 1000): Promise<LimitStore> {
      const { client, close } = await connect(redis.port);
      ends.push(close);
      return createRedisLimits({ client, namespace, timeoutMs });
    }

    it('give what is asked for, then what is left, then nothing', async () => {
      const store = await open();
      const request = { key: 'k', windowEndsAtMs: soon(), limit: 10, amount: 4 };
      const given: number[] = [];
      for (let turn = 0; turn < 4; turn++) given.push(await store.takeFromLimit(request));
      expect(given).toEqual([4, 4, 2, 0]);
      expect(await store.takeFromLimit({ ...request, key: 'none', limit: 0 })).toBe(0);
      expect(await store.takeFromLimit({ ...request, key: 'large', limit: 1e9, amount: 31_250_000 })).toBe(
        31_250_000,
      );
    });

    it('may be changed within a window', async () => {
      const store = await open();
      const request = { key: 'k', windowEndsAtMs: soon(), limit: 10, amount: 8 };
      expect(await store.takeFromLimit(request)).toBe(8);
      expect(await store.takeFromLimit({ ...request, limit: 5, amount: 1 })).toBe(0);
      expect(await store.takeFromLimit({ ...request, limit: 12, amount: 10 })).toBe(4);
    });

    it('count each key, window and namespace for itself, and end by themselves', async () => {
      const [store, other] = [await open(), await open('elsewhere')];
      const windowEndsAtMs = soon();
      const take = (key: string, later = 0, at = store): Promise<number> =>
        at.takeFromLimit({ key, windowEndsAtMs: windowEndsAtMs + later, limit: 10, amount: 10 });
      const names = ['k', '__proto__', '', 'a\0b', '{k}', 'half \ud83d', 'x'.repeat(20_000)];
      for (const name of names) expect([await take(name), await take(name)]).toEqual([10, 0]);
      expect([await take('k', 1), await take('k', 0, other)]).toEqual([10, 10]);
      const keys = (await redis.command('KEYS', '*')).split('\n');
      expect(keys).toHaveLength(names.length + 2);
      for (const key of keys) {
        expect(key.length).toBeLessThan(128);
        expect(Number(await redis.command('PTTL', key))).toBeGreaterThan(WINDOW_SECONDS * 1000);
        expect(Number(await redis.command('PTTL', key))).toBeLessThanOrEqual(WINDOW_SECONDS * 2000 + 1);
      }
    });

    it.each([1, 3])('never give more than all to four instances that take %d at once', async (amount) => {
      const stores = await Promise.all([open(), open(), open(), open()]);
      const request = { key: 'k', windowEndsAtMs: soon(), limit: 500, amount };
      const given = await inParallel(
        1000,
        (turn) => stores[turn % 4]?.takeFromLimit(request) ?? Promise.reject(),
      );
      expect(given.reduce((sum, part) => sum + part)).toBe(500);
      expect(given.every((part) => part >= 0 && part <= amount)).toBe(true);
    });

    it('reject in time, and never say that there is no limit, while Redis hangs, is down or full', async () => {
      const store = await open(undefined, 200);
      const request = { key: 'k', windowEndsAtMs: soon(), limit: 10, amount: 4 };
      await store.takeFromLimit(request);
      redis.pause();
      await expect(store.takeFromLimit(request)).rejects.toMatchObject({ code: 'timeout' });
      redis.resume();
      await redis.command('CONFIG', 'SET', 'maxmemory', '1');
      await expect(store.takeFromLimit(request)).rejects.toMatchObject({ code: 'full' });
      await redis.kill9();
      await expect(store.takeFromLimit(request)).rejects.toBeInstanceOf(Error);
      await redis.start();
      await until(() =>
        store.takeFromLimit({ ...request, amount: 1 }).then(
          () => true,
          () => false,
        ),
      );
    });

    it('are shared by issuers on different storages; each counts alone while Redis is away', async () => {
      const requests = 64;
      const client = { requests, windowSeconds: WINDOW_SECONDS };
      const make = async () => {
        const store = await open();
        const limits = { client, address: false as const, store };
        const harness = createHarness({ storage: memoryStorage(), limits });
        return { harness, credentials: await harness.register({ clientId: 'billing' }) };
      };
      type One = Awaited<ReturnType<typeof make>>;
      const [a, b] = [await make(), await make()];
      const statuses = async ({ harness, credentials }: One, count: number): Promise<number[]> => {
        const all: number[] = [];
        for (let turn = 0; turn < count; turn++) {
          all.push((await harness.post('/token', { grant_type: 'client_credentials' }, credentials)).status);
        }
        return all;
      };
      const allowed = (all: readonly number[]): number => all.filter((status) => status !== 429).length;
      const first = await statuses(a, requests / 2);
      const rest = await statuses(b, requests);
      expect(allowed(first)).toBe(requests / 2);
      expect(allowed(rest)).toBe(requests / 2);
      expect(allowed(await statuses(a, 10))).toBe(0);
      // The next window, without Redis: each lets through what all together may, and no more.
      for (const { harness } of [a, b]) harness.advance(WINDOW_SECONDS);
      await redis.kill9();
      for (const one of [a, b]) expect(allowed(await statuses(one, requests + 20))).toBe(requests);
      for (const { harness } of [a, b]) {
        expect(harness.events.some(({ type }) => type === 'issuer.limits_not_shared')).toBe(true);
      }
      // Back, and empty: from the next window on they share again.
      await redis.start();
      for (const { harness } of [a, b]) harness.advance(WINDOW_SECONDS);
      await until(
        async () => (await redis.command('CLIENT', 'LIST', 'TYPE', 'normal')).split('\n').length >= 3,
      );
      expect(allowed([...(await statuses(a, requests)), ...(await statuses(b, requests))])).toBe(requests);
    });
  });

  it.each(clusterClients)('are shared in a cluster, with $name', async ({ name, connect }) => {
    const stores = await Promise.all(
      cluster.nodes.map(async ({ port }) => {
        const { client, close } = await connect(port);
        ends.push(close);
        return createRedisLimits({ client, namespace: name.replace(' ', '-'), timeoutMs: 1000 });
      }),
    );
    const windowEndsAtMs = soon();
    const given = await inParallel(600, (turn) => {
      const request = { key: `client-${turn % 20}`, windowEndsAtMs, limit: 10, amount: 1 };
      return stores[turn % 3]?.takeFromLimit(request) ?? Promise.reject();
    });
    expect(given.reduce((sum, part) => sum + part)).toBe(200);
    const sizes = await Promise.all(cluster.nodes.map((node) => node.command('DBSIZE')));
    await Promise.all(cluster.nodes.map((node) => node.command('FLUSHALL')));
    expect(sizes.map(Number).reduce((sum, size) => sum + size)).toBe(20);
    expect(sizes.every((size) => Number(size) > 0)).toBe(true);
  });

  it.each<[string, object, RegExp]>([
    ['no client', { client: undefined }, /client must be a client of ioredis/],
    ['a namespace in braces', { namespace: '{a}' }, /namespace/],
    ['a wait longer than the issuer has', { timeoutMs: 2000 }, /timeoutMs/],
    ['a misspelt option', { nameSpace: 'a' }, /did you mean namespace/],
  ])('%s is a mistake', (_name, options, message) => {
    const client = { call: async () => 0 };
    expect(() => createRedisLimits({ client, ...options })).toThrow(message);
  });

  it('what is no place to count in is a mistake', () => {
    const store = {} as LimitStore;
    expect(() => createIssuer({ issuer: 'https://idp.example', limits: { store } })).toThrow(
      /limits\.store must be/,
    );
  });
});
