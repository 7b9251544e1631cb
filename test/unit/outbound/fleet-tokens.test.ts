/** Which of the tokens that another instance put into the store of all a client takes, and which it takes out. */
import { describe, expect, it, vi } from 'vitest';
import { tokenClientOf } from '../../../src/outbound/token-client.ts';
import { resolveTokenClient } from '../../../src/outbound/token-client-options.ts';
import { createTokenSource } from '../../../src/outbound/token-source.ts';
import { createMemoryTokenStore } from '../../../src/shared/memory-token-store.ts';
import type { TokenStore } from '../../../src/shared/stores.ts';
import { createNetwork, tokenAnswer } from './in-process.ts';
import { createClock, secretCanary } from './support.ts';

const MINUTE = 60_000;
const storeKey = 'a key of at least thirty-two bytes';
const client = {
  tokenEndpoint: 'https://idp.example/token',
  clientId: 'billing',
  clientSecret: secretCanary,
  random: () => 0,
};

describe('what another instance got', () => {
  /** A fleet over one store and one server, whose tokens last as long as said, ten minutes else. */
  function createFleet(changes: Partial<TokenStore> = {}) {
    const clock = createClock();
    const lifetimes: number[] = [];
    const { fetch, sent } = createNetwork({
      '/token': (_, count) => tokenAnswer(`token-${count}`, { expires_in: lifetimes.shift() ?? 600 }),
    });
    const memory = createMemoryTokenStore({ now: clock.now });
    const forget = vi.fn<TokenStore['delete']>((key) => memory.delete(key));
    const shared = { store: { ...memory, delete: forget, ...changes }, storeKey, now: clock.now, fetch };
    const instance = () => {
      const settings = resolveTokenClient('createTokenClient', { ...client, ...shared });
      const source = createTokenSource(settings);
      const tokens = tokenClientOf(source, settings);
      const get = async (forceRefresh = false) => (await tokens.getToken({ forceRefresh })).accessToken;
      const renewed = async () => {
        await get();
        await vi.waitFor(() => expect(source.state(source.subject())?.requesting).toBe(false));
        return get();
      };
      return { tokens, get, renewed };
    };
    return { clock, lifetimes, sent, forget, instance };
  }

  it.each<[string, number, string]>([
    ['just enough', 598_000, 'token-1'],
    ['too little', 598_001, 'token-2'],
  ])('is taken with %s time left', async (_, laterMs, expected) => {
    const { clock, instance } = createFleet();
    await instance().get();
    clock.advance(laterMs);
    expect(await instance().get()).toBe(expected);
  });

  it('is taken in place of an older one, which is not taken for a newer one', async () => {
    const { clock, instance, sent } = createFleet();
    const [first, second] = [instance(), instance()];
    expect([await first.get(), await second.get()]).toEqual(['token-1', 'token-1']);
    clock.advance(9 * MINUTE);
    expect([await first.renewed(), await second.renewed()]).toEqual(['token-2', 'token-2']);
    expect(sent).toHaveLength(2);
  });

  it.each<[string, number, string]>([
    ['as long', 60, 'token-2'],
    ['less long', 59, 'token-3'],
  ])("that lasts %s as one's own: %i seconds", async (_, seconds, expected) => {
    const { clock, lifetimes, instance } = createFleet();
    const [first, second] = [instance(), instance()];
    await second.get();
    clock.advance(9 * MINUTE);
    lifetimes.push(seconds);
    await first.get(true);
    expect(await second.renewed()).toBe(expected);
  });

  it('is not taken by who asks for a fresh one', async () => {
    const { instance } = createFleet();
    const [first, second] = [instance(), instance()];
    await first.get();
    expect(await second.get(true)).toBe('token-2');
    expect(await instance().get()).toBe('token-2');
  });

  it('is not taken once it was forgotten here, whether it was here or not', async () => {
    // A store that forgets nothing: others may put there what was forgotten.
    const { instance } = createFleet({ delete: () => {} });
    const [first, second, third] = [instance(), instance(), instance()];
    expect([await first.get(), await second.get()]).toEqual(['token-1', 'token-1']);
    second.tokens.invalidate();
    third.tokens.invalidate({ accessToken: 'token-1' });
    expect(await second.get()).toBe('token-2');
    expect(await third.get()).toBe('token-2');
    expect(await first.get()).toBe('token-1');
  });

  it.each<[string, object | undefined]>([
    ['of one kind', {}],
    ['of this text', { accessToken: 'token-1' }],
    ['all', undefined],
  ])("and is invalidated here (%s) is nobody's any more", async (_, what) => {
    const { instance, forget } = createFleet();
    const first = instance();
    await first.get();
    first.tokens.invalidate(what);
    await vi.waitFor(() => expect(forget).toHaveBeenCalled());
    expect(await instance().get()).toBe('token-2');
  });

  it('may be forgotten by its kind where it never was', async () => {
    const { instance, forget } = createFleet();
    await instance().get();
    const other = instance();
    other.tokens.invalidate({ scope: 'a' });
    await vi.waitFor(() => expect(forget).toHaveBeenCalledOnce());
    expect(await instance().get()).toBe('token-1');
    other.tokens.invalidate({});
    await vi.waitFor(() => expect(forget).toHaveBeenCalledTimes(2));
    expect(await instance().get()).toBe('token-2');
  });
});
