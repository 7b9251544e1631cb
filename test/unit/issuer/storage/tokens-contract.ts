import { describe, expect, it } from 'vitest';
import type { StatusBlock } from '../../../../src/issuer/index.ts';
import { audit, inParallel, revoked, type StorageOfTest, service, signingKey, token } from './samples.ts';

export function tokensContract(storage: StorageOfTest): void {
  opaqueContract(storage);
  statusListContract(storage);
  signingKeyContract(storage);
}

function opaqueContract(storage: StorageOfTest): void {
  describe('opaque tokens', () => {
    it('are found by their hash until they are cleared away', async () => {
      await storage().saveToken(token('h1'));
      await storage().saveToken(token('h2', { expiresAtMs: 20 }));
      expect(await storage().findToken('h1')).toEqual(token('h1'));
      expect(await storage().findToken('x')).toBeUndefined();
      await storage().deleteExpired(10);
      expect(await storage().findToken('h1')).toBeUndefined();
      expect(await storage().findToken('h2')).toEqual(token('h2', { expiresAtMs: 20 }));
    });
  });

  describe('revoked tokens', () => {
    it('are remembered until they have expired', async () => {
      await storage().revokeToken(revoked('a'));
      await storage().revokeToken(revoked('a'));
      await storage().revokeToken(revoked('b', { expiresAtMs: 20 }));
      await storage().deleteExpired(9);
      expect(await storage().isTokenRevoked('a')).toBe(true);
      await storage().deleteExpired(10);
      expect(await storage().isTokenRevoked('a')).toBe(false);
      expect(await storage().isTokenRevoked('b')).toBe(true);
      expect(await storage().isTokenRevoked('constructor')).toBe(false);
    });

    it('may be revoked by many at once', async () => {
      const { listId } = await storage().reserveStatuses({ clientId: 'a', count: 8, expiresAtMs: 100 });
      const status = { listId, index: 3 };
      await inParallel(20, () => storage().revokeToken(revoked('a', { status })));
      expect(await storage().isTokenRevoked('a')).toBe(true);
      expect(await storage().statusListRevision(listId)).toBe(1);
    });
  });
}

function statusListContract(storage: StorageOfTest): void {
  const reserve = (clientId: string, count = 8, expiresAtMs = 100): Promise<StatusBlock> =>
    storage().reserveStatuses({ clientId, count, expiresAtMs });
  const SIZE = 2 ** 20;

  describe('status lists', () => {
    it('give each place once, and begin a new list where one is full', async () => {
      const first = await reserve('a', SIZE - 10);
      const second = await reserve('a', 10);
      const third = await reserve('a', 1);
      expect(first).toEqual({ listId: first.listId, start: 0, count: SIZE - 10 });
      expect(second).toEqual({ listId: first.listId, start: SIZE - 10, count: 10 });
      expect(third).toEqual({ listId: third.listId, start: 0, count: 1 });
      expect(third.listId).not.toBe(first.listId);
    });

    it('give no place to two that ask at once, at the end of a list neither', async () => {
      await reserve('a', SIZE - 100);
      const blocks = await inParallel(50, () => reserve('a', 7));
      const places = blocks.flatMap(({ listId, start, count }) =>
        Array.from({ length: count }, (_, at) => `${listId}:${start + at}`),
      );
      expect(new Set(places).size).toBe(350);
      expect(blocks.every(({ start, count }) => start + count <= SIZE)).toBe(true);
      expect(new Set(blocks.map(({ listId }) => listId)).size).toBe(2);
    });

    it.each([0, SIZE + 1, Number.NaN])('refuse %d places at once', async (count) => {
      await expect(reserve('a', count)).rejects.toThrow(RangeError);
    });

    it.each(['unknown', '', '__proto__', '-1', '1e0', ' 1', '01', '99999999999999999999'])(
      'do not know %j',
      async (listId) => {
        await reserve('a');
        expect(await storage().statusListRevision(listId)).toBeUndefined();
        expect(await storage().statusList(listId, 1)).toBeUndefined();
        await storage().revokeToken(revoked('x', { status: { listId, index: 1 } }));
        expect(await storage().isTokenRevoked('x')).toBe(true);
      },
    );

    it('say which tokens were revoked, and change their revision with each', async () => {
      const { listId } = await reserve('a');
      const before = await storage().statusListRevision(listId);
      expect(await storage().statusList(listId, 1)).toEqual({ revision: before, size: SIZE, revoked: [] });
      await storage().revokeToken(revoked('x', { expiresAtMs: 50, status: { listId, index: 3 } }));
      await storage().revokeToken(revoked('y', { expiresAtMs: 60, status: { listId, index: 5 } }));
      const after = await storage().statusListRevision(listId);
      expect(after).toBeGreaterThan(before ?? Infinity);
      const state = await storage().statusList(listId, 49);
      expect(state?.revision).toBe(after);
      expect(state?.revoked.toSorted(([a], [b]) => a - b)).toEqual([
        [3, 1],
        [5, 1],
      ]);
      expect((await storage().statusList(listId, 50))?.revoked).toEqual([[5, 1]]);
    });

    it('hold all tokens of a revoked service, and of no other', async () => {
      for (const name of ['a', 'b']) await storage().createService(service(name), audit(name));
      const [a1, b, a2] = [await reserve('a'), await reserve('b'), await reserve('a', 4, 200)];
      const other = await reserve('a', SIZE - 10);
      const revisions = async () => [
        await storage().statusListRevision(b.listId),
        await storage().statusListRevision(other.listId),
      ];
      const before = await revisions();
      await storage().revokeService('a', 5, audit());
      for (const [at, revision] of (await revisions()).entries()) {
        expect(revision).toBeGreaterThan(before[at] ?? Infinity);
      }
      const runs = async (nowMs: number) =>
        (await storage().statusList(b.listId, nowMs))?.revoked.toSorted(([x], [y]) => x - y);
      expect(await runs(5)).toEqual([
        [a1.start, 8],
        [a2.start, 4],
      ]);
      expect(await runs(100)).toEqual([[a2.start, 4]]);
    });

    it('hold places that a revoked service was given afterwards', async () => {
      await storage().createService(service('a'), audit());
      const { listId } = await reserve('other');
      await storage().revokeService('a', 5, audit());
      const before = await storage().statusListRevision(listId);
      const late = await reserve('a');
      expect(await storage().statusListRevision(listId)).toBeGreaterThan(before ?? Infinity);
      expect((await storage().statusList(listId, 6))?.revoked).toEqual([[late.start, 8]]);
    });

    it('hold every place of services that are revoked while they are given places', async () => {
      const clients = Array.from({ length: 10 }, (_, at) => `c${at}`);
      for (const name of clients) await storage().createService(service(name), audit(name));
      const { listId } = await reserve('other');
      const before = (await storage().statusListRevision(listId)) ?? 0;
      const blocks = await Promise.all(
        clients.flatMap((name) => [
          reserve(name),
          storage().revokeService(name, 5, audit(name)),
          reserve(name),
        ]),
      );
      const starts = blocks.flatMap((block) => (typeof block === 'object' ? [block.start] : []));
      const state = await storage().statusList(listId, 6);
      expect(state?.revoked.map(([start]) => start).toSorted((x, y) => x - y)).toEqual(
        starts.toSorted((x, y) => x - y),
      );
      expect(state?.revision).toBeGreaterThanOrEqual(before + clients.length);
    });

    it('keep the list that places are taken from, and its revision, when all its places have expired', async () => {
      await storage().createService(service('a'), audit());
      const { listId } = await reserve('a');
      await storage().revokeService('a', 5, audit());
      const revision = await storage().statusListRevision(listId);
      await storage().deleteExpired(100);
      expect(await storage().statusList(listId, 1)).toEqual({ revision, size: SIZE, revoked: [] });
      expect(await reserve('b')).toEqual({ listId, start: 8, count: 8 });
    });
  });
}

function signingKeyContract(storage: StorageOfTest): void {
  describe('signing keys', () => {
    const kids = async () => (await storage().listSigningKeys()).map(({ kid }) => kid);

    it('are added one after the other, or not at all', async () => {
      expect(await storage().addSigningKey(signingKey('a'), 'x', audit('a'))).toBe(false);
      expect(await storage().addSigningKey(signingKey('a'), undefined, audit('a'))).toBe(true);
      expect(await storage().addSigningKey(signingKey('b'), undefined)).toBe(false);
      expect(await storage().addSigningKey(signingKey('b', { activeFromMs: 9 }), 'a')).toBe(true);
      expect(await storage().addSigningKey(signingKey('c'), 'a')).toBe(false);
      expect(await storage().listSigningKeys()).toEqual([
        signingKey('a'),
        signingKey('b', { activeFromMs: 9 }),
      ]);
      expect((await storage().listAudit({ limit: 9 })).length).toBe(1);
    });

    it('follow the newest that is left, as others are deleted', async () => {
      for (const [kid, after] of [
        ['a', undefined],
        ['b', 'a'],
        ['c', 'b'],
      ] as const) {
        // biome-ignore format: a table
        expect(await storage().addSigningKey(signingKey(kid), after)).toBe(true);
      }
      await storage().deleteSigningKey('a');
      await storage().deleteSigningKey('unknown');
      expect(await kids()).toEqual(['b', 'c']);
      expect(await storage().addSigningKey(signingKey('d'), 'c')).toBe(true);
      for (const kid of ['b', 'c', 'd']) await storage().deleteSigningKey(kid);
      expect(await storage().addSigningKey(signingKey('e'), 'd')).toBe(false);
      expect(await storage().addSigningKey(signingKey('e'), undefined)).toBe(true);
    });

    it.each([undefined, 'first'])(
      'after %s there is one, of however many are added at once',
      async (after) => {
        if (after !== undefined) await storage().addSigningKey(signingKey(after), undefined);
        const results = await inParallel(20, (turn) =>
          storage().addSigningKey(signingKey(`k${turn}`), after),
        );
        expect(results.filter(Boolean).length).toBe(1);
        expect((await kids()).at(-1)).toBe(`k${results.indexOf(true)}`);
      },
    );

    it('come to sign for longer, never for less long', async () => {
      await storage().addSigningKey(signingKey('a'), undefined);
      await storage().extendSigningKey('a', 1000);
      await storage().extendSigningKey('a', 950);
      await storage().extendSigningKey('unknown', 950);
      expect(await storage().listSigningKeys()).toEqual([signingKey('a', { tokenSeconds: 1000 })]);
    });
  });
}
