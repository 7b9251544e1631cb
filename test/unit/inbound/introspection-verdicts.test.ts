/** What is remembered of tokens that were asked about, for how long, and what the breaker makes of them. */
import { describe, expect, it, vi } from 'vitest';
import type { ActiveToken, IntrospectorOptions } from '../../../src/inbound/introspection.ts';
import { createIntrospectionStore } from '../../../src/inbound/introspection-store.ts';
import { createVerifier, type ServiceAuthEvent } from '../../../src/index.ts';
import { Fault } from '../../../src/shared/fault.ts';
import type { TextStore } from '../../../src/shared/stores.ts';
import { UndecidedError } from '../../../src/shared/undecided.ts';
import { createHarness, type Harness, undecided } from '../../helpers/introspection-stub.ts';
import { audience, goodClaims, issuer, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const place = 'https://idp.example/introspect';
const active = { active: true, client_id: 'billing' };
const token = 'an-opaque-token';

/** An introspector, what its endpoint answers from now on, and how often that was asked. */
function over(answer: object | number, changes: Partial<IntrospectorOptions> = {}) {
  const bench = { answer };
  const fetch = vi.fn(async () =>
    typeof bench.answer === 'number'
      ? new Response('{}', { status: bench.answer })
      : Response.json(bench.answer),
  );
  const harness = createHarness(place, { fetch, retries: 0, ...changes });
  return Object.assign(bench, { harness, calls: () => fetch.mock.calls.length });
}

async function ask({ introspector }: Harness, asked = token): Promise<ActiveToken | Fault> {
  return introspector.introspect(asked);
}

describe('what operators read of a token that is not accepted', () => {
  it.each<[object, readonly unknown[]]>([
    [{ active: false }, ['inactive_token', 'an active token', undefined]],
    [{ ...active, iss: 'https://other' }, ['unknown_issuer', issuer, 'https://other']],
    [{ ...active, iss: 7 }, ['unknown_issuer', issuer, 'number']],
    [
      { ...active, token_type: 'refresh_token' },
      ['wrong_token_kind', 'an access token', 'token_type refresh_token'],
    ],
    [{ ...active, token_type: ['bearer'] }, ['wrong_token_kind', 'an access token', 'token_type object']],
  ])('%j', async (answer, [reason, expected, actual]) => {
    const { harness } = over(answer);
    expect(await ask(harness)).toMatchObject({ step: 'introspection', reason, expected, actual });
  });

  it('the second time is told as the first was: whose token it was, and nothing else of it', async () => {
    const events: ServiceAuthEvent[] = [];
    const claims = { ...goodClaims({ aud: 'https://stock.example', iss: undefined }), active: true };
    const fetch = vi.fn(async () => Response.json(claims));
    const introspection = { endpoint: place, clientId: 'orders', clientSecret: 's3cret' };
    const verifier = createVerifier({
      issuer: { issuer, introspection },
      audience,
      now: () => nowMs,
      fetch,
      onEvent: (event) => events.push(event),
    });
    await verifier.verifyToken(token);
    await verifier.verifyToken(token);
    const rejected = {
      reason: 'wrong_audience',
      expected: audience,
      actual: 'https://stock.example',
      issuer,
      clientId: 'billing',
    };
    expect(events.filter(({ type }) => type === 'request.rejected')).toMatchObject([rejected, rejected]);
    expect(fetch).toHaveBeenCalledOnce();
  });

  it('of what is remembered nothing but issuer and client is kept', async () => {
    const { harness } = over(active);
    const about = { issuer, clientId: 'billing', claims: { email: 'somebody' } };
    harness.introspector.refuse(token, new Fault('claims', 'wrong_audience', 'a', 'b', about));
    const verdict = await ask(harness);
    expect(verdict).toEqual(new Fault('claims', 'wrong_audience', 'a', 'b', { issuer, clientId: 'billing' }));
  });
});

describe('how long a token that is not accepted here is remembered', () => {
  const about = (reason: Fault['reason']): Fault => new Fault('claims', reason);
  it.each<[string, Fault | UndecidedError, number, number?]>([
    ['a fault that lasts', about('wrong_audience'), 10_000],
    ['not yet valid', about('not_yet_valid'), 1000],
    ['issued in future', about('issued_in_future'), 1000],
    ['not yet valid, where less is wanted', about('not_yet_valid'), 500, 0.5],
    ['what cannot be decided', new UndecidedError('introspection_unavailable', 'malformed'), 1000],
  ])('%s', async (_, verdict, lastsMs, negativeCacheSeconds = 10) => {
    const { harness, calls } = over(active, { negativeCacheSeconds });
    harness.introspector.refuse(token, verdict);
    harness.time += lastsMs - 1;
    const isUndecided = verdict instanceof UndecidedError;
    expect(await (isUndecided ? undecided(harness) : ask(harness))).toMatchObject({ reason: verdict.reason });
    expect(calls()).toBe(0);
    harness.time += 1;
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('a clock that is set back a millisecond ends it', async () => {
    const { harness } = over(active);
    harness.introspector.refuse(token, about('wrong_audience'));
    expect(await ask(harness)).toMatchObject({ reason: 'wrong_audience' });
    harness.time -= 1;
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('what is undecided says when to come back: when it is asked again, or later', async () => {
    const { harness } = over(active);
    const verdict = { issuer, retryAfterMs: 700 };
    harness.introspector.refuse(token, new UndecidedError('introspection_unavailable', 'm', verdict));
    expect(await undecided(harness)).toMatchObject({ message: 'm', issuer, retryAfterMs: 1000 });
    harness.time += 400;
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 700 });
  });
});

describe('the breaker', () => {
  it.each<[string, number, number]>([
    ['within a minute', 59_999, 1],
    ['after a minute', 60_000, 2],
    ['by a clock that was set back', -1, 2],
  ])('a token that fails again %s: %i ms, %i failures', async (_, laterMs, failures) => {
    const { harness } = over(500);
    await undecided(harness);
    harness.time += laterMs;
    await undecided(harness);
    expect(harness.introspector.state()).toMatchObject({ failures });
  });

  it('a token that was inactive before counts as any other', async () => {
    const bench = over({ active: false });
    await ask(bench.harness);
    bench.harness.time += 10_000;
    bench.answer = 500;
    await undecided(bench.harness);
    expect(bench.harness.introspector.state()).toMatchObject({ failures: 1 });
  });

  it('says that it is open, when the endpoint is asked again, and lets one through then', async () => {
    const bench = over(500, { random: () => 0.5 });
    const { harness, calls } = bench;
    for (let count = 1; count <= 4; count++) {
      expect((await undecided(harness, `token-${count}`)).retryAfterMs).toBeUndefined();
    }
    expect(await undecided(harness, 'token-5')).toMatchObject({ retryAfterMs: 750 });
    const opened = harness.events.map((event) => 'breakerOpen' in event && event.breakerOpen);
    expect(opened).toEqual([false, false, false, false, true]);
    harness.time += 749;
    expect(await undecided(harness)).toMatchObject({
      message: `${issuer} is not asked while its endpoint fails`,
      issuer,
      retryAfterMs: 1,
    });
    expect(calls()).toBe(5);
    harness.time += 1000;
    bench.answer = 400;
    // The time is over: nobody can say how long it will be.
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 0 });
    expect(calls()).toBe(6);
  });
});

describe('one call for many', () => {
  it('a call that was forgotten takes no other with it when it ends', async () => {
    const held: (() => void)[] = [];
    const fetch = vi.fn(async () => {
      await new Promise<void>((resolve) => held.push(resolve));
      return Response.json(active);
    });
    const harness = createHarness(place, { fetch });
    const first = ask(harness);
    harness.introspector.forget(token);
    const second = ask(harness);
    await vi.waitFor(() => expect(held).toHaveLength(2));
    held[0]?.();
    await first;
    const third = ask(harness);
    held[1]?.();
    expect(await third).toBe(await second);
    expect(fetch).toHaveBeenCalledTimes(2);
  });

  it('one that ended is not handed out again', async () => {
    const { harness, calls } = over(active);
    expect(await ask(harness)).not.toBe(await ask(harness));
    expect(calls()).toBe(2);
  });

  it('what is too much says so', async () => {
    const harness = createHarness(place, { fetch: () => new Promise(() => {}) });
    const waiting = Array.from({ length: 1065 }, (_, count) => undecided(harness, `token-${count}`));
    expect(await waiting[1064]).toMatchObject({
      reason: 'overloaded',
      message: 'too many tokens to introspect',
      issuer,
      retryAfterMs: 1000,
    });
  });
});

describe('what instances share', () => {
  function sharing(text: unknown, changes: Partial<IntrospectorOptions> = {}) {
    const store = {
      get: vi.fn(() => text as string | undefined),
      set: vi.fn<TextStore['set']>(),
      delete: vi.fn<TextStore['delete']>(),
    };
    return Object.assign(over(active, { store, ...changes }), { store });
  }
  const entry = (storedAt: unknown, claims: object = { active: true, sub: 'a' }): string =>
    JSON.stringify({ claims, storedAt });
  const isHit = async ({ harness }: ReturnType<typeof sharing>): Promise<boolean> => {
    const answer = await ask(harness);
    return !(answer instanceof Fault) && answer.claims.sub === 'a';
  };

  it('is the answer, and until when it may be believed', async () => {
    const { harness, store } = sharing(undefined);
    await ask(harness);
    expect(store.set).toHaveBeenCalledExactlyOnceWith(
      store.get.mock.lastCall?.join(),
      JSON.stringify({ claims: active, storedAt: nowMs }),
      nowMs + 30_000,
    );
  });

  it('is nothing that has expired', async () => {
    for (const exp of [nowSeconds, nowSeconds - 1]) {
      const bench = sharing(undefined);
      bench.answer = { ...active, exp };
      await ask(bench.harness);
      expect(bench.store.set).not.toHaveBeenCalled();
    }
  });

  it.each<[string, unknown, boolean]>([
    ['of now', entry(nowMs), true],
    ['of long ago, to its very end', entry(nowMs - 29_999), true],
    ['that is over', entry(nowMs - 30_000), false],
    ['of a clock that is ahead, no further than it lasts', entry(nowMs + 30_000), true],
    ['of a clock that is too far ahead', entry(nowMs + 30_001), false],
    ['of no time', entry(undefined), false],
    ['of a time in text', entry(`${nowMs}`), false],
    ['that is inactive', entry(nowMs, { active: false, sub: 'a' }), false],
    ['that is not quite active', entry(nowMs, { active: 'true', sub: 'a' }), false],
    ['of another issuer', entry(nowMs, { active: true, sub: 'a', iss: 'https://other' }), false],
    ['of a refresh token', entry(nowMs, { active: true, sub: 'a', token_type: 'refresh_token' }), false],
    ['in bytes', Buffer.from(entry(nowMs)), false],
    ['of null', null, false],
  ])('an entry %s: %s %s', async (_, text, expected) => {
    expect(await isHit(sharing(text))).toBe(expected);
  });

  it.each<[string, unknown]>([
    ['of null', 'null'],
    ['of a list', '[]'],
    ['without claims', '{"storedAt":1}'],
    ['whose claims are no object', '{"claims":true,"storedAt":1}'],
    ['that is inactive', entry(1, { active: false })],
    ['that says nothing', entry(1, {})],
    ['of no time', entry(undefined)],
    ['of a time in text', entry('1')],
  ])('an entry %s is none', async (_, text) => {
    const { store } = sharing(text);
    const identity = { issuer, clientId: 'orders', endpoint: () => place, response: 'json' } as const;
    const read = () => createIntrospectionStore({ ...identity, store, now: () => nowMs }).read(token);
    expect(await read()).toBeUndefined();
    store.get.mockReturnValue(entry(1));
    expect(await read()).toEqual({ claims: { active: true, sub: 'a' }, storedAt: 1 });
  });

  it('an entry from ahead lasts no longer than one of now', async () => {
    const { harness } = sharing(entry(nowMs + 20_000));
    expect(await ask(harness)).toMatchObject({ believedUntilMs: nowMs + 30_000 });
  });

  it('is not looked for while the endpoint is unknown, which is part of its name', async () => {
    const endpoint = () => Promise.reject(new Error('no metadata'));
    const { harness, store } = sharing(entry(nowMs), { endpoint });
    expect(await undecided(harness)).toMatchObject({ message: 'response_malformed: unexpected failure' });
    harness.introspector.forget(token);
    await new Promise((resolve) => setImmediate(resolve));
    expect(store.get).not.toHaveBeenCalled();
    expect(store.delete).not.toHaveBeenCalled();
  });

  it('a store that cannot forget breaks nothing', async () => {
    const { harness, store } = sharing(undefined);
    store.delete.mockImplementation(() => {
      throw new Error('down');
    });
    harness.introspector.forget(token);
    await vi.waitFor(() => expect(store.delete).toHaveBeenCalledOnce());
    expect(await ask(harness)).toHaveProperty('claims', active);
  });
});
