import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import {
  createMemoryTokenStore,
  type MemoryTokenStoreOptions,
} from '../../../src/shared/memory-token-store.ts';
import { createClock, tokenCanary } from '../outbound/support.ts';

function createStore(options: MemoryTokenStoreOptions = {}) {
  const clock = createClock();
  return { clock, store: createMemoryTokenStore({ now: clock.now, ...options }) };
}

describe('createMemoryTokenStore: entries', () => {
  it('gives a text until it expires, and not at that very moment', () => {
    const { store, clock } = createStore();
    store.set('a', 'text', clock.now() + 1000);
    clock.advance(999);
    expect(store.get('a')).toBe('text');
    clock.advance(1);
    expect(store.get('a')).toBeUndefined();
    clock.advance(-1);
    expect(store.get('a')).toBeUndefined();
  });

  it('replaces and deletes', () => {
    const { store, clock } = createStore();
    store.set('a', 'old', clock.now() + 1000);
    store.set('a', 'new', clock.now() + 5000);
    clock.advance(2000);
    expect(store.get('a')).toBe('new');
    store.delete('a');
    expect(store.get('a')).toBeUndefined();
    expect(() => store.delete('never there')).not.toThrow();
  });

  it.each(['__proto__', 'constructor', 'toString', ''])('threat 12: knows nothing of %j before', (key) => {
    const { store, clock } = createStore();
    expect(store.get(key)).toBeUndefined();
    store.set(key, 'text', clock.now() + 1000);
    expect(store.get(key)).toBe('text');
  });

  it('beyond its room forgets the entry used longest ago', () => {
    const { store, clock } = createStore({ maxEntries: 2 });
    for (const key of ['a', 'b']) store.set(key, key, clock.now() + 1000);
    expect(store.get('a')).toBe('a');
    store.set('c', 'c', clock.now() + 1000);
    expect(['a', 'b', 'c'].map((key) => store.get(key))).toEqual(['a', undefined, 'c']);
  });

  it('has room for 10,000 entries where nothing is said', () => {
    const { store, clock } = createStore();
    for (let count = 0; count <= 10_000; count++) store.set(`${count}`, 'text', clock.now() + 1000);
    expect([store.get('0'), store.get('1'), store.get('10000')]).toEqual([undefined, 'text', 'text']);
  });

  it('threat 27: shows nothing that it holds', () => {
    const { store, clock } = createStore();
    store.set('a', tokenCanary, clock.now() + 1000);
    expect(inspect(store, { depth: null, showHidden: true, getters: true })).not.toContain(tokenCanary);
    expect(JSON.stringify(store)).not.toContain(tokenCanary);
  });
});

describe('createMemoryTokenStore: leases', () => {
  it('gives a lease to one, and to the next once it was ended', async () => {
    const { store } = createStore();
    const end = await store.lease('a', 1000);
    expect(end).toBeTypeOf('function');
    expect(store.lease('a', 1000)).toBeUndefined();
    expect(store.lease('b', 1000)).toBeTypeOf('function');
    await end?.();
    expect(store.lease('a', 1000)).toBeTypeOf('function');
  });

  it('a lease ends by itself', () => {
    const { store, clock } = createStore();
    store.lease('a', 1000);
    clock.advance(999);
    expect(store.lease('a', 1000)).toBeUndefined();
    clock.advance(1);
    expect(store.lease('a', 1000)).toBeTypeOf('function');
  });

  it('nobody ends the lease of another', async () => {
    const { store, clock } = createStore();
    const first = await store.lease('a', 1000);
    clock.advance(1000);
    const second = await store.lease('a', 1000);
    await first?.();
    expect(store.lease('a', 1000)).toBeUndefined();
    await second?.();
    const third = await store.lease('a', 1000);
    await second?.();
    expect(third).toBeTypeOf('function');
    expect(store.lease('a', 1000)).toBeUndefined();
  });

  it('a clock that was set back makes no lease longer', () => {
    const { store, clock } = createStore();
    store.lease('a', 1000);
    clock.advance(-3_600_000);
    expect(store.lease('a', 1000)).toBeTypeOf('function');
  });

  it('leases and entries do not touch each other', async () => {
    const { store, clock } = createStore({ maxEntries: 1 });
    store.set('a', 'text', clock.now() + 1000);
    const end = await store.lease('a', 1000);
    store.delete('a');
    expect(store.lease('a', 1000)).toBeUndefined();
    store.set('a', 'text', clock.now() + 1000);
    await end?.();
    expect(store.get('a')).toBe('text');
  });

  it('keeps no more of them than entries', () => {
    const { store } = createStore({ maxEntries: 2 });
    for (const key of ['a', 'b', 'c']) expect(store.lease(key, 1000)).toBeTypeOf('function');
    expect(store.lease('b', 1000)).toBeUndefined();
    expect(store.lease('a', 1000)).toBeTypeOf('function');
  });
});

describe('createMemoryTokenStore: options', () => {
  it.each<[string, object, string]>([
    ['no entries', { maxEntries: 0 }, 'maxEntries'],
    ['half an entry', { maxEntries: 1.5 }, 'maxEntries'],
    ['a number in a string', { maxEntries: '100' }, 'maxEntries'],
    ['NaN', { maxEntries: Number.NaN }, 'maxEntries'],
    ['a clock that is none', { now: 5 }, 'now'],
    ['an unknown option', { maxEntrys: 5 }, 'maxEntries'],
  ])('refuses %s', (_name, options, named) => {
    expect(() => createMemoryTokenStore(options)).toThrow(TypeError);
    expect(() => createMemoryTokenStore(options)).toThrow(named);
  });

  it('takes the clock of the machine where none is given', () => {
    const store = createMemoryTokenStore();
    store.set('past', 'text', Date.now() - 1);
    store.set('future', 'text', Date.now() + 60_000);
    expect([store.get('past'), store.get('future')]).toEqual([undefined, 'text']);
  });
});
