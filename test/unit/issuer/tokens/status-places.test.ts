import { describe, expect, it } from 'vitest';
import { memoryStorage, type StatusPlace } from '../../../../src/issuer/index.ts';
import type { StatusReservation } from '../../../../src/issuer/storage/storage.ts';
import { createStatusPlaces } from '../../../../src/issuer/tokens/status-places.ts';
import { START_MS } from '../harness.ts';

const LIFE_MS = 900_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

function scene() {
  const storage = memoryStorage();
  const reservations: StatusReservation[] = [];
  const clock = { nowMs: START_MS, isAway: false };
  const instance = () =>
    createStatusPlaces({
      storage: {
        ...storage,
        async reserveStatuses(reservation) {
          reservations.push(reservation);
          // As a database: not at once.
          await new Promise((resolve) => setImmediate(resolve));
          if (clock.isAway) throw new Error('away');
          return storage.reserveStatuses(reservation);
        },
      },
      now: () => clock.nowMs,
    });
  const places = instance();
  const take = (count: number, { clientId = 'worker', lifeMs = LIFE_MS, from = places } = {}) =>
    Promise.all(Array.from({ length: count }, () => from.take(clientId, clock.nowMs + lifeMs)));
  const counts = () => reservations.map(({ count }) => count);
  return { storage, reservations, clock, instance, take, counts };
}

const names = (places: readonly StatusPlace[]): Set<string> =>
  new Set(places.map(({ listId, index }) => `${listId} ${index}`));

describe('places', () => {
  it('are given once, whatever asks at once', async () => {
    const { take, instance, counts } = scene();
    const instances = [instance(), instance(), instance()];
    const taken = await Promise.all(
      instances.flatMap((from) => ['a', 'b', 'c', 'd', 'e'].map((clientId) => take(700, { clientId, from }))),
    );
    expect(names(taken.flat()).size).toBe(3 * 5 * 700);
    // 8, 16, 32, 64, 128, 256, 512: seven for each service at each instance.
    expect(counts().length).toBe(3 * 5 * 7);
  });

  it('go on in the next list where one is full', async () => {
    const { take, storage } = scene();
    await storage.reserveStatuses({ clientId: 'a', count: 2 ** 20 - 20, expiresAtMs: START_MS + LIFE_MS });
    const taken = await take(40);
    expect(names(taken).size).toBe(40);
    expect(new Set(taken.map(({ listId }) => listId))).toEqual(new Set(['1', '2']));
    expect(taken.every(({ index }) => index < 2 ** 20)).toBe(true);
  });

  it('are reserved in blocks that grow with demand up to 4096', async () => {
    const { take, counts } = scene();
    await take(20_000);
    expect(counts()).toEqual([8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 4096, 4096, 4096]);
  });

  it('are reserved in blocks of the same size for steady, slow demand', async () => {
    const { take, counts, clock } = scene();
    for (let n = 0; n < 24; n++) {
      await take(1);
      clock.nowMs += MINUTE_MS;
    }
    expect(counts()).toEqual([8, 8, 8]);
  });

  it('of a block are given for an hour, and the next one is small again', async () => {
    const { take, counts, clock } = scene();
    await take(25);
    clock.nowMs += HOUR_MS;
    await take(1);
    expect(counts()).toEqual([8, 16, 32]);
    clock.nowMs += 1;
    await take(1);
    expect(counts()).toEqual([8, 16, 32, 8]);
  });

  it('are kept as long as a token may need them, and a minute for slow clocks', async () => {
    const { take, reservations, clock } = scene();
    await take(1);
    expect(reservations).toEqual([
      { clientId: 'worker', count: 8, expiresAtMs: START_MS + LIFE_MS + MINUTE_MS + HOUR_MS },
    ]);
    clock.nowMs += HOUR_MS / 2;
    await take(1, { lifeMs: LIFE_MS + HOUR_MS / 2 });
    expect(reservations.length).toBe(1);
    await take(1, { lifeMs: 24 * HOUR_MS });
    expect(reservations.at(-1)?.expiresAtMs).toBe(clock.nowMs + 24 * HOUR_MS + MINUTE_MS + HOUR_MS);
    await take(6);
    expect(reservations.length).toBe(2);
  });
});

describe('where none can be reserved', () => {
  it('none is given, and the next request tries again', async () => {
    const { take, clock, counts } = scene();
    clock.isAway = true;
    const answers = await Promise.allSettled(Array.from({ length: 5 }, () => take(1)));
    expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
    expect(counts().length).toBe(1);
    clock.isAway = false;
    expect(names(await take(8)).size).toBe(8);
  });

  it('those that were reserved before are still given', async () => {
    const { take, clock } = scene();
    await take(1);
    clock.isAway = true;
    await take(7);
    await expect(take(1)).rejects.toThrow('away');
  });
});
