/** What a client makes of token requests that fail: how long it waits, by any clock, and what goes on serving. */
import { describe, expect, it, vi } from 'vitest';
import { ServiceAuthError } from '../../../src/errors.ts';
import { type HeldToken, holdToken } from '../../../src/outbound/held-token.ts';
import { repeatRefusal } from '../../../src/outbound/repeated-refusal.ts';
import { createTokenSlot, type TokenSlotOptions } from '../../../src/outbound/token-slot.ts';
import { createClock, rejection } from './support.ts';

const MINUTE = 60_000;

/** A slot whose requests give a token of ten minutes, or reject with the failure that is set. */
function createBench(options: Partial<TokenSlotOptions> = {}) {
  const clock = createClock();
  const state: { failure?: unknown } = {};
  const log: unknown[] = [];
  let count = 0;
  const request = vi.fn<TokenSlotOptions['request']>(async () => {
    if (state.failure !== undefined) throw state.failure;
    const expiresAt = clock.now() + 10 * MINUTE;
    const fields = { accessToken: `token-${++count}`, tokenType: 'Bearer', expiresAt, scope: 'a' } as const;
    return holdToken(fields, undefined);
  });
  const slot = createTokenSlot({
    aheadMs: MINUTE,
    mandatoryMs: 1000,
    now: clock.now,
    random: () => 0,
    request,
    onRefreshed: ({ token }, background, leadMs) => log.push([token.accessToken, background, leadMs]),
    onFailed: ({ code }) => log.push(code),
    onReused: ({ token }) => log.push(`${token.accessToken} reused`),
    ...options,
  });
  const settled = async (): Promise<void> => {
    while (slot.state().requesting) await Promise.resolve();
  };
  return {
    slot,
    clock,
    request,
    log,
    settled,
    fails: (failure: unknown = down()): void => {
      state.failure = failure;
    },
    works: (): void => {
      delete state.failure;
    },
    /** The token's text, also where it is there at once. */
    read: async (): Promise<string> => (await slot.read()).token.accessToken,
    refused: async (): Promise<unknown> => rejection(Promise.resolve(slot.read())),
  };
}

const down = (retryAfterMs?: number): ServiceAuthError =>
  new ServiceAuthError('unexpected_status', 'it fails', { status: 503, oauthError: 'x', retryAfterMs });

describe('the next attempt in the background', () => {
  it.each<[string, number, readonly number[]]>([
    ['at the soonest', 0, [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]],
    ['at the latest', 1, [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000]],
  ])('comes %s after a growing pause', async (_, random, pauses) => {
    const { slot, clock, fails, refused } = createBench({ random: () => random });
    fails();
    for (const pauseMs of pauses) {
      await refused();
      expect(slot.state().lastError).toEqual({
        at: clock.now(),
        code: 'unexpected_status',
        status: 503,
        oauthError: 'x',
        message: 'it fails',
        retryAt: clock.now() + pauseMs,
      });
      clock.advance(MINUTE);
    }
  });

  it('comes after what the server asked for, a minute at most, in whole milliseconds', async () => {
    for (const [askedMs, waitMs] of [
      [7000, 7501],
      [3_600_000, 60_501],
    ] as const) {
      const { slot, clock, fails, refused } = createBench({ random: () => 0.0001 });
      fails(down(askedMs));
      await refused();
      expect(slot.state().lastError).toMatchObject({ retryAt: clock.now() + waitMs });
    }
  });
});

describe('calls that need a token', () => {
  it('are refused for a moment after the third failure, which grows to two seconds', async () => {
    const { clock, fails, refused, request } = createBench();
    fails();
    for (const pauseMs of [0, 0, 100, 200, 400, 800, 1600, 2000, 2000]) {
      const before = request.mock.calls.length;
      await refused();
      expect(request).toHaveBeenCalledTimes(before + 1);
      if (pauseMs === 0) continue;
      clock.advance(pauseMs - 1);
      expect(await refused()).toMatchObject({ code: 'unexpected_status', status: 503, retryAfterMs: 1 });
      expect(request).toHaveBeenCalledTimes(before + 1);
      clock.advance(1);
    }
  });

  it('are refused for as long as the server asked, even after the first', async () => {
    const { clock, fails, refused, request, works, read } = createBench();
    fails(down(7000));
    await refused();
    works();
    clock.advance(6999);
    expect(await refused()).toMatchObject({ message: 'it fails', oauthError: 'x', retryAfterMs: 1 });
    clock.advance(1);
    expect(await read()).toBe('token-1');
    expect(request).toHaveBeenCalledTimes(2);
  });

  it('are not refused for longer because the clock was set back', async () => {
    const { clock, fails, refused, request, works, read } = createBench();
    fails(down(7000));
    await refused();
    works();
    clock.advance(-1);
    expect(await read()).toBe('token-1');
    expect(request).toHaveBeenCalledTimes(2);
  });

  it('begin anew after a success', async () => {
    const { clock, fails, refused, works, read, slot } = createBench();
    for (let turn = 0; turn < 2; turn++) {
      fails();
      await refused();
      await refused();
      works();
      await read();
      expect(slot.state().lastError).toBeUndefined();
      clock.advance(20 * MINUTE);
    }
  });

  it('look again at once after a refusal that was told from memory, which counts as none', async () => {
    const { slot, clock, fails, refused, request, log } = createBench();
    fails();
    await refused();
    fails(repeatRefusal(down(), 5000));
    for (let turn = 0; turn < 3; turn++) {
      expect(await refused()).toMatchObject({ retryAfterMs: 5000 });
      expect(slot.state().lastError).toMatchObject({ at: clock.now(), retryAt: clock.now() + 1000 });
    }
    expect(request).toHaveBeenCalledTimes(4);
    expect(log).toEqual(['unexpected_status']);
  });

  it('see nothing of what a foreign transport says', async () => {
    const { fails, refused, log } = createBench();
    fails(new Error('with a secret in it'));
    const error = { code: 'network_failed', message: 'the token could not be requested' };
    expect(await refused()).toMatchObject(error);
    expect(log).toEqual(['network_failed']);
  });
});

describe('a token that is there', () => {
  it('serves in its last moments where no other can be had, and not once it has expired', async () => {
    const { clock, fails, read, refused, log } = createBench();
    await read();
    fails();
    clock.advance(10 * MINUTE - 1000);
    expect(await read()).toBe('token-1');
    clock.advance(999);
    expect(await read()).toBe('token-1');
    clock.advance(1);
    expect(await refused()).toMatchObject({ code: 'unexpected_status' });
    const failed = ['unexpected_status', 'token-1 reused'];
    expect(log).toEqual([['token-1', false, undefined], ...failed, ...failed, 'unexpected_status']);
  });

  it('is told to be reused by the refresh behind, not by who asked for another', async () => {
    const { slot, clock, fails, read, log, settled } = createBench();
    await read();
    fails();
    await rejection(Promise.resolve(slot.renew()));
    expect(log.slice(1)).toEqual(['unexpected_status']);
    clock.advance(9 * MINUTE);
    await read();
    await settled();
    expect(log.slice(2)).toEqual(['unexpected_status', 'token-1 reused']);
  });

  it('is not told to be reused by a refresh that ended too late for it', async () => {
    const { clock, request, read, log, settled } = createBench();
    await read();
    clock.advance(9 * MINUTE);
    request.mockImplementationOnce(async () => {
      clock.advance(MINUTE - 1000);
      throw down();
    });
    await read();
    await settled();
    expect(log.slice(1)).toEqual(['unexpected_status']);
  });

  it('is renewed behind, with what was left of it', async () => {
    const { clock, read, log, settled } = createBench();
    await read();
    clock.advance(9.5 * MINUTE);
    expect(await read()).toBe('token-1');
    await settled();
    expect(await read()).toBe('token-2');
    expect(log).toEqual([
      ['token-1', false, undefined],
      ['token-2', true, MINUTE / 2],
    ]);
  });

  it('is renewed where the clock was set back behind its beginning, once', async () => {
    const { clock, read, request, settled } = createBench();
    await read();
    expect(await read()).toBe('token-1');
    expect(request).toHaveBeenCalledOnce();
    clock.advance(-1);
    expect(await read()).toBe('token-1');
    await settled();
    expect(await read()).toBe('token-2');
    expect(request).toHaveBeenCalledTimes(2);
  });

  it('a refresh that failed is tried again once the clock was set back', async () => {
    const { clock, fails, read, request, settled } = createBench();
    await read();
    clock.advance(9.5 * MINUTE);
    fails();
    await read();
    await settled();
    clock.advance(499);
    await read();
    expect(request).toHaveBeenCalledTimes(2);
    clock.advance(-500);
    await read();
    expect(request).toHaveBeenCalledTimes(3);
  });
});

describe('what a request is told', () => {
  it("which token is to be replaced, and whether another instance's will do", async () => {
    const { slot, read, clock, request, settled } = createBench();
    await read();
    const first = slot.held();
    await slot.renew();
    const second = slot.held();
    await slot.renew(second);
    const third = slot.held();
    clock.advance(9.5 * MINUTE);
    await read();
    await settled();
    expect(request.mock.calls).toEqual([
      [undefined, false],
      [first, true],
      [second, false],
      [third, false],
    ]);
    expect(await slot.renew(third)).toBe(slot.held());
    expect(request).toHaveBeenCalledTimes(4);
  });

  it('nothing is replaced that was never there', async () => {
    const { slot, request } = createBench();
    const stranger: HeldToken = holdToken(
      { accessToken: 'other', tokenType: 'Bearer', expiresAt: 0, scope: undefined },
      undefined,
    );
    await slot.renew(stranger);
    expect(request.mock.calls).toEqual([[undefined, false]]);
  });
});
