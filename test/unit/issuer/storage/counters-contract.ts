import { describe, expect, it } from 'vitest';
import { inParallel, type StorageOfTest } from './samples.ts';

export function countersContract(storage: StorageOfTest): void {
  describe('names that may be used once', () => {
    it.each(['jti', '__proto__', 'a\0b', 'é😀"\'', '', 'x'.repeat(20_000), 'half \ud83d'])(
      'are used once: %j',
      async (name) => {
        expect(await storage().useOnce(name, 10)).toBe(true);
        expect(await storage().useOnce(name, 10)).toBe(false);
        expect(await storage().useOnce(`${name}.`, 10)).toBe(true);
      },
    );

    it('are told apart where databases could not', async () => {
      for (const name of ['a', 'a\0', 'a\0b', 'a\ufffd', 'a\ud800', 'a\ud801', 'A']) {
        expect(await storage().useOnce(name, 10)).toBe(true);
      }
    });

    it('are used by one of a hundred at once', async () => {
      const results = await inParallel(100, () => storage().useOnce('name', 10));
      expect(results.filter(Boolean).length).toBe(1);
    });

    it('count until they are cleared away, even if they have expired', async () => {
      await storage().useOnce('early', 10);
      await storage().useOnce('late', 11);
      await storage().deleteExpired(10);
      expect(await storage().useOnce('late', 20)).toBe(false);
      expect(await storage().useOnce('early', 20)).toBe(true);
    });

    it('are cleared away however many there are', async () => {
      await inParallel(1201, (turn) => storage().useOnce(`n${turn}`, 10));
      await storage().deleteExpired(10);
      const again = await inParallel(1201, (turn) => storage().useOnce(`n${turn}`, 20));
      expect(again.every(Boolean)).toBe(true);
    });
  });

  describe('limits', () => {
    const take = (amount: number, key = 'k', windowEndsAtMs = 1000, limit = 10): Promise<number> =>
      storage().takeFromLimit({ key, windowEndsAtMs, limit, amount });

    it('give what is asked for, then what is left, then nothing', async () => {
      expect([await take(4), await take(4), await take(4), await take(4)]).toEqual([4, 4, 2, 0]);
    });

    it('give no more than there is to one that asks first', async () => {
      expect([await take(25), await take(1)]).toEqual([10, 0]);
      expect(await take(5, 'none', 1000, 0)).toBe(0);
    });

    it('count each key and each window for itself', async () => {
      expect([await take(10), await take(10, '__proto__'), await take(10, 'k', 2000)]).toEqual([10, 10, 10]);
      expect([await take(1), await take(1, '__proto__'), await take(1, 'k', 2000)]).toEqual([0, 0, 0]);
    });

    it('may be changed within a window', async () => {
      await take(8);
      expect(await take(1, 'k', 1000, 5)).toBe(0);
      expect(await take(10, 'k', 1000, 12)).toBe(4);
    });

    it.each([1, 3])('never give more than all to those that take %d at once', async (amount) => {
      const given = await inParallel(100, () => take(amount, 'k', 1000, 50));
      expect(given.reduce((sum, part) => sum + part)).toBe(50);
      expect(given.every((part) => part >= 0 && part <= amount)).toBe(true);
    });

    it('end with their window', async () => {
      await take(10);
      await storage().deleteExpired(999);
      expect(await take(10)).toBe(0);
      await storage().deleteExpired(1000);
      expect(await take(10)).toBe(10);
    });
  });
}
