import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createMemoryReplayStore,
  type MemoryReplayStoreOptions,
} from '../../../src/shared/memory-replay-store.ts';

const start = 1_800_000_000_000;

function createStore(options: MemoryReplayStoreOptions = {}) {
  let time = start;
  const store = createMemoryReplayStore({ now: () => time, ...options });
  return {
    advance(ms: number): void {
      time += ms;
    },
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

  it('counts a key in both generations', () => {
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

  it('answers as a store that keeps everything would, for proofs that are alive', () => {
    const steps = fc.array(
      fc.record({
        jkt: fc.constantFrom('a', 'b', 'c'),
        jti: fc.constantFrom('1', '2', '3', '4', '5'),
        liveMs: fc.integer({ min: 1, max: 100_000 }),
        afterMs: fc.integer({ min: 0, max: 50_000 }),
      }),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(steps, (list) => {
        const { record, advance } = createStore();
        const deadAt = new Map<string, number>();
        let time = 0;
        for (const { jkt, jti, liveMs, afterMs } of list) {
          advance(afterMs);
          time += afterMs;
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
    ['an unknown option', { maxProof: 5 }, 'maxProofs'],
  ])('refuses %s', (_name, options, named) => {
    expect(() => createMemoryReplayStore(options)).toThrow(TypeError);
    expect(() => createMemoryReplayStore(options)).toThrow(named);
  });
});
