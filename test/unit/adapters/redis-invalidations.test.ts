/** What needs no Redis: the options, and how invalidations are spelt. */
import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { RedisInvalidationEvent } from '../../../adapters/redis/invalidation-events.ts';
import { createInvalidationTexts } from '../../../adapters/redis/invalidation-text.ts';
import {
  createRedisInvalidations,
  type RedisInvalidationsOptions,
} from '../../../adapters/redis/invalidations.ts';
import { createKnownInvalidations } from '../../../adapters/redis/known-invalidations.ts';
import { type Invalidation, tokenKey } from '../../../src/index.ts';

const bytes = new TextEncoder().encode('a secret of at least 32 bytes, for tests');

describe.each([
  ['without a secret', undefined],
  ['with a secret', bytes],
])('an invalidation as text, %s', (_name, secret) => {
  const texts = createInvalidationTexts('channel', secret);

  it('is read as what was meant', () => {
    const name = fc
      .string({ minLength: 1, maxLength: 1024, unit: 'binary' })
      .filter((text) => text.trim() !== '');
    fc.assert(
      fc.property(fc.constantFrom('jti', 'clientId'), name, (member, value) => {
        const what = { [member]: value } as unknown as Invalidation;
        fc.pre(value.length <= 1024 && Buffer.from(value).toString() === value);
        expect(texts.decode(texts.encode(what))).toEqual(what);
      }),
    );
    const token = 'a.b.c';
    expect(texts.decode(texts.encode(token))).toEqual({ tokenKey: tokenKey(token) });
    expect(texts.encode({ tokenKey: tokenKey(token) })).toBe(texts.encode(token));
    expect(texts.encode({ clientId: 'a', issuedUntil: 1 })).toBe(texts.encode({ clientId: 'a' }));
  });

  it('holds nothing of a token', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 12 }), (token) => {
        expect(texts.encode(token)).not.toContain(token);
      }),
    );
  });

  it('is nothing else', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const denied = texts.decode(text);
        if (denied !== undefined) expect(texts.encode(denied as Invalidation)).toBe(text);
      }),
    );
  });

  it.each<[string, Invalidation]>([
    ['a jti of more than 1,024 characters', { jti: 'x'.repeat(1025) }],
    ['half a surrogate pair', { clientId: 'a\ud800' }],
    ['a key that is none', { tokenKey: 'short' }],
    ['an empty jti', { jti: ' ' }],
  ])('%s is a mistake', (_what, what) => {
    expect(() => texts.encode(what)).toThrow(TypeError);
  });
});

it('with a secret, any change of a text makes it void, and so does another channel', () => {
  const texts = createInvalidationTexts('channel', bytes);
  const text = texts.encode({ clientId: 'billing' });
  for (let at = 0; at < text.length; at++) {
    const other = text[at] === 'x' ? 'y' : 'x';
    expect(texts.decode(text.slice(0, at) + other + text.slice(at + 1))).toBeUndefined();
  }
  expect(createInvalidationTexts('another', bytes).decode(text)).toBeUndefined();
  expect(createInvalidationTexts('channel', bytes.slice(1)).decode(text)).toBeUndefined();
  expect(createInvalidationTexts('channel', undefined).decode(text)).toBeUndefined();
  expect(
    texts.decode(createInvalidationTexts('channel', undefined).encode({ clientId: 'billing' })),
  ).toBeUndefined();
});

describe('options', () => {
  afterEach(() => {
    vi.useRealTimers();
  });
  const client = { call: async () => ['1', '0', []] };
  const subscriber = {
    call: client.call,
    subscribe: async () => 1,
    unsubscribe: async () => 1,
    on: () => {},
    off: () => {},
  };
  const make = (options: object) =>
    createRedisInvalidations({ client, subscriber, ...options } as RedisInvalidationsOptions);

  it.each<[string, object, RegExp]>([
    ['no client', { client: undefined }, /client must be a client of ioredis/],
    ['no subscriber', { subscriber: {} }, /subscriber must be a client of ioredis/],
    ['one connection for both', { client: subscriber }, /subscriber must be a connection of its own/],
    ['a subscriber that cannot subscribe', { subscriber: { call: client.call } }, /can subscribe/],
    ['a verifier that is no list', { verifiers: { invalidate() {} } }, /verifiers must be a list/],
    ['something else as a verifier', { verifiers: [{}] }, /verifiers must be a list/],
    ['a short secret', { secret: 'too short' }, /secret must be a string or Uint8Array of at least 32 bytes/],
    ['a namespace in braces', { namespace: '{a}' }, /namespace/],
    ['no time to keep', { keepSeconds: 0 }, /keepSeconds/],
    ['half an entry', { maxEntries: 1.5 }, /maxEntries/],
    ['looks without a pause', { syncSeconds: 0 }, /syncSeconds/],
    ['a misspelt option', { verifier: [] }, /did you mean verifiers/],
  ])('%s is a mistake', (_name, options, message) => {
    expect(() => make(options)).toThrow(message);
  });

  it('a secret is never shown', () => {
    const attempt = (): unknown => make({ secret: 'of-my-own' });
    expect(attempt).toThrow(/secret/);
    expect(attempt).not.toThrow(/of-my-own/);
  });

  it('with an empty list it is ready; closed, it asks no more', async () => {
    vi.useFakeTimers();
    const call = vi.fn(client.call);
    const invalidations = make({ client: { call } });
    await invalidations.ready();
    expect(invalidations.health()).toMatchObject({ isSynced: true, alive: 0, pending: 0 });
    const asked = call.mock.calls.length;
    await vi.advanceTimersByTimeAsync(5000);
    expect(call.mock.calls.length).toBeGreaterThan(asked);
    await invalidations.close();
    const before = call.mock.calls.length;
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call.mock.calls.length).toBe(before);
  });

  it.each([undefined, null, 7, 'text', [], ['x', 'y', 'z'], [[], [], {}]])(
    'replies that are none are an outage, not a crash: %j',
    async (reply) => {
      const onEvent = vi.fn(() => {
        throw new Error('a listener that fails');
      });
      const invalidations = make({ client: { call: async () => reply }, onEvent });
      await expect(invalidations.ready()).rejects.toThrow();
      expect(invalidations.health().isSynced).toBe(false);
      expect(await invalidations.invalidate({ jti: 'a' })).toBe('pending');
      expect(onEvent).toHaveBeenCalled();
      await invalidations.close();
    },
  );

  it('where a deny list is full the others are told all the same', async () => {
    const scripts: string[][] = [];
    const call = async (_name: string, args: string[]) => {
      scripts.push(args);
      return args.includes('jti:a') ? ['1', [`${Date.now()}000`]] : ['1', '0', []];
    };
    const full = {
      invalidate() {
        throw new Error('full');
      },
    };
    const invalidations = make({ client: { call }, verifiers: [full] });
    await expect(invalidations.invalidate({ jti: 'a' })).rejects.toThrow('full');
    expect(scripts.some((args) => args.includes('jti:a'))).toBe(true);
    await invalidations.close();
  });

  it('a listener that fails later disturbs nobody', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    let calls = 0;
    const onEvent = async (): Promise<void> => {
      calls++;
      throw new Error('a listener that fails');
    };
    const invalidations = make({ onEvent });
    await invalidations.ready();
    expect(calls).toBe(1);
    await new Promise(setImmediate);
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
    await invalidations.close();
  });
});

/** What one instance knows, and what its verifier was told; without a Redis. */
function createInstance() {
  const told: Invalidation[] = [];
  const events: RedisInvalidationEvent[] = [];
  const known = createKnownInvalidations({
    texts: createInvalidationTexts('channel', undefined),
    verifiers: [{ invalidate: (what) => void told.push(what) }],
    keepSeconds: 3600,
    maxEntries: 100,
    now: () => NOW,
    emit: (event) => void events.push(event),
  });
  return { known, told, events };
}

const NOW = 1_800_000_000_000;

describe('a message with a time of its own', () => {
  it.each([
    ['in the next moment', NOW + 60_000],
    ['in the next century', NOW + 100 * 365 * 86_400_000],
    ['at the end of all time', Number.MAX_SAFE_INTEGER / 1000],
  ])('%s keeps no later one from being heard', (_when, at) => {
    const { known, told } = createInstance();
    known.hear(`${Math.floor(at)}000:client:billing`);
    const before = told.length;
    known.hear(`${NOW + 1}000:client:billing`);
    expect(told.slice(before)).toEqual([{ clientId: 'billing', issuedUntil: NOW + 1 }]);
  });

  it('of the far future is none', () => {
    const { known, told, events } = createInstance();
    known.hear(`${NOW + 2 * 3_600_000}000:jti:a`);
    expect([told, events, known.size]).toEqual([[], [{ type: 'invalidations.ignored' }], 0]);
  });

  it('said twice is applied once', () => {
    const { known, told } = createInstance();
    for (let turn = 0; turn < 2; turn++) known.hear(`${NOW}000:jti:a`);
    expect(told).toEqual([{ jti: 'a' }]);
  });
});
