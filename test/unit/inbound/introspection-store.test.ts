import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ActiveToken } from '../../../src/inbound/introspection.ts';
import { createIntrospectionStore } from '../../../src/inbound/introspection-store.ts';
import type { Fault } from '../../../src/shared/fault.ts';
import type { TextStore } from '../../../src/shared/stores.ts';
import {
  createHarness,
  type Harness,
  type IntrospectionStub,
  says,
  startIntrospectionStub,
} from '../../helpers/introspection-stub.ts';
import { issuer, nowMs } from '../../helpers/tokens.ts';

const token = 'an-opaque-token-of-some-length';
const active = { active: true, client_id: 'billing', scope: 'orders:read' };
const identity = { issuer, clientId: 'orders', response: 'json' } as const;

let stub: IntrospectionStub;
beforeEach(async () => {
  stub = await startIntrospectionStub(says(active));
});
afterEach(() => {
  vi.useRealTimers();
  return stub.close();
});

async function ask({ introspector }: Harness, asked = token): Promise<ActiveToken | Fault> {
  return introspector.introspect(asked);
}

function memoryStore(): TextStore & { readonly entries: Map<string, string> } {
  const entries = new Map<string, string>();
  return {
    entries,
    get: (key) => entries.get(key),
    set: (key, text) => void entries.set(key, text),
    delete: (key) => void entries.delete(key),
  };
}

describe('the shared store', () => {
  it('spares other instances the call, and holds no token in the clear', async () => {
    const store = memoryStore();
    const answer = await ask(createHarness(stub.url, { store }));
    expect(inspect(store.entries)).not.toContain(token);
    const second = createHarness(stub.url, { store });
    second.time += 5000;
    expect(await ask(second)).toEqual(answer);
    expect(stub.requests).toHaveLength(1);
  });

  it('an entry is no younger for being read: its own age counts', async () => {
    const store = memoryStore();
    await ask(createHarness(stub.url, { store }));
    const late = createHarness(stub.url, { store });
    late.time += 30_000;
    await ask(late);
    expect(stub.requests).toHaveLength(2);
    const early = createHarness(stub.url, { store });
    // Written by a clock that is 30 s ahead of this one.
    expect(await ask(early)).toMatchObject({ believedUntilMs: nowMs + 30_000 });
  });

  it.each([
    ['throws', () => Promise.reject(new Error('down'))],
    ['throws at once', () => raise()],
    ['holds no JSON', () => '{'],
    ['holds something else', () => '{"claims":1}'],
    ['holds an inactive answer', () => `{"claims":{"active":false},"storedAt":${nowMs}}`],
    ['holds another issuer', () => `{"claims":{"active":true,"iss":"https://other"},"storedAt":${nowMs}}`],
    ['does not answer', () => new Promise<string>(() => {})],
  ])('one that %s is a miss', async (_name, get) => {
    const store = { ...memoryStore(), get, set: () => raise() };
    expect(await ask(createHarness(stub.url, { store }))).toHaveProperty('claims', active);
    expect(stub.requests).toHaveLength(1);
  });

  it('forgets on demand', async () => {
    const store = memoryStore();
    const harness = createHarness(stub.url, { store });
    await ask(harness);
    expect(store.entries.size).toBe(1);
    harness.introspector.forget(token);
    await vi.waitFor(() => expect(store.entries.size).toBe(0));
  });

  it('what was forgotten while it was asked about does not come back', async () => {
    const store = memoryStore();
    const harness = createHarness(stub.url, { store });
    stub.reply = (response, request) => {
      harness.introspector.forget(token);
      says(active)(response, request);
    };
    expect(await ask(harness)).toHaveProperty('claims', active);
    expect(store.entries.size).toBe(0);
  });

  it('members that are null count as absent in it too', async () => {
    const claims = { ...active, iss: null, jti: null };
    const store = { ...memoryStore(), get: () => JSON.stringify({ claims, storedAt: nowMs }) };
    expect(await ask(createHarness(stub.url, { store }))).toHaveProperty('claims', active);
    expect(stub.requests).toHaveLength(0);
  });

  it('an entry from further ahead than it may be believed is a miss: somebody has set a clock back', async () => {
    const store = memoryStore();
    await ask(createHarness(stub.url, { store }));
    const early = createHarness(stub.url, { store });
    early.time -= 30_001;
    await ask(early);
    expect(stub.requests).toHaveLength(2);
  });

  it('that hangs is left alone after five reads, and tried again now and then', async () => {
    const get = vi.fn((): Promise<string | undefined> => new Promise(() => {}));
    const harness = createHarness(stub.url, { store: { ...memoryStore(), get } });
    const many = (name: string): Promise<unknown> =>
      Promise.all(Array.from({ length: 200 }, (_, count) => ask(harness, `${name}-${count}`)));
    await many('first');
    expect(get.mock.calls.length).toBeLessThan(129);
    get.mockClear();
    await many('second');
    expect(get).not.toHaveBeenCalled();
    harness.time += 1000;
    get.mockImplementation(async () => undefined);
    await many('third');
    expect(get).toHaveBeenCalled();
    expect(stub.requests).toHaveLength(600);
  });

  it('whose writes hang gets no more of them after five, and is read all the same', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const store = { ...memoryStore(), set: vi.fn((): Promise<void> => new Promise(() => {})), get: vi.fn() };
    const shared = createIntrospectionStore({ ...identity, endpoint: () => 'e', store, now: () => nowMs });
    const written = async (count: number): Promise<void> => {
      for (let at = 0; at < count; at++)
        shared.write(`token-${at}`, { claims: active, storedAt: nowMs }, nowMs + 1);
      await new Promise((resolve) => setImmediate(resolve));
      await vi.advanceTimersByTimeAsync(200);
    };
    await written(5);
    expect(store.set).toHaveBeenCalledTimes(5);
    await written(100);
    expect(store.set).toHaveBeenCalledTimes(5);
    await shared.read('token-0');
    expect(store.get).toHaveBeenCalledOnce();
  });

  it('its keys never collide across token, issuer, client, endpoint and kind of answer', async () => {
    const part = fc.string({ maxLength: 8 });
    const response = fc.constantFrom('json' as const, 'jwt' as const);
    const identity = fc.record({ token: part, issuer: part, clientId: part, endpoint: part, response });
    // Most pairs share all members but one, where a key that forgets one would show.
    const pair = fc
      .tuple(identity, identity, fc.constantFrom('token', 'issuer', 'clientId', 'endpoint', 'response'))
      .map(([a, b, member]) => [a, { ...a, [member]: b[member as keyof typeof b] }] as const);
    await fc.assert(
      fc.asyncProperty(pair, async ([a, b]) => {
        expect((await keyOf(a)) === (await keyOf(b))).toBe(describeIdentity(a) === describeIdentity(b));
        expect(await keyOf(a)).toMatch(/^introspection:[\w-]{43}$/);
      }),
      { examples: [[[shifted('ab', 'c'), shifted('a', 'bc')]]] },
    );
  });
});

function raise(): never {
  throw new Error('down');
}

/** The key under which an answer is looked for. */
async function keyOf(one: Parameters<typeof describeIdentity>[0]): Promise<string> {
  const keys: string[] = [];
  const store = { ...memoryStore(), get: (key: string) => void keys.push(key) };
  await createIntrospectionStore({ ...one, endpoint: () => one.endpoint, store, now: () => nowMs }).read(
    one.token,
  );
  return String(keys[0]);
}

function describeIdentity(one: {
  readonly token: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly endpoint: string;
  readonly response: 'json' | 'jwt';
}): string {
  return JSON.stringify([one.token, one.issuer, one.clientId, one.endpoint, one.response]);
}

function shifted(clientId: string, endpoint: string): Parameters<typeof describeIdentity>[0] {
  return { token: 't', issuer, clientId, endpoint, response: 'json' };
}
