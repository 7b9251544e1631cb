import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  type AccessToken,
  type AccessTokenFields,
  ReceivedToken,
} from '../../../src/outbound/access-token.ts';
import {
  createSharedTokens,
  type SharedTokens,
  type SharedTokensOptions,
} from '../../../src/outbound/shared-tokens.ts';
import { createMemoryTokenStore } from '../../../src/shared/memory-token-store.ts';
import { createSealedText } from '../../../src/shared/sealed-text.ts';
import type { TokenStore } from '../../../src/shared/stores.ts';
import { createClock, createDeferred, mistake, rejection, secretCanary, tokenCanary } from './support.ts';

const MINUTE = 60_000;
const TIMEOUT_MS = 10_000;
const storeKey = `${secretCanary}-of-thirty-two-bytes-or-more`;
const anyToken = (): boolean => true;
const neverAsked = (): Promise<never> => Promise.reject(new Error('nobody should have asked'));

/** A memory store that records what it is given and shows what it holds. */
function watchedStore(now: () => number) {
  const memory = createMemoryTokenStore({ now });
  const entries = new Map<string, { text: string; expiresAt: number }>();
  const calls: string[] = [];
  const leases: number[] = [];
  const store: TokenStore = {
    get(key) {
      calls.push('get');
      return memory.get(key);
    },
    set(key, text, expiresAt) {
      calls.push('set');
      entries.set(key, { text, expiresAt });
      return memory.set(key, text, expiresAt);
    },
    delete(key) {
      calls.push('delete');
      entries.delete(key);
      return memory.delete(key);
    },
    async lease(key, lastsMs) {
      const end = await memory.lease(key, lastsMs);
      calls.push(end === undefined ? 'no lease' : 'lease');
      leases.push(lastsMs);
      return (
        end &&
        (() => {
          calls.push('end');
          return end();
        })
      );
    },
  };
  return { store, memory, entries, calls, leases };
}

function createBench(options: Partial<SharedTokensOptions> = {}) {
  const clock = createClock();
  const watched = watchedStore(clock.now);
  const failures: string[] = [];
  const tokenFor = (name: string, lifetimeMs = 10 * MINUTE): AccessToken =>
    new ReceivedToken({
      accessToken: name,
      tokenType: 'Bearer',
      expiresAt: clock.now() + lifetimeMs,
      scope: undefined,
    });
  return {
    clock,
    ...watched,
    failures,
    tokenFor,
    instance: (own: Partial<SharedTokensOptions> = {}): SharedTokens =>
      createSharedTokens({
        store: watched.store,
        storeKey,
        now: clock.now,
        timeoutMs: TIMEOUT_MS,
        random: () => 0,
        sleep: async (ms) => clock.advance(ms),
        onFailed: (what) => failures.push(what),
        ...options,
        ...own,
      }),
  };
}

/** Gives a text under the only entry's name, as whoever has the key could. */
async function sealAs(name: string, text: string): Promise<string> {
  const secret = new TextEncoder().encode(storeKey);
  return createSealedText({ secret, purpose: 'shared tokens' }).seal(name, text);
}

/**
 * Time that goes on only when everybody who is still at work is asleep, and then to the first who wakes: the run of
 * a whole fleet, without a moment of real waiting.
 */
function createFleetTime(parties: number, start = 1_800_000_000_000) {
  let time = start;
  let working = parties;
  const sleepers: { readonly at: number; readonly wake: () => void }[] = [];
  function turn(): void {
    if (working > 0) return;
    sleepers.sort((a, b) => a.at - b.at);
    const next = sleepers.shift();
    if (next === undefined) return;
    time = Math.max(time, next.at);
    working++;
    next.wake();
  }
  return {
    now: () => time,
    elapsed: () => time - start,
    sleep: (ms: number): Promise<void> =>
      new Promise((wake) => {
        sleepers.push({ at: time + ms, wake });
        working--;
        turn();
      }),
    /** One of the parties has no more to do. */
    leave(): void {
      working--;
      turn();
    },
  };
}

/**
 * Instances that want the same token at the same time; `request` has the count of the requests before it. As many
 * as are `lost` never come to an end.
 */
async function runFleet(
  size: number,
  request: (before: number, time: ReturnType<typeof createFleetTime>) => Promise<AccessTokenFields>,
  lost = 0,
) {
  const time = createFleetTime(size);
  const { store, calls, leases } = watchedStore(time.now);
  const failures: string[] = [];
  let requests = 0;
  let random = 0;
  const results: PromiseSettledResult<AccessTokenFields>[] = [];
  const done = createDeferred();
  const settle = (result: PromiseSettledResult<AccessTokenFields>): void => {
    results.push(result);
    time.leave();
    if (results.length === size - lost) done.resolve();
  };
  for (let count = 0; count < size; count++) {
    createSharedTokens({
      store,
      storeKey,
      timeoutMs: TIMEOUT_MS,
      now: time.now,
      sleep: time.sleep,
      random: () => (random = (random + 0.618) % 1),
      onFailed: (what) => failures.push(what),
    })
      .obtain('key', anyToken, () => request(requests++, time))
      .then(
        (value) => settle({ status: 'fulfilled', value }),
        (reason) => settle({ status: 'rejected', reason }),
      );
  }
  return { time, results, done: done.promise, calls, leases, failures, requests: () => requests };
}

const fleetToken = (name: string, now: number): AccessTokenFields => ({
  accessToken: name,
  tokenType: 'Bearer',
  expiresAt: now + 10 * MINUTE,
  scope: 'orders:read',
});

describe('a fleet over one store', () => {
  it('100 instances make one request, and all have its token', async () => {
    const fleet = await runFleet(100, async (before, time) => {
      await time.sleep(300);
      return fleetToken(`token-${before}`, time.now());
    });
    await fleet.done;
    expect(fleet.requests()).toBe(1);
    const tokens = fleet.results.map((result) => result.status === 'fulfilled' && result.value.accessToken);
    expect(tokens).toEqual(Array(100).fill('token-0'));
    expect(fleet.time.elapsed()).toBeLessThanOrEqual(300 + 400);
    expect(fleet.calls.filter((call) => call === 'lease' || call === 'end')).toEqual(['lease', 'end']);
    expect(fleet.failures).toEqual([]);
  });

  it('those who find it there ask nobody', async () => {
    const { instance, tokenFor, calls } = createBench();
    await instance().obtain('key', anyToken, async () => tokenFor('shared'));
    calls.length = 0;
    for (let count = 0; count < 10; count++) {
      expect(await instance().obtain('key', anyToken, neverAsked)).toMatchObject({ accessToken: 'shared' });
    }
    expect(calls).toEqual(Array(10).fill('get'));
  });

  it('when the holder fails, one after the other asks, never two at once', async () => {
    let atOnce = 0;
    let most = 0;
    const fleet = await runFleet(50, async (before, time) => {
      most = Math.max(most, ++atOnce);
      await time.sleep(100);
      atOnce--;
      if (before < 3) throw new Error(`failure ${before}`);
      return fleetToken('fourth', time.now());
    });
    await fleet.done;
    expect(most).toBe(1);
    expect(fleet.requests()).toBe(4);
    const reasons = fleet.results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(reasons.map(String).sort()).toEqual([0, 1, 2].map((count) => `Error: failure ${count}`));
    expect(fleet.results.filter(({ status }) => status === 'fulfilled')).toHaveLength(47);
  });

  it('when the holder is never heard of again, one takes its place in half of the time', async () => {
    const holderDies = (before: number, time: ReturnType<typeof createFleetTime>) => {
      if (before > 0) return Promise.resolve(fleetToken('second', time.now()));
      time.leave();
      return new Promise<never>(() => {});
    };
    const fleet = await runFleet(50, holderDies, 1);
    await fleet.done;
    expect(fleet.requests()).toBe(2);
    expect(fleet.results.every(({ status }) => status === 'fulfilled')).toBe(true);
    expect(fleet.time.elapsed()).toBeGreaterThanOrEqual(TIMEOUT_MS / 2);
    expect(fleet.time.elapsed()).toBeLessThanOrEqual(TIMEOUT_MS / 2 + 400);
    expect(new Set(fleet.leases)).toEqual(new Set([TIMEOUT_MS / 2]));
  });
});

describe('waiting for another instance', () => {
  function held(options: Partial<SharedTokensOptions> = {}) {
    const bench = createBench(options);
    const pauses: number[] = [];
    const store: TokenStore = { ...bench.store, lease: () => undefined };
    const sleep = async (ms: number): Promise<void> => {
      pauses.push(ms);
      bench.clock.advance(ms);
    };
    return { ...bench, pauses, waiting: bench.instance({ store, sleep }) };
  }

  it.each([
    ['without jitter', 0, [50, 100, 200, 200]],
    ['with half of it', 0.5, [75, 150, 300, 300]],
    ['with all of it', 1, [100, 200, 400, 400]],
  ])('pauses grow from 50 ms to at most 400 ms: %s', async (_what, random, first) => {
    const { waiting, pauses, tokenFor } = held({ random: () => random });
    await waiting.obtain('key', anyToken, async () => tokenFor('own'));
    expect(pauses.slice(0, 4)).toEqual(first);
  });

  it('ends after the timeout to the millisecond; then the token is requested without a lease, and shared', async () => {
    const { waiting, pauses, instance, tokenFor, failures } = held({ random: () => 0.37 });
    expect(await waiting.obtain('key', anyToken, async () => tokenFor('own'))).toMatchObject({
      accessToken: 'own',
    });
    expect(pauses.reduce((sum, ms) => sum + ms, 0)).toBe(TIMEOUT_MS);
    expect(await instance().obtain('key', anyToken, neverAsked)).toMatchObject({ accessToken: 'own' });
    expect(failures).toEqual([]);
  });

  it('counts the time that the store takes', async () => {
    const { clock, store, instance, tokenFor } = createBench();
    let looks = 0;
    const slow: TokenStore = {
      ...store,
      get() {
        looks++;
        clock.advance(TIMEOUT_MS / 2);
        return undefined;
      },
      lease: () => undefined,
    };
    await instance({ store: slow }).obtain('key', anyToken, async () => tokenFor('own'));
    expect(looks).toBe(2);
  });

  it('ends also when the clock is set back meanwhile', async () => {
    const { clock, store, instance, tokenFor } = createBench();
    let sleeps = 0;
    const sleep = async (): Promise<void> => {
      sleeps++;
      clock.advance(-MINUTE);
    };
    const busy: TokenStore = { ...store, lease: () => undefined };
    await instance({ store: busy, sleep }).obtain('key', anyToken, async () => tokenFor('own'));
    // 50, 100, 49 times 200, and the 50 that are left.
    expect(sleeps).toBe(52);
  });

  it('a sleep that rejects ends the call', async () => {
    const closed = new Error('closed');
    const { store, instance } = createBench();
    const busy: TokenStore = { ...store, lease: () => undefined };
    const stopped = instance({ store: busy, sleep: () => Promise.reject(closed) });
    expect(await rejection(stopped.obtain('key', anyToken, neverAsked))).toBe(closed);
  });

  it('takes the token that came between the look and the lease', async () => {
    const { store, instance, tokenFor, calls } = createBench();
    const late: TokenStore = {
      ...store,
      async lease(key, lastsMs) {
        await instance().obtain('key', anyToken, async () => tokenFor('just now'));
        return store.lease(key, lastsMs);
      },
    };
    const token = await instance({ store: late }).obtain('key', anyToken, neverAsked);
    expect(token).toMatchObject({ accessToken: 'just now' });
    expect(calls.slice(-3)).toEqual(['lease', 'get', 'end']);
  });
});

describe('which token is taken', () => {
  it('one that is not good enough is replaced', async () => {
    const { instance, tokenFor } = createBench();
    await instance().obtain('key', anyToken, async () => tokenFor('failed'));
    const isGood = ({ accessToken }: AccessTokenFields): boolean => accessToken !== 'failed';
    const other = await instance().obtain('key', isGood, async () => tokenFor('better'));
    expect(other).toMatchObject({ accessToken: 'better' });
    expect(await instance().obtain('key', anyToken, neverAsked)).toMatchObject({ accessToken: 'better' });
  });

  it.each([
    [1000, true],
    [999.9, false],
    [0, false],
    [-1000, false],
    [Number.NaN, false],
  ])('with %d ms left it is handed on: %s', async (leftMs, handedOn) => {
    const { instance, tokenFor, entries, calls } = createBench();
    const own = await instance().obtain('key', anyToken, async () => tokenFor('short', leftMs));
    expect(own).toMatchObject({ accessToken: 'short' });
    expect(entries.size).toBe(handedOn ? 1 : 0);
    expect(calls.at(-1)).toBe('end');
    const seen: string[] = [];
    const next = await instance().obtain(
      'key',
      ({ accessToken }) => seen.push(accessToken) > 0,
      async () => tokenFor('long'),
    );
    expect(next).toMatchObject({ accessToken: handedOn ? 'short' : 'long' });
    expect(seen).toEqual(handedOn ? ['short'] : []);
  });

  it.each([
    [1000, 'shared'],
    [999, 'own'],
    [-1000, 'own'],
  ])('with %i ms left in a store that forgets late, it is the %s one', async (leftMs, expected) => {
    const { instance, tokenFor, entries, clock, store } = createBench();
    await instance().obtain('key', anyToken, async () => tokenFor('shared'));
    const [entry] = entries.values();
    clock.advance(10 * MINUTE - leftMs);
    const late: TokenStore = { ...store, get: () => entry?.text };
    const token = await instance({ store: late }).obtain('key', anyToken, async () => tokenFor('own'));
    expect(token).toMatchObject({ accessToken: expected });
  });

  it('tokens come as they went, of both types, with and without scope', async () => {
    const fields = fc.record({
      accessToken: fc.stringMatching(/^[!-~]{1,80}$/),
      tokenType: fc.constantFrom('Bearer' as const, 'DPoP' as const),
      scope: fc.option(fc.string({ unit: 'binary' }), { nil: undefined }),
      lifetimeMs: fc.integer({ min: 1000, max: 365 * 24 * 60 * MINUTE }),
    });
    await fc.assert(
      fc.asyncProperty(fields, async ({ lifetimeMs, ...rest }) => {
        const { instance, clock } = createBench();
        const token = { ...rest, expiresAt: clock.now() + lifetimeMs };
        await instance().obtain('key', anyToken, async () => token);
        const { accessToken, tokenType, expiresAt, scope } = await instance().obtain(
          'key',
          anyToken,
          neverAsked,
        );
        expect({ accessToken, tokenType, expiresAt, scope }).toEqual(token);
      }),
    );
  });

  it('threat 12: a polluted prototype gives no scope', async () => {
    const { instance, tokenFor } = createBench();
    await instance().obtain('key', anyToken, async () => tokenFor('shared'));
    Object.defineProperty(Object.prototype, 'scope', { value: 'admin', configurable: true });
    try {
      const { scope } = await instance().obtain('key', anyToken, neverAsked);
      expect(scope).toBeUndefined();
    } finally {
      Reflect.deleteProperty(Object.prototype, 'scope');
    }
  });

  it('expiry goes to the store in whole milliseconds', async () => {
    const { instance, tokenFor, entries, clock } = createBench();
    await instance().obtain('key', anyToken, async () => tokenFor('shared', 5000.75));
    expect([...entries.values()].map(({ expiresAt }) => expiresAt)).toEqual([clock.now() + 5000]);
  });

  it('threat 17: tokens of different keys never meet', async () => {
    const { instance, tokenFor, entries } = createBench();
    const keys = ['a', 'b', 'ab', '', '__proto__', '["a","b"]', 'a\0b'];
    for (const key of keys)
      await instance().obtain(key, anyToken, async () => tokenFor(`token of ${key}`.replaceAll(' ', '-')));
    expect(entries.size).toBe(keys.length);
    for (const key of keys) {
      const { accessToken } = await instance().obtain(key, anyToken, neverAsked);
      expect(accessToken).toBe(`token-of-${key}`);
    }
  });

  it('what isGood throws reaches the caller, and the lease is ended', async () => {
    const { instance, tokenFor, store, calls } = createBench();
    await instance().obtain('key', anyToken, async () => tokenFor('shared'));
    const fault = new Error('a fault of the program');
    let looks = 0;
    const isGood = (): boolean => {
      if (++looks > 1) throw fault;
      return false;
    };
    expect(await rejection(instance({ store }).obtain('key', isGood, neverAsked))).toBe(fault);
    expect(calls.at(-1)).toBe('end');
  });
});

describe('what the store sees', () => {
  const key = JSON.stringify(['https://idp.example', 'billing', ['orders:read']]);

  it('neither token nor key, but a hash of the one and a cipher of the other', async () => {
    const { instance, tokenFor, entries } = createBench();
    await instance().obtain(key, anyToken, async () => tokenFor(tokenCanary));
    const [[name = '', entry] = []] = entries;
    expect(name).toMatch(/^token:[\w-]{43}$/);
    expect(entry?.text).toMatch(/^v1\.[\w-]+$/);
    const plain = Buffer.from((entry?.text ?? '').slice(3), 'base64url').toString('latin1');
    for (const text of [name, entry?.text, plain]) {
      expect(text).not.toContain(tokenCanary);
      expect(text).not.toContain('billing');
      expect(text).not.toContain('Bearer');
    }
  });

  it('instances with another key see nothing of each other', async () => {
    const { instance, tokenFor, entries, failures } = createBench();
    await instance().obtain(key, anyToken, async () => tokenFor('ours'));
    const stranger = instance({ storeKey: new Uint8Array(32).fill(1) });
    const token = await stranger.obtain(key, anyToken, async () => tokenFor('theirs'));
    expect(token).toMatchObject({ accessToken: 'theirs' });
    expect(entries.size).toBe(2);
    expect(failures).toEqual([]);
    expect(await instance().obtain(key, anyToken, neverAsked)).toMatchObject({ accessToken: 'ours' });
  });

  it('a key as text and as the bytes of its UTF-8 is the same key, and later changes of the bytes do nothing', async () => {
    const { instance, tokenFor } = createBench();
    const bytes = new TextEncoder().encode(storeKey);
    const byBytes = instance({ storeKey: bytes });
    bytes.fill(0);
    await instance().obtain(key, anyToken, async () => tokenFor('shared'));
    expect(await byBytes.obtain(key, anyToken, neverAsked)).toMatchObject({ accessToken: 'shared' });
  });

  it('threat 17: entries that were swapped do not open', async () => {
    const { instance, tokenFor, entries, memory, failures } = createBench();
    await instance().obtain('a', anyToken, async () => tokenFor('token-a'));
    await instance().obtain('b', anyToken, async () => tokenFor('token-b'));
    const [[nameA, entryA], [nameB, entryB]] = [...entries] as [
      [string, { text: string; expiresAt: number }],
      [string, { text: string; expiresAt: number }],
    ];
    memory.set(nameA, entryB.text, entryB.expiresAt);
    memory.set(nameB, entryA.text, entryA.expiresAt);
    const token = await instance().obtain('a', anyToken, async () => tokenFor('new-a'));
    expect(token).toMatchObject({ accessToken: 'new-a' });
    // Looked at once before the lease and once under it.
    expect(failures).toEqual(['open', 'open']);
    expect(await instance().obtain('a', anyToken, neverAsked)).toMatchObject({ accessToken: 'new-a' });
  });

  it('an entry with any bit flipped is a miss, and is replaced', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), async (bit) => {
        const { instance, tokenFor, entries, memory, failures, clock } = createBench();
        await instance().obtain(key, anyToken, async () => tokenFor('original'));
        const [[name = '', entry] = []] = entries;
        const bytes = Buffer.from((entry?.text ?? '').slice(3), 'base64url');
        const at = bit % (bytes.length * 8);
        bytes[at >> 3] = (bytes[at >> 3] ?? 0) ^ (1 << (at & 7));
        memory.set(name, `v1.${bytes.toString('base64url')}`, clock.now() + MINUTE);
        const token = await instance().obtain(key, anyToken, async () => tokenFor('replaced'));
        expect(token).toMatchObject({ accessToken: 'replaced' });
        expect(failures).toEqual(['open', 'open']);
        expect(await instance().obtain(key, anyToken, neverAsked)).toMatchObject({ accessToken: 'replaced' });
      }),
    );
  });

  const good = { accessToken: 'sealed', tokenType: 'Bearer', expiresAt: 4_000_000_000_000 };

  it.each<[string, unknown]>([
    ['no JSON', 'nothing'],
    ['null', null],
    ['a list', [good]],
    ['no token', { ...good, accessToken: undefined }],
    ['a token that is no text', { ...good, accessToken: 7 }],
    ['another type', { ...good, tokenType: 'MAC' }],
    ['an expiry in a text', { ...good, expiresAt: '4000000000000' }],
    ['a scope that is no text', { ...good, scope: ['a'] }],
  ])('what opens but is no token is a miss: %s', async (_what, value) => {
    const { instance, tokenFor, entries, memory, failures } = createBench();
    await instance().obtain(key, anyToken, async () => tokenFor('original'));
    const [name = ''] = entries.keys();
    const plain = value === 'nothing' ? value : JSON.stringify(value);
    memory.set(name, await sealAs(name, plain), good.expiresAt);
    const token = await instance().obtain(key, anyToken, async () => tokenFor('replaced'));
    expect(token).toMatchObject({ accessToken: 'replaced' });
    expect(failures).toEqual(['open', 'open']);
    memory.set(name, await sealAs(name, JSON.stringify(good)), good.expiresAt);
    expect(await instance().obtain(key, anyToken, neverAsked)).toMatchObject({ accessToken: 'sealed' });
  });

  it('null, as many databases say, is simply nothing', async () => {
    const { instance, tokenFor, store, failures } = createBench();
    // @ts-expect-error: the type wants undefined
    const says: TokenStore = { ...store, get: () => null };
    await instance({ store: says }).obtain(key, anyToken, async () => tokenFor('own'));
    expect(failures).toEqual([]);
  });

  it('null for a lease is one that another holds', async () => {
    const { instance, tokenFor, store, calls, failures } = createBench();
    let leases = 0;
    // @ts-expect-error: the type wants undefined
    const says: TokenStore = { ...store, lease: (...given) => (leases++ ? store.lease(...given) : null) };
    await instance({ store: says }).obtain(key, anyToken, async () => tokenFor('own'));
    expect(calls).toEqual(['get', 'get', 'lease', 'get', 'set', 'end']);
    expect(failures).toEqual([]);
  });

  it('something else than text is a miss', async () => {
    const { instance, tokenFor, store, failures } = createBench();
    // @ts-expect-error: the type wants text
    const says: TokenStore = { ...store, get: () => new Uint8Array(40) };
    await instance({ store: says }).obtain(key, anyToken, async () => tokenFor('own'));
    expect(failures).toEqual(['open', 'open']);
  });
});

describe('threat 25: a store that fails or hangs never fails a call', () => {
  afterEach(() => {
    vi.useRealTimers();
  });

  const broken = (): never => {
    throw new Error(`the store quotes ${tokenCanary}`);
  };
  const rejecting = (): Promise<never> => Promise.reject(new Error(`the store quotes ${tokenCanary}`));
  const atOnce = { broken, rejecting };

  /** Each failing part of a store, what is told, and what is asked of the store in spite of it. */
  const parts: readonly (readonly [keyof TokenStore, readonly string[], readonly string[]])[] = [
    ['get', ['get'], []],
    ['lease', ['lease'], ['get', 'set']],
    ['set', ['set'], ['get', 'lease', 'get', 'end']],
  ];

  it.each(
    parts.flatMap(([part, told, asked]) =>
      Object.entries(atOnce).map(([how, fail]) => [how, part, fail, told, asked] as const),
    ),
  )('%s %s', async (_how, part, fail, told, asked) => {
    const { instance, tokenFor, store, failures, calls } = createBench();
    const token = await instance({ store: { ...store, [part]: fail } }).obtain('key', anyToken, async () =>
      tokenFor('own'),
    );
    expect(token).toMatchObject({ accessToken: 'own' });
    expect(failures).toEqual(told);
    expect(calls).toEqual(asked);
  });

  it.each(parts)('hanging %s: for 200 ms, no longer', async (part, told, asked) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { instance, tokenFor, store, failures, calls } = createBench();
    const hanging = createDeferred();
    const hang = (): Promise<never> => {
      hanging.resolve();
      return new Promise(() => {});
    };
    const answer = instance({ store: { ...store, [part]: hang } }).obtain('key', anyToken, async () =>
      tokenFor('own'),
    );
    await hanging.promise;
    vi.advanceTimersByTime(199);
    await new Promise((resolve) => setImmediate(resolve));
    expect(failures).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(await answer).toMatchObject({ accessToken: 'own' });
    expect(failures).toEqual(told);
    expect(calls).toEqual(asked);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('a lease that comes too late is given back', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { instance, tokenFor, store, memory } = createBench();
    const asked = createDeferred<string>();
    const gate = createDeferred();
    const ended = createDeferred();
    const slow: TokenStore = {
      ...store,
      async lease(key, lastsMs) {
        asked.resolve(key);
        await gate.promise;
        const end = await memory.lease(key, lastsMs);
        return async () => {
          await end?.();
          ended.resolve();
          throw new Error('nobody is there to hear of this');
        };
      },
    };
    const answer = instance({ store: slow }).obtain('key', anyToken, async () => tokenFor('own'));
    const name = await asked.promise;
    vi.advanceTimersByTime(200);
    await answer;
    gate.resolve();
    await ended.promise;
    expect(memory.lease(name, 1000)).toBeTypeOf('function');
  });

  it.each(Object.entries(atOnce))('a lease whose end is %s costs nothing', async (_how, end) => {
    const { instance, tokenFor, store, failures } = createBench();
    const token = await instance({ store: { ...store, lease: () => end } }).obtain(
      'key',
      anyToken,
      async () => tokenFor('own'),
    );
    expect(token).toMatchObject({ accessToken: 'own' });
    expect(failures).toEqual(['lease']);
  });

  it('get that fails only under the lease: the lease ends all the same', async () => {
    const { instance, tokenFor, store, failures, calls } = createBench();
    let looks = 0;
    const get = (): undefined => {
      if (++looks > 1) throw new Error('gone');
    };
    const token = await instance({ store: { ...store, get } }).obtain('key', anyToken, async () =>
      tokenFor('own'),
    );
    expect(token).toMatchObject({ accessToken: 'own' });
    expect(failures).toEqual(['get']);
    expect(calls).toEqual(['lease', 'end']);
  });

  it.each(['get', 'lease'] as const)(
    'what the request rejects with goes on as it is: %s fails',
    async (part) => {
      const { instance, store } = createBench();
      const failure = new Error('the endpoint says no');
      const shared = instance({ store: { ...store, [part]: broken } });
      expect(await rejection(shared.obtain('key', anyToken, () => Promise.reject(failure)))).toBe(failure);
    },
  );

  it('what the request rejects with ends the lease, and nothing is written', async () => {
    const { instance, calls } = createBench();
    const failure = new Error('the endpoint says no');
    const request = (): never => {
      throw failure;
    };
    expect(await rejection(instance().obtain('key', anyToken, request))).toBe(failure);
    expect(calls).toEqual(['get', 'lease', 'get', 'end']);
  });

  it('forget never fails either', async () => {
    const { instance, store, failures } = createBench();
    for (const fail of Object.values(atOnce)) {
      await instance({ store: { ...store, delete: fail } }).forget('key');
    }
    expect(failures).toEqual(['set', 'set']);
  });

  it('needs nobody to tell', async () => {
    const { tokenFor, clock } = createBench();
    const store: TokenStore = { get: broken, set: broken, delete: broken, lease: broken };
    const shared = createSharedTokens({ store, storeKey, now: clock.now, timeoutMs: TIMEOUT_MS });
    await shared.forget('key');
    const token = await shared.obtain('key', anyToken, async () => tokenFor('own'));
    expect(token).toMatchObject({ accessToken: 'own' });
  });

  it('without an injected sleep it waits by timers', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { tokenFor, clock, store, memory } = createBench();
    const refused = createDeferred();
    let leases = 0;
    const busy: TokenStore = {
      ...store,
      lease(key, lastsMs) {
        refused.resolve();
        return leases++ === 0 ? undefined : memory.lease(key, lastsMs);
      },
    };
    const shared = createSharedTokens({ store: busy, storeKey, now: clock.now, timeoutMs: TIMEOUT_MS });
    const answer = shared.obtain('key', anyToken, async () => tokenFor('own'));
    await refused.promise;
    await vi.advanceTimersByTimeAsync(49);
    await new Promise((resolve) => setImmediate(resolve));
    expect(leases).toBe(1);
    await vi.advanceTimersByTimeAsync(51);
    expect(await answer).toMatchObject({ accessToken: 'own' });
    expect(leases).toBe(2);
  });
});

describe('forget', () => {
  it('takes the token out for everybody, and no other', async () => {
    const { instance, tokenFor, entries } = createBench();
    await instance().obtain('a', anyToken, async () => tokenFor('first'));
    await instance().obtain('b', anyToken, async () => tokenFor('other'));
    await instance().forget('a');
    expect(entries.size).toBe(1);
    const token = await instance().obtain('a', anyToken, async () => tokenFor('second'));
    expect(token).toMatchObject({ accessToken: 'second' });
    expect(await instance().obtain('b', anyToken, neverAsked)).toMatchObject({ accessToken: 'other' });
  });

  it('what is being requested meanwhile serves its caller, and nobody later', async () => {
    const { instance, tokenFor, entries, calls } = createBench();
    const shared = instance();
    const asked = createDeferred();
    const request = createDeferred<AccessTokenFields>();
    const answer = shared.obtain('key', anyToken, () => {
      asked.resolve();
      return request.promise;
    });
    await asked.promise;
    await shared.forget('key');
    request.resolve(tokenFor('old'));
    expect(await answer).toMatchObject({ accessToken: 'old' });
    expect(entries.size).toBe(0);
    expect(calls.at(-1)).toBe('end');
    expect(await shared.obtain('key', anyToken, async () => tokenFor('new'))).toMatchObject({
      accessToken: 'new',
    });
    expect(entries.size).toBe(1);
  });
});

describe('options and secrets', () => {
  const shortKey = 'canary-key-of-31-bytes-4d1e0000';

  it.each<[string, unknown, string?]>([
    ['31 bytes of text', shortKey, 'secret_too_short'],
    ['31 bytes', new TextEncoder().encode(shortKey), 'secret_too_short'],
    ['nothing', '', 'secret_too_short'],
    ['undefined', undefined],
    ['a number', 7],
    ['a list', [shortKey, shortKey]],
    ['an object', { key: shortKey }],
  ])('threat 4: refuses %s as a key, and never shows it', (_what, key, code) => {
    const { instance } = createBench();
    const message = 'createTokenClient: storeKey must be a secret text or bytes, at least 32 bytes long';
    expect(() => instance({ storeKey: key as string })).toThrow(mistake(message, code));
  });

  it('counts a text by its bytes', () => {
    const { instance } = createBench();
    expect(() => instance({ storeKey: 'ü'.repeat(16) })).not.toThrow();
    expect(() => instance({ storeKey: 'ü'.repeat(15) })).toThrow(TypeError);
  });

  it.each<[string, unknown, string]>([
    ['nothing', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a text', `redis://:${secretCanary}@cache.example`, 'a text'],
    ['a store without leases', { get() {}, set() {}, delete() {} }, 'an object'],
    ['a store that keeps all', { get() {}, set() {}, lease() {} }, 'an object'],
    ['a store that takes nothing', { get() {}, delete() {}, lease() {} }, 'an object'],
    ['a store that gives nothing', { set() {}, delete() {}, lease() {} }, 'an object'],
  ])('refuses %s as a store', (_what, store, shown) => {
    const { instance } = createBench();
    expect(() => instance({ store: store as TokenStore })).toThrow(
      `createTokenClient: store must be a store with get, set, delete and lease; got ${shown} (npx`,
    );
  });

  it('takes a store whose functions are those of its class', async () => {
    const { instance, tokenFor, memory } = createBench();
    class Store implements TokenStore {
      readonly #memory = memory;
      get(key: string) {
        return this.#memory.get(key);
      }
      set(key: string, text: string, expiresAt: number) {
        return this.#memory.set(key, text, expiresAt);
      }
      delete(key: string) {
        return this.#memory.delete(key);
      }
      lease(key: string, lastsMs: number) {
        return this.#memory.lease(key, lastsMs);
      }
    }
    const store = new Store();
    await instance({ store }).obtain('key', anyToken, async () => tokenFor('shared'));
    expect(await instance({ store }).obtain('key', anyToken, neverAsked)).toMatchObject({
      accessToken: 'shared',
    });
    await instance({ store }).forget('key');
  });

  it('threat 27: nothing shows token, key or secret', async () => {
    const { instance, tokenFor, store, entries, failures } = createBench();
    const shared = instance();
    const given = await shared.obtain('key', anyToken, async () => tokenFor(tokenCanary));
    const taken = await instance().obtain('key', anyToken, neverAsked);
    expect(taken.accessToken).toBe(tokenCanary);
    const all = [shared, given, taken, store, entries, failures];
    const shown = inspect(all, { depth: null, showHidden: true, getters: true }) + JSON.stringify(all);
    expect(shown).not.toContain(tokenCanary);
    expect(shown).not.toContain(secretCanary);
  });
});
