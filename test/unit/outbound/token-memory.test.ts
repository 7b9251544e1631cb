/** What a client asks for, and what it keeps: refusals and for how long, and tokens that are shared with whom. */
import { describe, expect, it } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import type { TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import { createMemoryTokenStore } from '../../../src/shared/memory-token-store.ts';
import { countedTokens, createClientBench, refusal, tokenAnswer } from './in-process.ts';
import { rejection } from './support.ts';

describe('a request', () => {
  const grant_type = 'client_credentials';
  const extraParameters = { b: '2', c: '3', a: '1', d: '4' };

  it.each<[Partial<TokenClientOptions>, readonly (readonly [string, string])[]]>([
    [{}, []],
    [{ scope: ['b', 'a b'] }, [['scope', 'a b']]],
    [
      { resource: ['urn:b', 'urn:a', 'urn:b'] },
      [
        ['resource', 'urn:a'],
        ['resource', 'urn:b'],
      ],
    ],
    [{ audience: 'x' }, [['audience', 'x']]],
    [
      { extraParameters },
      [
        ['a', '1'],
        ['b', '2'],
        ['c', '3'],
        ['d', '4'],
      ],
    ],
    [
      { scope: 'a', resource: 'urn:a', audience: 'x', extraParameters: { a: '' } },
      [
        ['scope', 'a'],
        ['resource', 'urn:a'],
        ['audience', 'x'],
        ['a', ''],
      ],
    ],
  ])('has what is wished for with %j, in one order', async (options, expected) => {
    const { tokens, sent } = createClientBench(countedTokens, options);
    await tokens.getToken();
    expect([...(sent[0]?.form ?? [])]).toEqual([['grant_type', grant_type], ...expected]);
  });

  it.each<[TokenClientOptions['dpop'], boolean]>([
    [undefined, false],
    [false, false],
    [true, true],
    [{}, true],
  ])('with dpop %j has a proof: %s', async (dpop, proven) => {
    const { tokens, sent } = createClientBench(countedTokens, { dpop });
    await tokens.getToken();
    expect(sent[0]?.headers.has('dpop')).toBe(proven);
  });
});

describe('a refusal', () => {
  it.each<[string, number, Record<string, string>, number]>([
    ['invalid_scope', 400, {}, 10_000],
    ['invalid_target', 400, {}, 10_000],
    ['invalid_client', 400, {}, 10_000],
    ['unauthorized_client', 400, {}, 10_000],
    ['access_denied', 401, {}, 10_000],
    ['invalid_scope', 400, { 'retry-after': '9' }, 10_000],
    ['invalid_scope', 400, { 'retry-after': '30' }, 30_000],
    ['invalid_scope', 400, { 'retry-after': '120' }, 60_000],
    ['access_denied', 403, {}, 0],
    ['invalid_grant', 401, {}, 0],
    ['invalid_request', 400, {}, 0],
  ])('%s with %i and %j', async (error, status, headers, pauseMs) => {
    const { tokens, clock, sent } = createClientBench(() => refusal(error, status, headers));
    const first = await rejection(tokens.getToken());
    // What was forgotten asks anew, save for what is known to be refused.
    tokens.invalidate();
    if (pauseMs > 0) {
      expect(await rejection(tokens.getToken())).toMatchObject({ retryAfterMs: pauseMs });
      clock.advance(pauseMs - 1);
      const { message } = first as Error;
      expect(await rejection(tokens.getToken())).toMatchObject({
        code: 'token_request_rejected',
        message,
        status,
        oauthError: error,
        retryAfterMs: 1,
      });
      expect(sent).toHaveLength(1);
      clock.advance(1);
      tokens.invalidate();
    }
    await rejection(tokens.getToken());
    expect(sent).toHaveLength(2);
  });

  it('is forgotten once a token was given', async () => {
    let secret = 'old';
    let isGood = false;
    const { tokens, sent } = createClientBench(
      () => (isGood ? tokenAnswer('t') : refusal('invalid_client', 401)),
      {
        clientSecret: () => secret,
      },
    );
    await rejection(tokens.getToken());
    [secret, isGood] = ['new', true];
    await tokens.getToken();
    secret = 'old';
    tokens.invalidate();
    expect(await tokens.getToken()).toMatchObject({ accessToken: 't' });
    expect(sent).toHaveLength(3);
  });

  it.each([
    ['invalid_client', 401, true],
    ['unauthorized_client', 401, true],
    ['invalid_request', 400, true],
    ['invalid_scope', 400, false],
    ['invalid_grant', 400, false],
  ])('%s with %i, after special characters: a hint %s', async (error, status, hinted) => {
    const { tokens } = createClientBench(() => refusal(error, status), { clientSecret: 'a b' });
    const hint = "; id or secret have characters that Basic encodes: some servers expect { encoding: 'raw' }";
    const { message } = (await rejection(tokens.getToken())) as Error;
    expect(message.includes(hint)).toBe(hinted);
    const plain = createClientBench(() => refusal(error, status));
    const { message: without } = (await rejection(plain.tokens.getToken())) as Error;
    expect(without).toBe(message.split(hint)[0]);
  });
});

describe('tokens in a store', () => {
  const storeKey = 'a key of thirty-two bytes, or more';
  const shared = () => ({ store: createMemoryTokenStore(), storeKey });
  const keys = () =>
    crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
  const bound = async (): Promise<Partial<TokenClientOptions>> => ({ dpop: { keyPair: await keys() } });

  it.each<[string, () => Promise<Partial<TokenClientOptions>>, boolean]>([
    ['the same', async () => ({}), true],
    ['another secret', async () => ({ clientSecret: 'other' }), false],
    ['another scope', async () => ({ scope: 'a' }), false],
    ['another key', bound, false],
    ['a key of its own', async () => ({ dpop: true }), false],
  ])('serve a client with %s', async (_, other, isShared) => {
    const store = shared();
    const one = createClientBench(countedTokens, store);
    const two = createClientBench(
      ({ headers }) => tokenAnswer('of-two', { token_type: headers.has('dpop') ? 'DPoP' : 'Bearer' }),
      { ...store, ...(await other()) },
    );
    await one.tokens.getToken();
    const { accessToken } = await two.tokens.getToken();
    expect(accessToken).toBe(isShared ? 'token-1' : 'of-two');
  });

  it('serve those who have the same key, with and without a secret', async () => {
    const dpop = { keyPair: await keys() };
    for (const more of [{}, { clientSecret: undefined, clientAuth: () => {} }]) {
      const options = { ...shared(), dpop, ...more };
      const one = createClientBench(countedTokens, options);
      const two = createClientBench(countedTokens, options);
      await one.tokens.getToken();
      expect(await two.tokens.getToken()).toMatchObject({ accessToken: 'token-1', tokenType: 'DPoP' });
      expect(two.sent).toEqual([]);
      const other = createClientBench(countedTokens, { ...options, dpop: { keyPair: await keys() } });
      await other.tokens.getToken();
      expect(other.sent).toHaveLength(1);
    }
  });

  it('are taken out for all, also those that are bound', async () => {
    for (const more of [{}, { dpop: { keyPair: await keys() } }]) {
      const options = { ...shared(), ...more };
      const one = createClientBench(countedTokens, options);
      await one.tokens.getToken();
      one.tokens.invalidate();
      await new Promise((resolve) => setImmediate(resolve));
      const two = createClientBench(countedTokens, options);
      await two.tokens.getToken();
      expect(two.sent).toHaveLength(1);
    }
  });

  it('are done without where the store fails, and listeners hear of it', async () => {
    const store = {
      ...createMemoryTokenStore(),
      get: () => Promise.reject(new Error('the store is gone')),
    };
    const events: ServiceAuthEvent[] = [];
    for (const onEvent of [(event: ServiceAuthEvent) => events.push(event), undefined]) {
      const { tokens } = createClientBench(countedTokens, { ...shared(), store, onEvent });
      expect(await tokens.getToken()).toMatchObject({ accessToken: 'token-1' });
    }
    const [first] = events;
    expect(first).toEqual({ at: expect.any(Number), type: 'token.store_failed', operation: 'get' });
  });

  it('stay there without a word where the credential cannot be had', async () => {
    let isGone = false;
    const { tokens } = createClientBench(countedTokens, {
      ...shared(),
      clientSecret: () => {
        if (isGone) throw new Error('gone');
        return 's';
      },
    });
    await tokens.getToken();
    isGone = true;
    expect(() => tokens.invalidate()).not.toThrow();
    await new Promise((resolve) => setImmediate(resolve));
  });
});

it('exchanged tokens are those of the very subject and actor, and of their types', async () => {
  const { tokens, sent } = createClientBench(countedTokens);
  const jwt = 'urn:ietf:params:oauth:token-type:jwt';
  const access = 'urn:ietf:params:oauth:token-type:access_token';
  const alice = { subjectToken: 'alice' };
  const wishes = [
    [alice, { subject_token: 'alice', subject_token_type: access }],
    [
      { ...alice, subjectTokenType: jwt },
      { subject_token: 'alice', subject_token_type: jwt },
    ],
    [
      { ...alice, actorToken: 'bob' },
      { actor_token: 'bob', actor_token_type: access },
    ],
    [
      { ...alice, actorToken: 'bob', actorTokenType: jwt },
      { actor_token: 'bob', actor_token_type: jwt },
    ],
    [
      { ...alice, actorToken: 'carol' },
      { actor_token: 'carol', actor_token_type: access },
    ],
    [{ subjectToken: { token: 'carol' } }, { subject_token: 'carol', subject_token_type: access }],
  ] as const;
  for (let round = 0; round < 2; round++) {
    for (const [at, [wish]] of wishes.entries()) {
      expect(await tokens.exchange(wish)).toMatchObject({ accessToken: `token-${at + 1}` });
    }
  }
  expect(sent.map(({ form }) => Object.fromEntries(form))).toMatchObject(wishes.map(([, form]) => form));
});
