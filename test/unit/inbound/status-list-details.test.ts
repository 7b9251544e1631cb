/** What operators read of status lists, which of them count, to the very edge, and how many are kept. */
import { deflateSync } from 'node:zlib';
import { describe, expect, it, vi } from 'vitest';
import { createStatusLists } from '../../../src/inbound/status-list.ts';
import { type StatusList, statusAt } from '../../../src/inbound/status-list-token.ts';
import { createVerifier, type ServiceAuthEvent } from '../../../src/index.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';
import { Fault } from '../../../src/shared/fault.ts';
import { createStaticKeySet, parseKeySet } from '../../../src/shared/key-set.ts';
import { fetchTransport } from '../../../src/shared/transport.ts';
import { statusListToken } from '../../helpers/status-lists.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const uri = `${issuer}/status/1?key=hidden`;
const shown = `${issuer}/status/1`;
const name = `the status list ${shown}`;
const MEBIBYTE = 1024 * 1024;

const pack = (bytes: Uint8Array, bits = 1): object => ({
  status_list: { bits, lst: deflateSync(bytes).toString('base64url') },
});

/** A verifier, and what the place of the list answers from now on. */
function bench(answer: () => Response | Promise<Response>) {
  const events: ServiceAuthEvent[] = [];
  const place = { answer };
  const clock = { time: nowMs };
  const fetch = vi.fn<typeof globalThis.fetch>(async () => place.answer());
  const verifier = createVerifier({
    issuer: { issuer, jwks, statusList: true },
    audience,
    now: () => clock.time,
    fetch,
    onEvent: (event) => events.push(event),
  });
  const judge = async (idx = 0, at: unknown = uri): Promise<string> => {
    const status = { status_list: { idx, uri: at } };
    const token = await mint(key, { jti: `${idx}`, exp: nowSeconds + 3600, status });
    const outcome = await verifier.verifyToken(token);
    return outcome.ok ? 'accepted' : outcome.rejection.reason;
  };
  return { judge, events, clock, fetch, place };
}

const list = (claims: object = {}, header: object = {}) => {
  return async () => new Response(`\n${await statusListToken(key, uri, [0, 1], claims, header)} `);
};

describe('a list that does not count', () => {
  it.each<[string, object, object]>([
    ['names another list as its sub', { sub: `${uri}0` }, {}],
    ['names another list as its sub', { sub: undefined }, {}],
    ['has no iat', { iat: undefined }, {}],
    ['has no iat', { iat: `${nowSeconds}` }, {}],
    ['has no iat', { iat: -1 }, {}],
    ['was issued in the future', { iat: nowSeconds + 301 }, {}],
    ['has an exp that is no number', { exp: 'never' }, {}],
    ['has an exp that is no number', { exp: null }, {}],
    ['has an exp that is no number', { exp: -1 }, {}],
    ['has expired', { exp: nowSeconds }, {}],
    ['has a ttl that is no number', { ttl: '300' }, {}],
    ['has a ttl that is no number', { ttl: -1 }, {}],
    ['cannot be unpacked', { status_list: undefined }, {}],
    ['cannot be unpacked', { status_list: 'AAAA' }, {}],
    ['cannot be unpacked', pack(new Uint8Array(1), 3), {}],
    ['cannot be unpacked', pack(new Uint8Array(1), 16), {}],
    ['cannot be unpacked', { status_list: { bits: '1', lst: 'eJxjAAAAAQAB' } }, {}],
    ['cannot be unpacked', { status_list: { bits: 1, lst: 7 } }, {}],
    ['cannot be unpacked', { status_list: { bits: 1, lst: '*' } }, {}],
    ['cannot be unpacked', { status_list: { bits: 1, lst: 'AAAA' } }, {}],
    ['cannot be unpacked', pack(new Uint8Array(16 * MEBIBYTE + 1)), {}],
    ['does not have the typ statuslist+jwt', {}, { typ: 'JWT' }],
    ['is not signed by a key of its issuer', {}, { kid: 'other' }],
  ])('%s: %#', async (what, claims, header) => {
    const { judge, events } = bench(list(claims, header));
    expect(await judge()).toBe('status_unavailable');
    expect(events[0]).toMatchObject({ code: 'response_malformed', message: `${name} ${what}` });
  });

  it.each(['exp', 'iat', 'ttl'])('whose %s is beyond all numbers', async (member) => {
    const claims = { sub: uri, iat: nowSeconds, ...pack(new Uint8Array(1)), [member]: 0 };
    const payload = JSON.stringify(claims).replace(`"${member}":0`, `"${member}":1e999`);
    const { judge } = bench(async () => new Response(await key.sign({ typ: 'statuslist+jwt' }, payload)));
    expect(await judge()).toBe('status_unavailable');
  });

  it('of another issuer, or that is no list, or does not come', async () => {
    const told = async (answer: () => Response | Promise<Response>): Promise<readonly unknown[]> => {
      const { judge, events } = bench(answer);
      expect(await judge()).toBe('status_unavailable');
      return events.flatMap((event) =>
        event.type === 'status_list.refresh_failed' ? [event.code, event.message] : [],
      );
    };
    const mismatch = ['issuer_mismatch', `${name} is of another issuer`];
    expect(await told(list({ iss: 'https://other.example' }))).toEqual(mismatch);
    const large = `${shown} answered with more than ${4 * MEBIBYTE} bytes`;
    const filler = 'a'.repeat(4 * MEBIBYTE + 1);
    expect(await told(() => new Response(filler))).toEqual(['response_too_large', large]);
    expect(await told(() => new Response(filler.slice(1)))).toEqual([
      'response_malformed',
      `${name} is no JWT`,
    ]);
    const missing = ['unexpected_status', `${shown} answered 404`];
    expect(await told(() => new Response(null, { status: 404 }))).toEqual(missing);
  });

  it.each<object>([
    { iat: nowSeconds + 300 },
    { iat: 0 },
    { exp: nowSeconds + 1 },
    { exp: undefined },
    { ttl: 0 },
    { ttl: undefined },
    { iss: issuer },
    pack(new Uint8Array(16 * MEBIBYTE)),
    pack(new Uint8Array(1), 8),
  ])('not so where its claims are right: %#', async (claims) => {
    expect(await bench(list(claims)).judge()).toBe('accepted');
  });
});

describe('a status', () => {
  it.each<[number, readonly (number | undefined)[]]>([
    [1, [0, 1, 0, 1, 1, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, undefined, undefined]],
    [2, [2, 2, 1, 3, 1, 0, 0, 0, undefined]],
    [4, [10, 13, 1, 0, undefined]],
    [8, [218, 1, undefined]],
  ])('of %i bits is found from the lowest up', (bits, statuses) => {
    const found: StatusList = {
      bits,
      bytes: Uint8Array.of(0b1101_1010, 1),
      ttlSeconds: undefined,
      expiresAt: undefined,
    };
    expect(statuses.map((_, index) => statusAt(found, index))).toEqual(statuses);
  });

  it.each<[unknown, unknown, string]>([
    [0, uri, 'accepted'],
    [1, uri, 'status_not_valid'],
    [4, uri, 'status_out_of_range'],
    [Number.MAX_SAFE_INTEGER, uri, 'status_out_of_range'],
    [Number.MAX_SAFE_INTEGER + 1, uri, 'invalid_claim'],
    [0, `${issuer}/${'a'.repeat(2048 - issuer.length)}`, 'invalid_claim'],
  ])('at %j of %s: %s', async (idx, at, expected) => {
    expect(await bench(list()).judge(idx as number, at)).toBe(expected);
  });

  it('of a list whose place is as long as may be', async () => {
    const place = `${issuer}/${'a'.repeat(2048 - issuer.length - 1)}`;
    expect(await bench(list({ sub: place })).judge(0, place)).toBe('accepted');
  });
});

describe('what listeners hear', () => {
  const at = expect.anything();

  it('of a list that came, and how it was asked for', async () => {
    const { judge, events, fetch, clock, place } = bench(list(pack(new Uint8Array(5), 4)));
    const { answer } = place;
    place.answer = () => {
      clock.time += 40;
      return answer();
    };
    await judge();
    expect(events[0]).toEqual({
      type: 'status_list.refreshed',
      uri: shown,
      statuses: 10,
      durationMs: 40,
      at,
    });
    expect(fetch.mock.calls[0]?.[0]).toBe(uri);
    expect(new Headers(fetch.mock.calls[0]?.[1]?.headers).get('accept')).toBe('application/statuslist+jwt');
  });

  it('of one that did not, and of the request', async () => {
    const headers = { 'retry-after': new Date(nowMs + 30_000).toUTCString() };
    const { judge, events } = bench(() => new Response(null, { status: 503, headers }));
    await judge();
    const message = `${shown} answered 503`;
    const failure = { code: 'unexpected_status', message, retryInMs: 30_000, durationMs: 0 };
    expect(events).toEqual([
      { type: 'status_list.refresh_failed', uri: shown, ...failure, at },
      {
        type: 'request.undecided',
        reason: 'status_unavailable',
        issuer,
        retryAfterMs: 30_000,
        message: `unexpected_status: ${message}`,
        durationMs: expect.any(Number),
        at,
      },
    ]);
  });
});

describe('how long a list is kept', () => {
  it.each<[string, object, number]>([
    ['a minute', { ttl: 60 }, 60_000],
    ['five seconds at least', { ttl: 1 }, 5000],
    ['ten minutes where it does not say', { ttl: undefined }, 600_000],
    ['to its exp', { ttl: 60, exp: nowSeconds + 7 }, 7000],
    ['five seconds, though it expires at once', { ttl: 60, exp: nowSeconds + 1 }, 5000],
  ])('%s', async (_, claims, lastsMs) => {
    const { judge, clock, fetch, place } = bench(list(claims));
    await judge();
    place.answer = list({ iat: nowSeconds, exp: undefined });
    // Not in its last fifth, or more, where it may be fetched again behind the back of requests.
    clock.time += lastsMs * 0.59;
    await judge();
    expect(fetch).toHaveBeenCalledOnce();
    clock.time = nowMs + lastsMs;
    await judge();
    expect(fetch).toHaveBeenCalledTimes(2);
  });
});

describe('lists in memory', () => {
  /** How often lists were fetched that have a thousand bytes and are kept within so many. */
  function keeping(maxKeptBytes: number) {
    const clock = { time: nowMs };
    const fetched: string[] = [];
    const lists = createStatusLists({
      issuer,
      keys: createStaticKeySet(parseKeySet(jwks, keyAlgorithms)),
      algorithms: new Set(keyAlgorithms),
      transport: fetchTransport(async (url) => {
        fetched.push(`${url}`.slice(-1));
        const iat = clock.time / 1000;
        const claims = { ...pack(new Uint8Array(1000)), iat, exp: iat + 600, ttl: 60 };
        return new Response(await statusListToken(key, `${url}`, [], claims));
      }),
      now: () => clock.time,
      emit: undefined,
      timeoutMs: 5000,
      maxKeptBytes,
    });
    const ask = async (...names: readonly number[]): Promise<void> => {
      for (const name of names) {
        const status = { status_list: { idx: 0, uri: `https://issuer.example/${name}` } };
        const check = lists.check({ status });
        if (check === undefined || check instanceof Fault) throw new Error('no check');
        expect(await check.judge()).toBeUndefined();
      }
    };
    return { ask, clock, fetched };
  }
  const ofTwo = 2 * (1000 + 4096);

  it.each<[number, readonly string[]]>([
    [ofTwo, ['1', '2']],
    [ofTwo - 1, ['1', '2', '1', '2']],
  ])('within %i bytes', async (maxKeptBytes, expected) => {
    const { ask, fetched } = keeping(maxKeptBytes);
    await ask(1, 2, 1, 2);
    expect(fetched).toEqual(expected);
  });

  it('that are fetched again take no more room than before', async () => {
    const { ask, clock, fetched } = keeping(ofTwo);
    await ask(1, 2);
    for (let turn = 0; turn < 10; turn++) {
      clock.time += 600_000;
      await ask(1, 2);
    }
    const before = fetched.length;
    await ask(1, 2);
    expect(fetched).toHaveLength(before);
  });
});
