import { afterEach, describe, expect, it, vi } from 'vitest';
import { type ConcurrencyLimit, createConcurrencyLimit } from '../../../src/shared/concurrency-limit.ts';

function start(atOnce: number, mostWaiting: number, longestWaitMs = 1000): ConcurrencyLimit {
  return createConcurrencyLimit({ atOnce, mostWaiting, longestWaitMs, refusal: () => new Error('no room') });
}

afterEach(() => vi.useRealTimers());

describe('createConcurrencyLimit', () => {
  it('runs no more than the bound at once, and what waits in its order', async () => {
    const limit = start(2, 10);
    const begun: number[] = [];
    const ends: (() => void)[] = [];
    const runs = [0, 1, 2, 3].map((job) =>
      limit.run(() => {
        begun.push(job);
        return new Promise<number>((resolve) => ends.push(() => resolve(job)));
      }),
    );
    expect(begun).toEqual([0, 1]);
    ends[1]?.();
    expect(await runs[1]).toBe(1);
    await Promise.resolve();
    expect(begun).toEqual([0, 1, 2]);
    ends[0]?.();
    await runs[0];
    await Promise.resolve();
    expect(begun).toEqual([0, 1, 2, 3]);
    for (const end of ends) end();
    expect(await Promise.all(runs)).toEqual([0, 1, 2, 3]);
  });

  it('refuses at once when nothing more may wait, and takes work again later', async () => {
    const limit = start(1, 1);
    let end: () => void = () => {};
    const first = limit.run(() => new Promise<void>((resolve) => (end = resolve)));
    const second = limit.run(async () => 'second');
    expect(() => limit.run(async () => 'third')).toThrow('no room');
    end();
    await first;
    expect(await second).toBe('second');
    expect(await limit.run(async () => 'fourth')).toBe('fourth');
  });

  it('work that fails gives its place back, as does work that throws at once', async () => {
    const limit = start(1, 5);
    const failures = [
      limit.run(() => Promise.reject(new Error('one'))),
      limit.run(() => {
        throw new Error('two');
      }),
    ];
    const good = limit.run(async () => 'three');
    await expect(failures[0]).rejects.toThrow('one');
    await expect(failures[1]).rejects.toThrow('two');
    expect(await good).toBe('three');
  });

  it('whose turn does not come in time is refused, and never begins', async () => {
    vi.useFakeTimers();
    const limit = start(1, 2, 50);
    let end: () => void = () => {};
    const first = limit.run(() => new Promise<void>((resolve) => (end = resolve)));
    const begun: string[] = [];
    const job = (name: string) => async (): Promise<string> => {
      begun.push(name);
      return name;
    };
    const early = limit.run(job('early'));
    const refused = expect(early).rejects.toThrow('no room');
    await vi.advanceTimersByTimeAsync(49);
    const late = limit.run(job('late'));
    await vi.advanceTimersByTimeAsync(1);
    await refused;
    // Its place among those that wait is free again.
    const third = limit.run(job('third'));
    end();
    await first;
    expect(await Promise.all([late, third])).toEqual(['late', 'third']);
    expect(begun).toEqual(['late', 'third']);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('where requests must not wait for one another', () => {
  const refusal = (): Error => new Error('no room');
  const apart = (atOnce: number, longestWaitMs: number): ConcurrencyLimit =>
    createConcurrencyLimit({ atOnce, mostWaiting: 0, longestWaitMs, refusal }, false);
  const never = (): Promise<never> => new Promise(() => {});

  it('runs no more than the bound at once, and lets each look for its turn by itself', async () => {
    vi.useFakeTimers();
    const limit = apart(1, 50);
    let end: () => void = () => {};
    const first = limit.run(() => new Promise<string>((resolve) => (end = () => resolve('first'))));
    let begun = false;
    const second = limit.run(async () => {
      begun = true;
      return 'second';
    });
    await vi.advanceTimersByTimeAsync(30);
    expect(begun).toBe(false);
    end();
    // What waits is not woken by what has ended: it could not go on in the other's request.
    await first;
    expect(begun).toBe(false);
    await vi.advanceTimersByTimeAsync(10);
    expect(await second).toBe('second');
  });

  it('whose turn does not come in time is refused', async () => {
    vi.useFakeTimers();
    const limit = apart(1, 50);
    void limit.run(never);
    const refused = expect(limit.run(async () => 'second')).rejects.toThrow('no room');
    await vi.advanceTimersByTimeAsync(50);
    await refused;
  });

  it('work that ended unseen, with its request, keeps its place for a while only', async () => {
    vi.useFakeTimers();
    const limit = apart(1, 50);
    void limit.run(never);
    await vi.advanceTimersByTimeAsync(101);
    expect(await limit.run(async () => 'second')).toBe('second');
  });

  it('work that fails gives its place back', async () => {
    const limit = apart(1, 50);
    await expect(limit.run(() => Promise.reject(new Error('one')))).rejects.toThrow('one');
    expect(await limit.run(async () => 'two')).toBe('two');
  });
});
