import { afterEach, describe, expect, it, vi } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { limitHeaders } from '../../../../src/issuer/limits/limit-headers.ts';
import { createLimiter, type Limiter, type LimiterOptions } from '../../../../src/issuer/limits/limiter.ts';

const MINUTE_MS = 60_000;
const START_MS = 1_000_000 * MINUTE_MS;

afterEach(() => {
  vi.useRealTimers();
});

function createTestLimiter(requests: number, options: Partial<LimiterOptions> = {}) {
  let nowMs = START_MS;
  const storage = memoryStorage();
  const failures: unknown[] = [];
  const take = vi.spyOn(storage, 'takeFromLimit');
  const limiter = createLimiter({
    name: 'client',
    policy: { requests, windowSeconds: 60 },
    storage,
    now: () => nowMs,
    onFailure: (error) => failures.push(error),
    ...options,
  });
  const advance = (ms: number): void => {
    nowMs += ms;
  };
  return { limiter, storage, failures, take, advance };
}

/** How many of so many requests, one after the other, are let through. */
async function allowedOf(limiter: Limiter, count: number, key = 'billing'): Promise<number> {
  let allowed = 0;
  for (let at = 0; at < count; at++) if ((await limiter.take(key)).allowed) allowed++;
  return allowed;
}

describe('a limit', () => {
  it.each([1, 7, 32, 33, 100, 6000])('of %d lets exactly so many through in a window', async (requests) => {
    const { limiter, advance } = createTestLimiter(requests);
    expect(await allowedOf(limiter, requests + 50)).toBe(requests);
    advance(MINUTE_MS - 1);
    expect(await allowedOf(limiter, 50)).toBe(0);
    advance(1);
    expect(await allowedOf(limiter, requests + 50)).toBe(requests);
  });

  it.each([1, 7, 100])(
    'of %d with a part that is not counted is as exact at one instance',
    async (requests) => {
      const { limiter } = createTestLimiter(requests, { uncounted: Math.ceil(requests / 32) });
      expect((await limiter.take('billing')).remaining).toBe(requests - 1);
      expect(await allowedOf(limiter, requests + 50)).toBe(requests - 1);
    },
  );

  it('with a part that is not counted a flood of keys writes nothing', async () => {
    const { limiter, take } = createTestLimiter(100, { uncounted: 4 });
    for (let at = 0; at < 1000; at++) expect(await allowedOf(limiter, 3, `${at}`)).toBe(3);
    expect(take).not.toHaveBeenCalled();
    expect(await allowedOf(limiter, 2, '7')).toBe(2);
    expect(take).toHaveBeenCalledOnce();
  });

  it('counts each key for itself', async () => {
    const { limiter } = createTestLimiter(5);
    expect(await allowedOf(limiter, 10, 'billing')).toBe(5);
    expect(await allowedOf(limiter, 10, 'orders')).toBe(5);
  });

  it('is exact for requests that come all at once', async () => {
    const { limiter } = createTestLimiter(100);
    const states = await Promise.all(Array.from({ length: 500 }, () => limiter.take('billing')));
    expect(states.filter(({ allowed }) => allowed)).toHaveLength(100);
  });

  it('is never exceeded by instances that share a storage, and used up by them together', async () => {
    const { limiter: one, storage } = createTestLimiter(1000);
    const others = [1, 2].map(() => createTestLimiter(1000, { storage }).limiter);
    const allowed = await Promise.all([one, ...others].map((limiter) => allowedOf(limiter, 1100)));
    expect(allowed.reduce((sum, count) => sum + count, 0)).toBe(1000);
    expect(Math.min(...allowed)).toBeGreaterThan(250);
  });

  it('of one instance that has all of the traffic is held back by no more than a part elsewhere', async () => {
    const { limiter: one, storage } = createTestLimiter(6000);
    const { limiter: other } = createTestLimiter(6000, { storage });
    await other.take('billing');
    expect(await allowedOf(one, 7000)).toBe(6000 - Math.ceil(6000 / 32));
  });

  it('writes little: 32 times for 6,000 requests, and never for what is refused', async () => {
    const { limiter, take } = createTestLimiter(6000);
    await allowedOf(limiter, 6000);
    expect(take.mock.calls.length).toBeLessThanOrEqual(32);
    await allowedOf(limiter, 1);
    const calls = take.mock.calls.length;
    await allowedOf(limiter, 1000);
    expect(take).toHaveBeenCalledTimes(calls);
  });

  it('says what is left, and when the next window begins', async () => {
    const { limiter, advance } = createTestLimiter(3);
    advance(500);
    expect(await limiter.take('billing')).toMatchObject({ allowed: true, remaining: 2, resetSeconds: 60 });
    advance(58_600);
    expect(await limiter.take('billing')).toMatchObject({ remaining: 1, resetSeconds: 1 });
    await limiter.take('billing');
    expect(await limiter.take('billing')).toMatchObject({ allowed: false, remaining: 0, resetSeconds: 1 });
  });

  it('goes on when the clock is set back', async () => {
    const { limiter, advance } = createTestLimiter(3);
    await allowedOf(limiter, 5);
    advance(-10 * MINUTE_MS);
    expect(await allowedOf(limiter, 5)).toBe(3);
  });
});

describe('threat 24: a flood of keys', () => {
  it('keeps memory bounded and gives nobody a second share', async () => {
    const { limiter } = createTestLimiter(10);
    expect(await allowedOf(limiter, 20, 'attacker')).toBe(10);
    for (let at = 0; at < 60_000; at++) await limiter.take(`flood ${at}`);
    expect(await allowedOf(limiter, 20, 'attacker')).toBe(0);
  });

  it('takes nothing from those that keep asking', async () => {
    const { limiter, take } = createTestLimiter(6000);
    await limiter.take('good');
    for (let at = 0; at < 60_000; at++) {
      await limiter.take(`flood ${at}`);
      if (at % 1000 === 0) await limiter.take('good');
    }
    const ofGood = take.mock.calls.filter(([{ key }]) => key === 'client good');
    expect(ofGood).toHaveLength(1);
  });
});

describe('a storage that', () => {
  it('fails leaves each instance to count alone, and is asked again after a second', async () => {
    const { limiter, storage, failures, take, advance } = createTestLimiter(100);
    take.mockRejectedValue(new Error('no storage'));
    expect(await allowedOf(limiter, 150)).toBe(100);
    expect(await allowedOf(limiter, 150, 'orders')).toBe(100);
    expect(take).toHaveBeenCalledTimes(1);
    expect(failures).toHaveLength(1);
    advance(1000);
    await limiter.take('reports');
    expect(take).toHaveBeenCalledTimes(2);
    expect(failures).toHaveLength(2);
    take.mockRestore();
    advance(1000);
    const { limiter: other } = createTestLimiter(100, { storage, now: () => START_MS });
    expect(await allowedOf(other, 60, 'shared')).toBe(60);
    expect(await allowedOf(limiter, 60, 'shared')).toBe(40);
  });

  it('throws instead of rejecting is no worse', async () => {
    const { limiter, take } = createTestLimiter(2);
    take.mockImplementation(() => {
      throw new TypeError('no storage');
    });
    expect(await allowedOf(limiter, 5)).toBe(2);
  });

  it('never answers holds requests up for a second once, not each of them', async () => {
    vi.useFakeTimers();
    const { limiter, take, failures, advance } = createTestLimiter(100);
    take.mockImplementation(() => new Promise(() => {}));
    const waiting = Promise.all(['a', 'b', 'c'].map((key) => limiter.take(key)));
    await vi.advanceTimersByTimeAsync(1000);
    expect((await waiting).map(({ allowed }) => allowed)).toEqual([true, true, true]);
    expect((await limiter.take('d')).allowed).toBe(true);
    expect(failures).toHaveLength(1);
    advance(1000);
    const probe = limiter.take('e');
    await vi.advanceTimersByTimeAsync(1000);
    expect((await probe).allowed).toBe(true);
  });
});

describe('limitHeaders', () => {
  it('are structured fields, one member for each limit', async () => {
    const { limiter } = createTestLimiter(6000);
    const client = await limiter.take('billing');
    const policy = { requests: 30, windowSeconds: 5 };
    const address = { ...client, name: 'address', policy, remaining: 0, resetSeconds: 4 } as const;
    expect(limitHeaders([client, address])).toEqual({
      'ratelimit-policy': '"client";q=6000;w=60, "address";q=30;w=5',
      ratelimit: '"client";r=5999;t=60, "address";r=0;t=4',
    });
    expect(limitHeaders([])).toEqual({});
  });
});
