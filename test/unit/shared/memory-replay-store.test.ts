import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import {
  createMemoryReplayStore,
  type MemoryReplayStoreOptions,
} from '../../../src/shared/memory-replay-store.ts';

const start = 1_800_000_000_000;

function createStore(options: MemoryReplayStoreOptions = {}) {
  let time = start;
  let elapsed = 0;
  const store = createMemoryReplayStore({ now: () => time, monotonicNow: () => elapsed, ...options });
  return {
    advance(ms: number): void {
      time += ms;
      elapsed += ms;
    },
    /** Sets the clock, while no time passes. */
    jump(ms: number): void {
      time += ms;
    },
    store,
    record: (jkt: string, jti: string, liveMs = 65_000) =>
      store.record({ jkt, jti, expiresAt: time + liveMs }),
  };
}

describe('createMemoryReplayStore', () => {
  it('records a proof once', () => {
    const { record } = createStore();
    expect(record('key', 'a')).toBe('recorded');
    expect(record('key', 'a')).toBe('replayed');
    expect(record('key', 'b')).toBe('recorded');
    expect(record('key', 'a')).toBe('replayed');
  });

  it('keeps keys apart, however their names and proofs are put together', () => {
    const { record } = createStore();
    const pairs = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['a.b', 'c'],
      ['a', 'b.c'],
      ['a:b', 'c'],
      ['a', 'b:c'],
      ['a\0b', 'c'],
      ['a', 'b\0c'],
      ['__proto__', 'c'],
      ['constructor', '__proto__'],
    ] as const;
    for (const [jkt, jti] of pairs) expect(record(jkt, jti)).toBe('recorded');
    for (const [jkt, jti] of pairs) expect(record(jkt, jti)).toBe('replayed');
  });

  it('remembers a proof until it expires, through every change of generations', () => {
    const { record, advance } = createStore();
    expect(record('key', 'long', 600_000)).toBe('recorded');
    for (let second = 0; second < 599; second++) {
      expect(record('other', `${second}`, 1000)).toBe('recorded');
      advance(1000);
      expect(record('key', 'long', 600_000)).toBe('replayed');
    }
  });

  it('refuses when it is full, and forgets nothing for it', () => {
    const { record, advance } = createStore({ maxProofs: 3 });
    for (const jti of ['a', 'b', 'c']) expect(record('key', jti)).toBe('recorded');
    expect(record('key', 'd')).toBe('full');
    expect(record('other', 'd')).toBe('full');
    for (const jti of ['a', 'b', 'c']) expect(record('key', jti)).toBe('replayed');
    advance(200_000);
    expect(record('key', 'd')).toBe('recorded');
  });

  it('gives one key no more than its share', () => {
    const { record } = createStore({ maxProofs: 100, maxProofsPerKey: 2 });
    expect(record('greedy', 'a')).toBe('recorded');
    expect(record('greedy', 'b')).toBe('recorded');
    expect(record('greedy', 'c')).toBe('full');
    expect(record('greedy', 'a')).toBe('replayed');
    expect(record('modest', 'c')).toBe('recorded');
  });

  it('counts a key through every second', () => {
    const { record, advance } = createStore({ maxProofsPerKey: 2 });
    record('key', 'a');
    advance(10_000);
    record('key', 'b');
    expect(record('key', 'c')).toBe('full');
  });

  it('has room again for as many proofs once all are dead', () => {
    const { record, advance } = createStore({ maxProofs: 10 });
    for (let round = 0; round < 5; round++) {
      for (let count = 0; count < 10; count++) expect(record('key', `${round}-${count}`)).toBe('recorded');
      expect(record('key', 'more')).toBe('full');
      advance(200_000);
    }
  });

  describe('a clock that is set', () => {
    it('forward for a moment and back forgets nothing, whatever is recorded meanwhile', () => {
      const { store, record, advance, jump } = createStore();
      const proof = { jkt: 'key', jti: 'a', expiresAt: start + 65_000 };
      expect(store.record(proof)).toBe('recorded');
      jump(3_600_000);
      for (let count = 0; count < 10; count++) {
        expect(record('key', `ahead ${count}`)).toBe('recorded');
        advance(1000);
      }
      jump(-3_600_000);
      expect(store.record(proof)).toBe('replayed');
      advance(54_000);
      expect(store.record(proof)).toBe('replayed');
    });

    it('back, by an hour and for good, forgets nothing either', () => {
      const { store, record, advance, jump } = createStore();
      const proof = { jkt: 'key', jti: 'a', expiresAt: start + 65_000 };
      expect(store.record(proof)).toBe('recorded');
      jump(-3_600_000);
      for (let minute = 0; minute < 60; minute++) {
        expect(store.record(proof)).toBe('replayed');
        advance(60_000);
        expect(record('key', `${minute}`)).toBe('recorded');
      }
      expect(store.record(proof)).toBe('replayed');
    });

    it('does not keep entries for longer than they live, once it is right again', () => {
      const { record, advance, jump } = createStore({ maxProofs: 2 });
      record('key', 'a');
      jump(3_600_000);
      record('key', 'b');
      expect(record('key', 'c')).toBe('full');
      advance(70_000);
      expect(record('key', 'c')).toBe('recorded');
      expect(record('key', 'd')).toBe('recorded');
      expect(record('key', 'e')).toBe('full');
    });
  });

  it('has room for all that one key can prove alive: what is dead does not count', () => {
    const { record, advance } = createStore({ maxProofsPerKey: 6700 });
    const answers = new Set<unknown>();
    for (let step = 0; step < 40_000; step++) {
      advance(10);
      answers.add(record('busy', `${step}`));
    }
    // 6500 of them are alive at any time, and 6600 where the last second counts whole.
    expect(answers).toEqual(new Set(['recorded']));
  });

  it('has room at once after an hour without proofs, however full it was', () => {
    const { record, advance } = createStore({ maxProofs: 1000 });
    for (let count = 0; count < 1000; count++) record(`key ${count % 7}`, `${count}`);
    expect(record('key 0', 'more')).toBe('full');
    advance(3_600_000);
    for (let count = 0; count < 1000; count++) expect(record('one', `${count}`)).toBe('recorded');
    expect(record('one', 'more')).toBe('full');
  });

  it('lets only what is dead go to make room, one key beside another', () => {
    const { record, advance } = createStore({ maxProofs: 4 });
    expect([record('a', '1', 10_000), record('b', '1'), record('a', '2', 10_000), record('b', '2')]).toEqual(
      Array(4).fill('recorded'),
    );
    expect(record('c', '1')).toBe('full');
    advance(10_000);
    expect([record('c', '1'), record('c', '2'), record('c', '3')]).toEqual(['recorded', 'recorded', 'full']);
    expect([record('b', '1'), record('b', '2')]).toEqual(['replayed', 'replayed']);
  });

  describe('a long jti', () => {
    const long = (end: string): string => `${'\u20ac'.repeat(239)}${end}`;

    it('is known again, and told from others that differ in their last character alone', async () => {
      const { record } = createStore();
      const answers = [record('key', long('a')), record('key', long('a')), record('key', long('b'))];
      expect(await Promise.all(answers)).toEqual(['recorded', 'replayed', 'recorded']);
      expect(await record('other', long('a'))).toBe('recorded');
    });

    it('takes little more memory than a short one', () => {
      const { record } = createStore();
      const before = heapBytes();
      const count = 20_000;
      for (let at = 0; at < count; at++) record('key', long(`${at}`.padStart(17, '0')));
      expect((heapBytes() - before) / count).toBeLessThan(256);
      expect(record('key', long('0'.padStart(17, '0')))).toBe('replayed');
    });
  });

  it('goes by the clock of the runtime that is never set, where none is given', () => {
    vi.useFakeTimers({ now: start });
    const store = createMemoryReplayStore();
    const proof = { jkt: 'key', jti: 'a', expiresAt: start + 65_000 };
    expect(store.record(proof)).toBe('recorded');
    vi.setSystemTime(start + 3_600_000);
    expect(store.record({ ...proof, jti: 'b' })).toBe('recorded');
    vi.setSystemTime(start);
    expect(store.record(proof)).toBe('replayed');
    vi.advanceTimersByTime(66_000);
    expect(store.record(proof)).toBe('recorded');
    vi.useRealTimers();
  });

  it('answers as a store that keeps everything would, for proofs that are alive', () => {
    const steps = fc.array(
      fc.record({
        jkt: fc.constantFrom('a', 'b', 'c'),
        jti: fc.constantFrom('1', '2', '3', '4', '5'),
        liveMs: fc.integer({ min: 1, max: 100_000 }),
        afterMs: fc.integer({ min: 0, max: 50_000 }),
        /** How far ahead the clock is for one proof that comes meanwhile. */
        aheadMs: fc.constantFrom(0, 0, 10_000, 3_600_000),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const { record, advance, jump } = createStore();
        const deadAt = new Map<string, number>();
        let time = 0;
        for (const { jkt, jti, liveMs, afterMs, aheadMs } of list) {
          advance(afterMs);
          time += afterMs;
          jump(aheadMs);
          if (aheadMs > 0) record('ahead', `${time}`);
          jump(-aheadMs);
          const name = JSON.stringify([jkt, jti]);
          const answer = record(jkt, jti, liveMs);
          if ((deadAt.get(name) ?? 0) > time) expect(answer).toBe('replayed');
          if (!deadAt.has(name)) expect(answer).toBe('recorded');
          if (answer === 'recorded') deadAt.set(name, time + liveMs);
        }
      }),
      { numRuns: 500 },
    );
  });

  it.each<[string, object, string]>([
    ['no proofs', { maxProofs: 0 }, 'maxProofs'],
    ['a number in a string', { maxProofs: '100' }, 'maxProofs'],
    ['NaN', { maxProofsPerKey: Number.NaN }, 'maxProofsPerKey'],
    ['a clock that is none', { now: 5 }, 'now'],
    ['a second clock that is none', { monotonicNow: 5 }, 'monotonicNow'],
    ['an unknown option', { maxProof: 5 }, 'maxProofs'],
  ])('refuses %s', (_name, options, named) => {
    expect(() => createMemoryReplayStore(options)).toThrow(TypeError);
    expect(() => createMemoryReplayStore(options)).toThrow(named);
  });
});

function heapBytes(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}
