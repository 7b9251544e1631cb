/** A real failover: the master is killed in the middle of load, and a sentinel puts its replica in its place. */
import { randomUUID } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  createRedisInvalidations,
  createRedisLimits,
  createRedisStores,
  RedisFailure,
} from '../../adapters/redis.ts';
import type { ReplayStore } from '../../src/index.ts';
import { printTable } from '../helpers/fleet-counts.ts';
import { hasRedis, until } from '../helpers/redis.ts';
import { type RedisClientKind, sentinelClients } from '../helpers/redis-clients.ts';
import { type PrivateSentinel, startSentinel } from '../helpers/redis-sentinel.ts';

const jkt = 'NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs';
const proof = () => ({ jkt, jti: randomUUID(), expiresAt: Date.now() + 65_000 });
type Proof = ReturnType<typeof proof>;

async function attempt(store: ReplayStore, used: Proof): Promise<string> {
  try {
    return await store.record(used);
  } catch (error) {
    return error instanceof RedisFailure ? error.code : `${error}`;
  }
}

describe.runIf(hasRedis()).each(sentinelClients)('a failover by a sentinel, with $name', (kind) => {
  let group: PrivateSentinel;
  let ends: (() => unknown)[] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  beforeEach(async () => {
    process.on('unhandledRejection', onUnhandled);
    group = await startSentinel();
  });
  afterEach(async () => {
    for (const end of ends.reverse()) await end();
    ends = [];
    group.replica.resume();
    await group.remove();
    process.off('unhandledRejection', onUnhandled);
    expect(unhandled).toEqual([]);
  });

  async function connect({ connect: open }: RedisClientKind) {
    const { client, close } = await open(group.port);
    ends.push(close);
    return client;
  }

  it('under load: what had reached the replica is accepted by nobody again, and all goes on', async () => {
    const [a, b] = [
      createRedisStores({ client: await connect(kind) }).replay,
      createRedisStores({ client: await connect(kind), timeoutMs: 1000 }).replay,
    ];
    const recorded: Proof[] = [];
    const others = new Set<string>();
    let isOver = false;
    const load = Promise.all(
      Array.from({ length: 8 }, async () => {
        while (!isOver) {
          const used = proof();
          const answer = await attempt(a, used);
          if (answer === 'recorded') recorded.push(used);
          else others.add(answer);
          await new Promise(setImmediate);
        }
      }),
    );
    let safe = 0;
    while (safe < 300) {
      const count = recorded.length;
      await group.replicated();
      safe = count;
    }
    await group.master.kill9();
    const killedAt = recorded.length;
    await group.failedOver();
    await until(() => recorded.length >= killedAt + 300);
    isOver = true;
    await load;
    const lost = async (from: number, to: number): Promise<number> => {
      const keys = recorded.slice(from, to).map(({ jti }) => `service-auth:v1:replay:{${jkt}:${jti}}`);
      return keys.length - Number(await group.replica.command('EXISTS', ...keys, 'none'));
    };
    const counts = [await lost(0, safe), await lost(safe, killedAt), await lost(killedAt, recorded.length)];
    printTable([
      {
        client: kind.name,
        recorded: recorded.length,
        'known to have reached the replica': safe,
        'of them lost': counts[0] ?? Number.NaN,
        'of those on the way lost': counts[1] ?? Number.NaN,
        'of those afterwards lost': counts[2] ?? Number.NaN,
      },
    ]);
    expect([counts[0], counts[2]]).toEqual([0, 0]);
    const [sample] = recorded;
    if (sample === undefined) throw new Error('nothing was recorded');
    let answer = '';
    await until(async () => {
      answer = await attempt(b, sample);
      return ['recorded', 'replayed'].includes(answer);
    });
    expect(answer).toBe('replayed');
    for (const failure of others) expect(['timeout', 'unavailable']).toContain(failure);
  });

  it('loses what the replica had not heard of yet, as docs/redis.md says', async () => {
    const store = createRedisStores({ client: await connect(kind) }).replay;
    const [before, lost] = [proof(), proof()];
    expect(await attempt(store, before)).toBe('recorded');
    await group.replicated();
    // What stands in its socket already it would still read.
    group.replica.pause();
    await group.master.command('CLIENT', 'KILL', 'TYPE', 'replica');
    expect(await attempt(store, lost)).toBe('recorded');
    await group.master.kill9();
    group.replica.resume();
    await group.failedOver();
    await until(async () => (await attempt(store, proof())) === 'recorded');
    expect(await attempt(store, before)).toBe('replayed');
    expect(await attempt(store, lost)).toBe('recorded');
  });

  it('tokens, limits and invalidations go on by themselves', async () => {
    const [{ tokens }, limits] = [
      createRedisStores({ client: await connect(kind) }),
      createRedisLimits({ client: await connect(kind) }),
    ];
    const told = [new Set<string>(), new Set<string>()] as const;
    const [one, other] = await Promise.all(
      told.map(async (heard) => {
        const invalidations = createRedisInvalidations({
          client: await connect(kind),
          subscriber: await connect(kind),
          verifiers: [
            { invalidate: (what) => void heard.add(typeof what === 'object' ? `${what.jti}` : '') },
          ],
          syncSeconds: 0.2,
        });
        ends.push(() => invalidations.close());
        await invalidations.ready();
        return invalidations;
      }),
    );
    await tokens.set('key', 'text', Date.now() + 60_000);
    await one?.invalidate({ jti: 'before' });
    await group.replicated();
    await group.master.kill9();
    await one?.invalidate({ jti: 'during' });
    await group.failedOver();
    const text = async (): Promise<string | undefined> => tokens.get('key');
    await until(async () => (await text().catch(() => undefined)) === 'text');
    const request = { key: 'k', windowEndsAtMs: Date.now() + 60_000, limit: 10, amount: 4 };
    await until(async () => (await limits.takeFromLimit(request).catch(() => 0)) > 0);
    await until(() => told[1].has('during'));
    await until(() => other?.health().isSynced === true);
    expect(await one?.invalidate({ jti: 'after' })).toBe('shared');
    await until(() => told[1].has('after'));
    expect(told[1].has('before')).toBe(true);
  });
});
