/** Neither memory nor handles grow with the number of calls, whatever these are. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { isServiceAuthError } from '../../../src/errors.ts';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import type { AuthedFetchOptions } from '../../../src/outbound/authed-fetch-options.ts';
import { createClock } from './support.ts';

setFlagsFromString('--expose-gc');
const collect: unknown = runInNewContext('gc');

const MIB = 1024 * 1024;

/** Bytes that are alive, once what is to be done later was done. */
async function heap(): Promise<number> {
  if (typeof collect !== 'function') throw new Error('there is no gc');
  for (let turn = 0; turn < 3; turn++) {
    await new Promise((resolve) => setImmediate(resolve));
    collect();
  }
  return process.memoryUsage().heapUsed;
}

/** The test runner has timers of its own, which come and go: none may be added. */
const resources = (): number => process.getActiveResourcesInfo().length;

/** Runs the work once to fill what is kept, then again: by that much more is alive. */
async function growth(work: (round: number) => Promise<void>): Promise<number> {
  const handles = resources();
  await work(0);
  const before = await heap();
  await work(1);
  const grown = (await heap()) - before;
  expect(resources()).toBeLessThanOrEqual(handles);
  return grown;
}

const service = 'https://orders.internal';

/** Tokens of a minute; the network keeps nothing of what went through it. */
function createBench(options: Partial<AuthedFetchOptions> = {}, answer?: (headers: Headers) => Response) {
  const clock = createClock();
  const counts = { tokens: 0, calls: 0 };
  const call = createAuthedFetch({
    tokenEndpoint: 'https://idp.example/token',
    clientId: 'billing',
    clientSecret: 'secret',
    targets: [service],
    now: clock.now,
    onEvent: () => {},
    ...options,
    async fetch(input, init) {
      init?.signal?.throwIfAborted();
      const headers = new Headers(init?.headers);
      if (input !== 'https://idp.example/token') {
        counts.calls++;
        return answer?.(headers) ?? new Response(null, { status: 204 });
      }
      const token = { access_token: `token-${++counts.tokens}`.padEnd(1000, 'x'), expires_in: 60 };
      return Response.json({ ...token, token_type: headers.has('dpop') ? 'DPoP' : 'Bearer' });
    },
  });
  return { call, clock, counts };
}

describe('memory and handles', { timeout: 120_000 }, () => {
  it('100,000 calls, over 80 lifetimes of tokens', async () => {
    const { call, clock, counts } = createBench();
    const grown = await growth(async () => {
      for (let one = 0; one < 50_000; one++) {
        await call(`${service}/${one}`);
        clock.advance(100);
      }
    });
    expect(counts.calls).toBe(100_000);
    expect(counts.tokens).toBeGreaterThan(80);
    expect(grown).toBeLessThan(2 * MIB);
  });

  it('20,000 calls with proofs, keys that rotate, and a nonce with each answer', async () => {
    let nonces = 0;
    const { call, clock, counts } = createBench(
      { dpop: { rotate: true } },
      () => new Response(null, { headers: { 'dpop-nonce': `nonce-${++nonces}` } }),
    );
    const grown = await growth(async () => {
      for (let one = 0; one < 10_000; one++) {
        await call(`${service}/${one}`);
        clock.advance(100);
      }
    });
    expect(counts.tokens).toBeGreaterThan(10);
    expect(grown).toBeLessThan(2 * MIB);
  });

  it('20,000 subjects, then 20,000 others: as many are kept as at first, and none after close', async () => {
    const empty = await heap();
    const { call, counts } = createBench();
    const grown = await growth(async (round) => {
      for (let one = 0; one < 20_000; one++) {
        await call.tokens.exchange({ subjectToken: `subject-${round}-${one}`.padEnd(1000, 'x') });
      }
    });
    expect(counts.tokens).toBe(40_000);
    expect(grown).toBeLessThan(5 * MIB);
    call.close();
    expect((await heap()) - empty).toBeLessThan(5 * MIB);
  });

  it('20,000 callers on whose behalf calls are made', async () => {
    const { call } = createBench();
    const grown = await growth(async (round) => {
      for (let one = 0; one < 20_000; one++) await call.onBehalfOf(`caller-${round}-${one}`)(`${service}/`);
    });
    expect(grown).toBeLessThan(5 * MIB);
  });

  it('tokens of 10,000 scopes and resources', async () => {
    const { call } = createBench();
    const grown = await growth(async (round) => {
      for (let one = 0; one < 10_000; one++) {
        await call.tokens.getToken({ scope: `scope-${round}-${one}`, resource: `https://${one}.example` });
      }
    });
    expect(grown).toBeLessThan(2 * MIB);
  });

  it('20,000 origins, each with its nonce and clock, and refusals of each', async () => {
    const { call, clock } = createBench({ targets: '*', dpop: true }, () => {
      const date = new Date(clock.now() + 60_000).toUTCString();
      const headers = {
        'dpop-nonce': 'n'.repeat(500),
        date,
        'www-authenticate': 'DPoP error="invalid_token"',
      };
      return new Response(null, { status: 401, headers });
    });
    const grown = await growth(async (round) => {
      for (let one = 0; one < 10_000; one++) {
        await call(`https://host-${round}-${one}.example/`);
        clock.advance(10);
      }
    });
    expect(grown).toBeLessThan(3 * MIB);
  });

  it('20,000 calls that are aborted while the request that they wait for goes on', async () => {
    const { call } = createBench({ clientSecret: () => new Promise<string>(() => {}), timeoutMs: 600_000 });
    const handles = resources();
    const abortAll = async (): Promise<void> => {
      for (let batch = 0; batch < 20; batch++) {
        const controllers = Array.from({ length: 500 }, () => new AbortController());
        const waiting = controllers.map(({ signal }) =>
          call(`${service}/`, { signal }).catch(() => 'aborted'),
        );
        await new Promise((resolve) => setImmediate(resolve));
        for (const controller of controllers) controller.abort();
        expect(new Set(await Promise.all(waiting))).toEqual(new Set(['aborted']));
      }
    };
    await abortAll();
    const before = await heap();
    await abortAll();
    expect((await heap()) - before).toBeLessThan(8 * MIB);
    call.close();
    expect((await heap()) - before).toBeLessThan(2 * MIB);
    expect(resources()).toBeLessThanOrEqual(handles);
  });

  it('50,000 calls under one signal that outlives them all', async () => {
    const { signal } = new AbortController();
    const { call, clock } = createBench();
    const grown = await growth(async () => {
      for (let one = 0; one < 25_000; one++) {
        await call(`${service}/${one}`, { signal });
        clock.advance(100);
      }
    });
    expect(grown).toBeLessThan(2 * MIB);
  });

  it('10,000 calls whose token cannot be had', async () => {
    const { call, clock } = createBench({
      clientSecret: () => Promise.reject(new Error('no vault')),
    });
    const grown = await growth(async () => {
      for (let one = 0; one < 5000; one++) {
        const error: unknown = await call(`${service}/${one}`).catch((reason: unknown) => reason);
        if (!isServiceAuthError(error) || error.code !== 'client_auth_failed') throw error;
        clock.advance(3000);
      }
    });
    expect(grown).toBeLessThan(2 * MIB);
  });
});
