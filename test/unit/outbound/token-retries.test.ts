/** Which token requests are made once more, with what, and which are not. */
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { createTokenClient } from '../../../src/outbound/token-client.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import type { ClientAuth } from '../../../src/shared/client-auth.ts';
import { createMemoryTokenStore } from '../../../src/shared/memory-token-store.ts';
import { createNetwork, type Reply, refusal, type Sent, tokenAnswer } from './in-process.ts';
import { createClock, rejection } from './support.ts';

const issuer = 'https://idp.example';
const tokenEndpoint = `${issuer}/token`;
const secrets = ['new-secret', 'old-secret'];

function createBench(reply: Reply, options: Partial<TokenClientOptions> = {}) {
  const clock = createClock();
  const network = createNetwork({ '/token': reply });
  const tokens = createTokenClient({
    tokenEndpoint,
    clientId: 'billing',
    clientSecret: secrets,
    now: clock.now,
    random: () => 0,
    ...options,
    fetch: network.fetch,
  });
  return { tokens, clock, sent: network.sent };
}

const secretOf = ({ headers }: Sent): string | undefined =>
  atob((headers.get('authorization') ?? '').slice('Basic '.length)).split(':')[1];
const nonceOf = ({ headers }: Sent): unknown => decodeJwt(headers.get('dpop') ?? '').nonce;
const later = (clock: { now(): number }): Record<string, string> => ({
  date: new Date(clock.now() + 3_600_000).toUTCString(),
});

describe('with the next secret', () => {
  it('goes what was refused for the client, not what met an outage', async () => {
    const { tokens, sent } = createBench(() => refusal('invalid_client', 500));
    for (let round = 1; round <= 2; round++) {
      expect(await rejection(tokens.getToken())).toMatchObject({ code: 'unexpected_status', status: 500 });
      expect(sent.map(secretOf)).toEqual(Array(round).fill('new-secret'));
    }
  });

  it('goes nothing that only lacked a nonce', async () => {
    const { tokens, sent } = createBench(
      (request) =>
        nonceOf(request) === 'n-1'
          ? tokenAnswer('t', { token_type: 'DPoP' })
          : refusal('use_dpop_nonce', 400, { 'dpop-nonce': 'n-1' }),
      { dpop: true },
    );
    await tokens.getToken();
    expect(sent.map(secretOf)).toEqual(['new-secret', 'new-secret']);
    expect(sent.map(nonceOf)).toEqual([undefined, 'n-1']);
  });

  it('goes what lacked a nonce first and was refused then', async () => {
    const { tokens, sent } = createBench(
      (request, count) => {
        if (count === 1) return refusal('use_dpop_nonce', 400, { 'dpop-nonce': 'n-1' });
        const isGood = secretOf(request) === 'old-secret';
        return isGood ? tokenAnswer('t', { token_type: 'DPoP' }) : refusal('invalid_client', 401);
      },
      { dpop: true },
    );
    await tokens.getToken();
    expect(sent.map(secretOf)).toEqual(['new-secret', 'new-secret', 'old-secret']);
  });

  it('goes nothing whose clock was wrong, before it was right', async () => {
    const bench = createBench((request, count) => {
      if (count === 1) return refusal('invalid_client', 401, later(bench.clock));
      return secretOf(request) === 'old-secret' ? tokenAnswer('t') : refusal('invalid_client', 401);
    });
    await bench.tokens.getToken();
    expect(bench.sent.map(secretOf)).toEqual(['new-secret', 'new-secret', 'old-secret']);
  });
});

describe('is not made again', () => {
  it('for a nonce that the request had already', async () => {
    let isGood = true;
    const { tokens, sent } = createBench(
      () =>
        isGood
          ? tokenAnswer('t', { token_type: 'DPoP' }, { 'dpop-nonce': 'n-1' })
          : refusal('use_dpop_nonce', 400, { 'dpop-nonce': 'n-1' }),
      { dpop: true },
    );
    await tokens.getToken();
    isGood = false;
    const error = await rejection(tokens.getToken({ forceRefresh: true }));
    expect(error).toMatchObject({ oauthError: 'use_dpop_nonce' });
    expect(sent.map(nonceOf)).toEqual([undefined, 'n-1']);
  });

  it('for a nonce where there is no proof, or where none was given', async () => {
    const plain = createBench(() => refusal('use_dpop_nonce', 400, { 'dpop-nonce': 'n-1' }));
    await rejection(plain.tokens.getToken());
    const silent = createBench(() => refusal('use_dpop_nonce'), { dpop: true });
    await rejection(silent.tokens.getToken());
    expect([plain.sent.length, silent.sent.length]).toEqual([1, 1]);
  });

  it.each(['invalid_scope', 'invalid_request', 'access_denied'])(
    'for another clock, where %s has nothing to do with that',
    async (error) => {
      const bench = createBench(() => refusal(error, 400, later(bench.clock)), { dpop: true });
      await rejection(bench.tokens.getToken());
      expect(bench.sent).toHaveLength(1);
    },
  );

  it('for another clock that was known when it was made', async () => {
    const bench = createBench(() => refusal('invalid_dpop_proof', 400, later(bench.clock)), { dpop: true });
    await rejection(bench.tokens.getToken());
    expect(bench.sent).toHaveLength(2);
    await rejection(bench.tokens.getToken());
    expect(bench.sent).toHaveLength(3);
    const [, second] = bench.sent;
    expect(decodeJwt(second?.headers.get('dpop') ?? '')).toMatchObject({
      htm: 'POST',
      htu: tokenEndpoint,
      iat: (bench.clock.now() + 3_600_000) / 1000,
    });
  });
});

it.each([
  [undefined, tokenEndpoint],
  [false, tokenEndpoint],
  [true, 'https://mtls.idp.example/token'],
])('with mutual TLS %s it goes where the issuer says', async (mutualTls, endpoint) => {
  const network = createNetwork({
    '/.well-known/oauth-authorization-server': () =>
      Response.json({
        issuer,
        token_endpoint: tokenEndpoint,
        mtls_endpoint_aliases: { token_endpoint: 'https://mtls.idp.example/token' },
      }),
    '/token': () => tokenAnswer('t'),
  });
  const clientAuth: ClientAuth = Object.assign(() => {}, mutualTls === undefined ? {} : { mutualTls });
  const tokens = createTokenClient({ issuer, clientId: 'a', clientAuth, fetch: network.fetch });
  await tokens.getToken();
  expect(network.to('/token').map(({ url }) => url)).toEqual([endpoint]);
});

it('a store has nothing of tokens whose key nobody else has', async () => {
  const calls: string[] = [];
  const memory = createMemoryTokenStore();
  const store = {
    ...memory,
    get: (key: string) => {
      calls.push('get');
      return memory.get(key);
    },
  };
  const storeKey = 'a key of thirty-two bytes, or more';
  const bound = createBench(() => tokenAnswer('t', { token_type: 'DPoP' }), { store, storeKey, dpop: true });
  await bound.tokens.getToken();
  expect(calls).toEqual([]);
  const plain = createBench(() => tokenAnswer('t'), { store, storeKey });
  await plain.tokens.getToken();
  expect(calls).toContain('get');
});
