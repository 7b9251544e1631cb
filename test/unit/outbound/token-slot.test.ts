import { describe, expect, it } from 'vitest';
import { ServiceAuthError } from '../../../src/errors.ts';
import { type HeldToken, holdToken } from '../../../src/outbound/held-token.ts';
import { createTokenSlot, type TokenSlotOptions } from '../../../src/outbound/token-slot.ts';
import { createClock, createDeferred, type Deferred, rejection } from './support.ts';

const MINUTE = 60_000;

/** A slot whose requests are answered by hand. */
function createBench(options: Partial<TokenSlotOptions> = {}) {
  const clock = createClock();
  const requests: Deferred<HeldToken>[] = [];
  const log: string[] = [];
  const slot = createTokenSlot({
    aheadMs: MINUTE,
    mandatoryMs: 1000,
    now: clock.now,
    random: () => 0,
    request: () => {
      const request = createDeferred<HeldToken>();
      requests.push(request);
      return request.promise;
    },
    onRefreshed: ({ token }, background) =>
      log.push(`${token.accessToken} ${background ? 'behind' : 'waited for'}`),
    onFailed: ({ code }) => log.push(code),
    onReused: ({ token }) => log.push(`${token.accessToken} reused`),
    ...options,
  });
  const tokenFor = (name: string, lifetimeMs: number): HeldToken => {
    const expiresAt = clock.now() + lifetimeMs;
    return holdToken({ accessToken: name, tokenType: 'Bearer', expiresAt, scope: undefined }, undefined);
  };
  return {
    slot,
    clock,
    requests,
    log,
    /** Answers the oldest open request and waits until the slot has seen it. */
    async answer(name: string, lifetimeMs = 10 * MINUTE): Promise<HeldToken> {
      const token = tokenFor(name, lifetimeMs);
      requests.at(-1)?.resolve(token);
      await settled(slot);
      return token;
    },
    async fail(retryAfterMs?: number): Promise<void> {
      requests
        .at(-1)
        ?.reject(new ServiceAuthError('unexpected_status', 'it fails', { status: 503, retryAfterMs }));
      await settled(slot);
    },
  };
}

async function settled(slot: { state(): { requesting: boolean } }): Promise<void> {
  for (let turns = 0; slot.state().requesting; turns++) {
    if (turns > 100) throw new Error('the slot never settled');
    await Promise.resolve();
  }
}

async function filled(lifetimeMs = 10 * MINUTE, options: Partial<TokenSlotOptions> = {}) {
  const bench = createBench(options);
  const first = bench.slot.read();
  await bench.answer('first', lifetimeMs);
  await first;
  return bench;
}

describe('a token slot', () => {
  it('answers synchronously from memory', async () => {
    const { slot, requests } = await filled();
    expect(slot.read()).not.toBeInstanceOf(Promise);
    expect(requests).toHaveLength(1);
  });

  it('shares one request between all who wait', async () => {
    const bench = createBench();
    const waiting = Array.from({ length: 50 }, () => bench.slot.read());
    const token = await bench.answer('only');
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([token]));
    expect(bench.requests).toHaveLength(1);
    expect(bench.log).toEqual(['only waited for']);
  });

  it('renews behind the back of callers once the window begins, and delays none of them', async () => {
    const bench = await filled();
    bench.clock.advance(9 * MINUTE - 1);
    expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
    expect(bench.requests).toHaveLength(1);
    bench.clock.advance(1);
    for (let calls = 0; calls < 5; calls++) {
      expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
    }
    expect(bench.requests).toHaveLength(2);
    await bench.answer('second');
    expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'second' } });
    expect(bench.log).toEqual(['first waited for', 'second behind']);
  });

  it.each([
    ['the whole window', 0, MINUTE],
    ['a little less', 0.5, 0.9 * MINUTE],
  ])('spreads the beginning of the window: %s', async (_, random, windowMs) => {
    const { slot } = await filled(10 * MINUTE, { random: () => random });
    const { token } = slot.state();
    expect((token?.expiresAt ?? 0) - (token?.refreshAt ?? 0)).toBeCloseTo(windowMs, 3);
  });

  it('never makes the window longer than half the lifetime', async () => {
    const { slot, clock } = await filled(MINUTE);
    expect(slot.state().token?.refreshAt).toBe(clock.now() + MINUTE / 2);
  });

  it('has no window where none is wanted', async () => {
    const bench = await filled(10 * MINUTE, { aheadMs: 0 });
    bench.clock.advance(10 * MINUTE - 1001);
    expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
    expect(bench.requests).toHaveLength(1);
  });

  it.each([
    [10 * MINUTE, 1000],
    [5000, 500],
  ])('a token of %i ms is not used in its last %i ms', async (lifetimeMs, marginMs) => {
    const bench = await filled(lifetimeMs, { aheadMs: 0 });
    bench.clock.advance(lifetimeMs - marginMs - 1);
    expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
    bench.clock.advance(1);
    const waiting = bench.slot.read();
    expect(waiting).toBeInstanceOf(Promise);
    await bench.answer('second');
    expect(await waiting).toMatchObject({ token: { accessToken: 'second' } });
  });

  it('lets a call that finds the token expired join the refresh under way', async () => {
    const bench = await filled();
    bench.clock.advance(9.5 * MINUTE);
    bench.slot.read();
    bench.clock.advance(MINUTE);
    const waiting = bench.slot.read();
    await bench.answer('second');
    expect(await waiting).toMatchObject({ token: { accessToken: 'second' } });
    expect(bench.requests).toHaveLength(2);
  });
});

describe('a token slot whose refresh fails', () => {
  it('goes on with the valid token, and tries again after a growing pause', async () => {
    const bench = await filled();
    bench.clock.advance(9 * MINUTE);
    for (const [attempt, pauseMs] of [500, 1000, 2000, 4000].entries()) {
      expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
      expect(bench.requests).toHaveLength(attempt + 2);
      await bench.fail();
      bench.clock.advance(pauseMs - 1);
      expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
      expect(bench.requests).toHaveLength(attempt + 2);
      bench.clock.advance(1);
    }
    expect(bench.log.slice(1, 3)).toEqual(['unexpected_status', 'first reused']);
    bench.slot.read();
    await bench.answer('second');
    expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'second' } });
    expect(bench.slot.state().lastError).toBeUndefined();
  });

  it('honours Retry-After in the background', async () => {
    const bench = await filled(60 * MINUTE, { aheadMs: 10 * MINUTE });
    bench.clock.advance(55 * MINUTE);
    bench.slot.read();
    await bench.fail(30_000);
    bench.clock.advance(30_000);
    bench.slot.read();
    expect(bench.requests).toHaveLength(2);
    bench.clock.advance(500);
    bench.slot.read();
    expect(bench.requests).toHaveLength(3);
  });

  it('rejects once the token is no longer usable, with what went wrong', async () => {
    const bench = await filled();
    bench.clock.advance(10 * MINUTE);
    const waiting = [
      rejection(Promise.resolve(bench.slot.read())),
      rejection(Promise.resolve(bench.slot.read())),
    ];
    await bench.fail();
    const [one, other] = await Promise.all(waiting);
    expect(one).toMatchObject({ code: 'unexpected_status', status: 503 });
    expect(other).toBe(one);
    expect(bench.log).toEqual(['first waited for', 'unexpected_status']);
  });

  it('refuses calls without a request while Retry-After lasts, at most a minute', async () => {
    const bench = createBench();
    const first = rejection(Promise.resolve(bench.slot.read()));
    await bench.fail(3_600_000);
    expect(await first).toMatchObject({ retryAfterMs: 3_600_000 });
    bench.clock.advance(20_000);
    expect(await rejection(Promise.resolve(bench.slot.read()))).toMatchObject({
      code: 'unexpected_status',
      status: 503,
      retryAfterMs: 40_000,
    });
    expect(bench.requests).toHaveLength(1);
    bench.clock.advance(40_000);
    const second = bench.slot.read();
    await bench.answer('late');
    expect(await second).toMatchObject({ token: { accessToken: 'late' } });
  });

  it('lets calls try again at once after the first failures, then slows them down a little', async () => {
    const bench = createBench();
    for (let failures = 1; failures <= 3; failures++) {
      const call = rejection(Promise.resolve(bench.slot.read()));
      expect(bench.requests).toHaveLength(failures);
      await bench.fail();
      await call;
    }
    expect(await rejection(Promise.resolve(bench.slot.read()))).toMatchObject({ retryAfterMs: 100 });
    expect(bench.requests).toHaveLength(3);
    bench.clock.advance(100);
    const call = bench.slot.read();
    expect(bench.requests).toHaveLength(4);
    await bench.answer('well');
    await call;
  });

  it('never slows calls down by more than two seconds of its own accord', async () => {
    const bench = createBench();
    for (let failures = 0; failures < 40; failures++) {
      const call = rejection(Promise.resolve(bench.slot.read()));
      await bench.fail();
      await call;
      bench.clock.advance(2000);
    }
    expect(bench.requests).toHaveLength(40);
  });

  it('hides the message of a foreign error', async () => {
    const bench = createBench();
    const call = rejection(Promise.resolve(bench.slot.read()));
    bench.requests[0]?.reject(new Error('with a secret in it'));
    expect(await call).toMatchObject({ code: 'network_failed', message: 'the token could not be requested' });
  });
});

describe('renew', () => {
  it('asks although the token is usable, and keeps it if that fails', async () => {
    const bench = await filled();
    const renewing = rejection(Promise.resolve(bench.slot.renew()));
    expect(bench.requests).toHaveLength(2);
    await bench.fail();
    expect(await renewing).toMatchObject({ code: 'unexpected_status' });
    expect(bench.slot.read()).toMatchObject({ token: { accessToken: 'first' } });
  });

  it('joins a request under way', async () => {
    const bench = await filled();
    const renewing = [bench.slot.renew(), bench.slot.renew()];
    await bench.answer('second');
    expect(await Promise.all(renewing)).toMatchObject([
      { token: { accessToken: 'second' } },
      { token: { accessToken: 'second' } },
    ]);
    expect(bench.requests).toHaveLength(2);
  });

  it('asks nobody if the refused token was replaced already', async () => {
    const bench = await filled();
    const refused = await bench.slot.read();
    const renewing = bench.slot.renew(refused);
    await bench.answer('second');
    await renewing;
    expect(bench.slot.renew(refused)).toMatchObject({ token: { accessToken: 'second' } });
    expect(bench.requests).toHaveLength(2);
  });
});
