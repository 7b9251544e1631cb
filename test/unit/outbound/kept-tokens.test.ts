/** What a client asks for, which tokens it keeps and which it forgets, and what is told of them. */
import { describe, expect, it, vi } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { holdToken } from '../../../src/outbound/held-token.ts';
import { tokenClientOf } from '../../../src/outbound/token-client.ts';
import { resolveTokenClient, type TokenClientOptions } from '../../../src/outbound/token-client-options.ts';
import { createTokenSource, type PartialWish } from '../../../src/outbound/token-source.ts';
import { hashOf } from '../../helpers/dpop.ts';
import { createNetwork, type Reply, refusal, tokenAnswer } from './in-process.ts';
import { createClock, createDeferred, mistake, rejection, secretCanary } from './support.ts';

const MINUTE = 60_000;
const client = {
  tokenEndpoint: 'https://idp.example/token',
  clientId: 'billing',
  clientSecret: secretCanary,
  random: () => 0,
};

function createBench(options: Partial<TokenClientOptions> = {}, reply?: Reply) {
  const clock = createClock();
  const events: ServiceAuthEvent[] = [];
  const network = createNetwork({ '/token': reply ?? ((_, count) => tokenAnswer(`token-${count}`)) });
  const settings = resolveTokenClient('createTokenClient', {
    ...client,
    now: clock.now,
    // What each request of its own tells is for other tests.
    onEvent: (event) => event.type !== 'token.requested' && events.push(event),
    ...options,
    fetch: network.fetch,
  });
  const source = createTokenSource(settings);
  const tokens = tokenClientOf(source, settings);
  const get = async (scope?: string): Promise<string> => (await tokens.getToken({ scope })).accessToken;
  return { clock, events, network, source, tokens, get };
}

/** Until everything that was begun behind the back of callers has ended. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('what is asked for', () => {
  const orders = 'https://orders.example';
  const wide = { scope: 'b a', resource: orders, audience: 'orders' };
  const exchange = {
    fingerprint: 'f',
    parameters: [['subject_token', 'alice']],
    keepsBinding: false,
  } as const;
  const ofClient = [
    ['scope', 'a b'],
    ['resource', orders],
    ['audience', 'orders'],
  ];

  it.each<[PartialWish | undefined, object]>([
    [undefined, { parameters: ofClient, dpop: false, grant: 'client_credentials' }],
    [{}, { parameters: ofClient, dpop: false }],
    [{ scope: 'c' }, { parameters: [['scope', 'c'], ...ofClient.slice(1)] }],
    [
      { resource: 'https://stock.example' },
      {
        parameters: [
          ['scope', 'a b'],
          ['resource', 'https://stock.example'],
          ['audience', 'orders'],
        ],
      },
    ],
    [{ audience: 'stock' }, { parameters: [...ofClient.slice(0, 2), ['audience', 'stock']] }],
    [{ dpop: true }, { parameters: ofClient, dpop: true }],
    [
      { exchange },
      {
        parameters: [...ofClient, ['subject_token', 'alice']],
        dpop: false,
        grant: 'urn:ietf:params:oauth:grant-type:token-exchange',
      },
    ],
    [
      { exchange: { ...exchange, keepsBinding: true }, dpop: false },
      { dpop: true, keepsBinding: true },
    ],
  ])('with %j', (wish, expected) => {
    const { source } = createBench(wide);
    expect(source.subject(wish)).toMatchObject(expected);
  });

  it('is bound where the client says so, unless it is said otherwise', () => {
    const { source } = createBench({ dpop: true });
    expect(source.subject()).toMatchObject({ dpop: true });
    expect(source.subject({ dpop: false })).toMatchObject({ dpop: false });
  });

  it('what is no scope or resource is named', () => {
    const { source } = createBench();
    const uri = 'an absolute URI without fragment; other names belong into audience';
    expect(() => source.subject({ resource: 'orders' })).toThrow(
      mistake(`createTokenClient: resource must be ${uri}; got "orders"`),
    );
    expect(() => source.subject({ scope: '"' })).toThrow(/^createTokenClient: scope must be /);
  });
});

describe('what listeners hear', () => {
  const at = expect.anything();
  const refreshed = { type: 'token.refreshed', clientId: 'billing', at };

  it('of a token, of the one after it, and of how much was left', async () => {
    const { events, clock, get } = createBench({ scope: 'a' });
    await get();
    clock.advance(9 * MINUTE);
    await get();
    await settled();
    const expiresAt = clock.now() + MINUTE;
    expect(events).toEqual([
      { ...refreshed, scope: 'a', expiresAt, background: false, leadMs: undefined },
      { ...refreshed, scope: 'a', expiresAt: expiresAt + 9 * MINUTE, background: true, leadMs: MINUTE },
    ]);
  });

  it('of a refusal, and of the token that goes on serving', async () => {
    const { events, clock, get, source } = createBench({}, (_, count) =>
      count === 1 ? tokenAnswer('first') : refusal('invalid_grant'),
    );
    await get();
    clock.advance(9 * MINUTE);
    await get();
    await settled();
    const failure = { code: 'token_request_rejected', status: 400, oauthError: 'invalid_grant' };
    const { lastError } = source.state(source.subject()) ?? {};
    expect(events.slice(1)).toEqual([
      { type: 'token.refresh_failed', clientId: 'billing', ...failure, message: lastError?.message, at },
      { type: 'token.reused_stale', clientId: 'billing', expiresAt: clock.now() + MINUTE, at },
    ]);
    expect(lastError).toEqual({
      ...failure,
      at: clock.now(),
      message: expect.stringContaining('invalid_grant'),
      retryAt: clock.now() + 500,
    });
  });

  it('nobody need listen', async () => {
    const { clock, get } = createBench({ onEvent: undefined }, (_, count) =>
      count === 2 ? refusal('invalid_grant') : tokenAnswer(`token-${count}`),
    );
    await get();
    for (const later of [9 * MINUTE, 500]) {
      clock.advance(later);
      expect(await get()).toBe('token-1');
      await settled();
    }
    expect(await get()).toBe('token-3');
  });

  it('nobody need listen to what callers wait for either', async () => {
    const { clock, get } = createBench({ onEvent: undefined }, (_, count) =>
      count === 2 ? tokenAnswer('token-2') : refusal('invalid_grant'),
    );
    expect(await rejection(get())).toMatchObject({ code: 'token_request_rejected' });
    expect(await get()).toBe('token-2');
    clock.advance(10 * MINUTE - 1);
    expect(await get()).toBe('token-2');
  });
});

describe('the state of a token', () => {
  it('is known once it was asked for, without making one', async () => {
    const { source, get, clock, network } = createBench();
    const subject = source.subject({ scope: 'a' });
    expect(source.state(subject)).toBeUndefined();
    const asked = get('a');
    expect(source.state(subject)).toEqual({ token: undefined, requesting: true, lastError: undefined });
    await asked;
    expect(source.state(subject)).toEqual({
      token: {
        obtainedAt: clock.now(),
        refreshAt: clock.now() + 9 * MINUTE,
        expiresAt: clock.now() + 10 * MINUTE,
        scope: 'a',
        tokenType: 'Bearer',
      },
      requesting: false,
      lastError: undefined,
    });
    expect(source.state(source.subject({ scope: 'b' }))).toBeUndefined();
    expect(network.sent).toHaveLength(1);
  });
});

describe('how many are kept', () => {
  const kept = async (ask: () => Promise<unknown>, sent: readonly unknown[]): Promise<boolean> => {
    const before = sent.length;
    await ask();
    return sent.length === before;
  };

  it('a thousand of its own, those that were used last', async () => {
    const { get, network } = createBench();
    for (let count = 0; count < 1000; count++) await get(`scope-${count}`);
    expect(await kept(() => get('scope-0'), network.sent)).toBe(true);
    await get('scope-1000');
    expect(await kept(() => get('scope-0'), network.sent)).toBe(true);
    expect(await kept(() => get('scope-1'), network.sent)).toBe(false);
  });

  it('looking at one is no use of it', async () => {
    const { get, network, source } = createBench();
    for (let count = 0; count < 1000; count++) await get(`scope-${count}`);
    expect(source.state(source.subject({ scope: 'scope-0' }))).toBeDefined();
    await get('scope-1000');
    expect(await kept(() => get('scope-0'), network.sent)).toBe(false);
  });

  it('those of callers push out none of its own, and count by their length', async () => {
    const { tokens, get, network } = createBench();
    const exchange = (name: string) => tokens.exchange({ subjectToken: name.repeat(5_300_000) });
    await get();
    for (const name of ['a', 'b', 'c']) await exchange(name);
    for (const name of ['a', 'b', 'c']) {
      expect(await kept(() => exchange(name), network.sent)).toBe(true);
    }
    await exchange('d');
    expect(await kept(() => exchange('b'), network.sent)).toBe(true);
    expect(await kept(() => exchange('a'), network.sent)).toBe(false);
    expect(await kept(() => get(), network.sent)).toBe(true);
  });

  it('those that are not there yet push out none that are', async () => {
    const { get, network } = createBench({}, (sent, count) =>
      sent.form.get('scope') === 'good' ? tokenAnswer(`token-${count}`) : refusal('invalid_scope'),
    );
    await get('good');
    for (let count = 0; count < 1001; count++) await rejection(get(`bad-${count}`));
    expect(await kept(() => get('good'), network.sent)).toBe(true);
  });
});

describe('what is found and forgotten', () => {
  it('is found by its text, exchanged or not, as long as it is kept', async () => {
    const { source, tokens, get } = createBench();
    const [own, exchanged] = [await get(), (await tokens.exchange({ subjectToken: 'alice' })).accessToken];
    expect([own, exchanged]).toEqual(['token-1', 'token-2']);
    for (const text of [own, exchanged])
      expect(source.find(text)).toMatchObject({ token: { accessToken: text } });
    expect(source.find('token-3')).toBeUndefined();
    tokens.invalidate({ accessToken: exchanged });
    expect(source.find(exchanged)).toBeUndefined();
    expect(source.find(own)).toBeDefined();
    await tokens.exchange({ subjectToken: 'alice' });
    tokens.invalidate();
    expect([source.find(own), source.find('token-3')]).toEqual([undefined, undefined]);
  });

  it('is forgotten by its kind, and no other', async () => {
    const { tokens, get } = createBench();
    const all = async () => [await get(), await get('a'), await get('b')];
    expect(await all()).toEqual(['token-1', 'token-2', 'token-3']);
    tokens.invalidate({ scope: 'a' });
    expect(await all()).toEqual(['token-1', 'token-4', 'token-3']);
    tokens.invalidate({});
    expect(await all()).toEqual(['token-5', 'token-4', 'token-3']);
  });

  it('has the key that it is bound to, if it is, and its digest for proofs', async () => {
    const prove = vi.fn(async () => 'proof');
    const signer = { jkt: 'thumbprint', prove };
    const hold = (tokenType: 'DPoP' | 'Bearer', accessToken: string) =>
      holdToken({ accessToken, tokenType, expiresAt: 0, scope: undefined }, signer);
    expect(hold('DPoP', 'a').signer).toBe(signer);
    expect(hold('Bearer', 'a').signer).toBeUndefined();
    const [one, other] = [hold('DPoP', 'a'), hold('DPoP', 'b')];
    for (let turn = 0; turn < 2; turn++) {
      expect([await one.hash(), await other.hash()]).toEqual([hashOf('a'), hashOf('b')]);
    }
  });

  it('is not found before it is there, nor filled once it was forgotten', async () => {
    const held = createDeferred();
    const { source, get, tokens, network } = createBench({}, async (_, count) => {
      if (count === 1) await held.promise;
      return tokenAnswer(`token-${count}`);
    });
    const first = get();
    while (network.sent.length === 0) await settled();
    expect(source.find('token-1')).toBeUndefined();
    tokens.invalidate({ accessToken: 'token-1' });
    tokens.invalidate();
    expect(await get()).toBe('token-2');
    held.resolve();
    expect(await first).toBe('token-1');
    expect(source.find('token-1')).toBeUndefined();
    expect(await get()).toBe('token-2');
  });

  it('nothing after close, which ends what is under way', async () => {
    const { source, get, tokens } = createBench({}, (sent, count) =>
      sent.form.get('scope') === 'slow' ? new Promise(() => {}) : tokenAnswer(`token-${count}`),
    );
    await get();
    await tokens.exchange({ subjectToken: 'alice' });
    const waiting = rejection(get('slow'));
    await settled();
    source.close();
    const closed = { code: 'closed', message: 'the token client is closed' };
    expect(await waiting).toMatchObject(closed);
    expect(await rejection(get())).toMatchObject(closed);
    expect([source.find('token-1'), source.find('token-2')]).toEqual([undefined, undefined]);
  });
});
