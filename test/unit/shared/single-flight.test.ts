import { afterEach, describe, expect, it, vi } from 'vitest';
import { createSingleFlight } from '../../../src/shared/single-flight.ts';

afterEach(() => {
  vi.useRealTimers();
});

describe('where promises may be shared', () => {
  it('all who ask meanwhile get the result of one run', async () => {
    const flight = createSingleFlight<number>(true);
    const work = vi.fn(async () => 7);
    const runs = Promise.all(Array.from({ length: 10 }, () => flight.run(work)));
    expect(flight.isRunning()).toBe(true);
    expect(flight.current()).toBeInstanceOf(Promise);
    expect(await runs).toEqual(Array(10).fill(7));
    expect(work).toHaveBeenCalledTimes(1);
    expect(flight.isRunning()).toBe(false);
    await flight.run(work);
    expect(work).toHaveBeenCalledTimes(2);
  });

  it('a failure is everybody’s, and is not kept', async () => {
    const flight = createSingleFlight<number>(true);
    const work = vi.fn(async () => 7).mockRejectedValueOnce(new Error('no'));
    const runs = await Promise.allSettled([flight.run(work), flight.run(work)]);
    expect(runs.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await flight.run(work)).toBe(7);
  });
});

describe('where they may not', () => {
  it('everybody runs the work, and nobody is given a promise of somebody else’s', async () => {
    const flight = createSingleFlight<number>(false);
    let runs = 0;
    const work = async (): Promise<number> => ++runs;
    expect(await Promise.all([flight.run(work), flight.run(work)])).toEqual([1, 2]);
    expect(flight.current()).toBeUndefined();
    expect(flight.isRunning()).toBe(false);
  });

  it('a run that ended with its request does not keep others from the background for ever', () => {
    vi.useFakeTimers();
    const flight = createSingleFlight<number>(false);
    void flight.run(() => new Promise(() => {}));
    expect(flight.isRunning()).toBe(true);
    vi.setSystemTime(Date.now() + 5000);
    expect(flight.isRunning()).toBe(false);
  });
});
