import { beforeEach, describe, expect, it, vi } from 'vitest';
import { ServiceAuthError } from '../../../src/errors.ts';
import {
  createRemoteDocument,
  type RemoteDocument,
  type RemoteDocumentOptions,
} from '../../../src/shared/remote-document.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const down = new ServiceAuthError('network_failed', 'down');

let time = 0;
let version = 0;
const load = vi.fn<RemoteDocumentOptions<number>['load']>();

/** A document whose randomness is fixed: refresh at 70 % of the fresh time, back-off at its full length. */
function make(options: Partial<RemoteDocumentOptions<number>> = {}): RemoteDocument<number> {
  return createRemoteDocument({ load, now: () => time, random: () => 1, ...options });
}

const works = (freshMs?: number): void =>
  void load.mockImplementation(async () => ({ value: ++version, freshMs }));
const fails = (error: unknown = down): void => void load.mockRejectedValue(error);
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  time = 1_000_000;
  version = 0;
  load.mockReset();
  works();
});

describe('reading', () => {
  it('fetches nothing before it is asked, once for many readers, and is synchronous afterwards', async () => {
    const document = make();
    expect(load).not.toHaveBeenCalled();
    expect(await Promise.all(Array.from({ length: 100 }, () => document.read()))).toEqual(Array(100).fill(1));
    expect(load).toHaveBeenCalledTimes(1);
    expect(document.read()).toBe(1);
  });

  it('refreshes ahead of expiry in the background, and no reader waits', async () => {
    const document = make({ defaultFreshMs: 10 * MINUTE });
    await document.read();
    time += 5.9 * MINUTE;
    expect(document.read()).toBe(1);
    expect(load).toHaveBeenCalledTimes(1);
    time += 0.2 * MINUTE;
    expect(document.read()).toBe(1);
    expect(document.read()).toBe(1);
    expect(load).toHaveBeenCalledTimes(2);
    await settle();
    expect(document.read()).toBe(2);
  });

  it('asks first where the document ran out unnoticed', async () => {
    const document = make();
    await document.read();
    time += HOUR;
    expect(await document.read()).toBe(2);
  });

  it.each([
    ['shorter than allowed', 0, MINUTE],
    ['within bounds', 5 * MINUTE, 5 * MINUTE],
    ['longer than allowed', 100 * HOUR, HOUR],
    ['not said', undefined, 10 * MINUTE],
  ])('a fresh time that is %s', async (_name, freshMs, kept) => {
    works(freshMs);
    const document = make();
    await document.read();
    time += kept - 1;
    expect(document.state().stale).toBe(false);
    time += 1;
    expect(document.state().stale).toBe(true);
  });
});

describe('failures', () => {
  it('threat 25: put nothing off for longer where the clock is set back', async () => {
    const document = make();
    load.mockRejectedValueOnce(down);
    await expect(document.read()).rejects.toThrow();
    time -= HOUR;
    expect(await document.read()).toBe(1);
  });

  it('back off, longer each time, and are shared by all readers', async () => {
    fails();
    const document = make();
    const waits: number[] = [];
    for (let attempt = 1; attempt <= 9; attempt++) {
      const errors = await Promise.all(
        [1, 2, 3].map(async () => document.read()).map((read) => read.catch((e: unknown) => e)),
      );
      expect(errors).toHaveLength(3);
      expect(load).toHaveBeenCalledTimes(attempt);
      const { retryAfterMs = 0 } = errors[0] as ServiceAuthError;
      waits.push(retryAfterMs);
      time += retryAfterMs - 1;
      expect(() => document.read()).toThrow(ServiceAuthError);
      expect(load).toHaveBeenCalledTimes(attempt);
      time += 1;
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60, 60].map((seconds) => seconds * 1000));
  });

  it('wait as long as the other end asks, within a minute', async () => {
    fails(new ServiceAuthError('unexpected_status', 'busy', { status: 429, retryAfterMs: 30_000 }));
    const document = make();
    await expect(document.read()).rejects.toMatchObject({ retryAfterMs: 30_000, status: 429 });
    fails(new ServiceAuthError('unexpected_status', 'busy', { retryAfterMs: 10 * HOUR }));
    time += 30_000;
    await expect(document.read()).rejects.toMatchObject({ retryAfterMs: 60_000 });
  });

  it('never poison for ever', async () => {
    fails();
    const document = make();
    await expect(document.read()).rejects.toThrow();
    works();
    time += MINUTE;
    expect(await document.read()).toBe(1);
    expect(document.state()).toMatchObject({ failures: 0, lastError: undefined });
  });

  it('of any kind become an error of ours that quotes nothing', async () => {
    fails(new TypeError('secret: hunter2'));
    const error = await Promise.resolve(make().read()).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ServiceAuthError);
    expect(String(error)).not.toContain('hunter2');
  });

  it('keep the last good version in use for a day, with one waiting reader in the whole outage', async () => {
    const stale: number[] = [];
    const document = make({ onStale: (ageMs) => stale.push(ageMs) });
    await document.read();
    fails();
    time += 20 * MINUTE;
    expect(await document.read()).toBe(1);
    for (let hour = 1; hour <= 24; hour++) {
      time += HOUR - MINUTE / 2;
      expect(document.read()).toBe(1);
      await settle();
    }
    expect(stale.length).toBe(25);
    time += HOUR;
    await expect(document.read()).rejects.toThrow('down');
  });

  it('are told, with the time of the next attempt', async () => {
    fails();
    const onFailed = vi.fn();
    await expect(make({ onFailed }).read()).rejects.toThrow();
    expect(onFailed).toHaveBeenCalledExactlyOnceWith(down, 1000, 0);
  });
});

describe('refreshing on demand', () => {
  it('is bounded by a cool-down', async () => {
    const document = make({ coolDownMs: 10_000 });
    await document.read();
    expect(await document.refreshUnlessRecent()).toBe(2);
    expect(document.refreshUnlessRecent()).toBeUndefined();
    time += 9999;
    expect(document.refreshUnlessRecent()).toBeUndefined();
    time += 1;
    expect(await document.refreshUnlessRecent()).toBe(3);
  });

  it('counts failures too, and says so while they last', async () => {
    const document = make({ coolDownMs: 10_000 });
    await document.read();
    fails();
    await expect(document.refreshUnlessRecent()).rejects.toThrow();
    expect(() => document.refreshUnlessRecent()).toThrow('down');
    time += 9999;
    expect(() => document.refreshUnlessRecent()).toThrow('down');
    expect(load).toHaveBeenCalledTimes(2);
    works();
    time += 1;
    expect(await document.refreshUnlessRecent()).toBe(2);
  });

  it('joins a fetch that is under way', async () => {
    const document = make();
    const first = document.read();
    expect(await document.refreshUnlessRecent()).toBe(1);
    expect(await first).toBe(1);
    expect(load).toHaveBeenCalledTimes(1);
  });
});
