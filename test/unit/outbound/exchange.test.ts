/** Token exchange (RFC 8693): who gets whose token, and that nobody gets another's. */
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceAuthEvent } from '../../../src/events.ts';
import { createAuthedFetch } from '../../../src/outbound/authed-fetch.ts';
import type { AuthedFetchOptions } from '../../../src/outbound/authed-fetch-options.ts';
import { readExchange, type SubjectToken } from '../../../src/outbound/exchange.ts';
import type { ExchangeOptions } from '../../../src/outbound/token-client.ts';
import { OptionChecker } from '../../../src/shared/options.ts';
import { hashOf } from '../../helpers/dpop.ts';
import {
  challenge,
  createNetwork,
  type Network,
  type Reply,
  refusal,
  type Sent,
  tokenAnswer,
} from './in-process.ts';
import { createClock, rejection, secretCanary } from './support.ts';

const GRANT = 'urn:ietf:params:oauth:grant-type:token-exchange';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const orders = 'https://orders.internal';
const stock = 'https://stock.internal';

/** A token that says for whom it was given: what a mix-up would show. */
const nameOf = ({ form, headers }: Sent): string =>
  [
    form.get('subject_token') ?? 'own',
    form.get('actor_token') ?? 'nobody',
    form.get('scope') ?? 'all',
    form.get('resource') ?? form.get('audience') ?? 'anywhere',
    headers.has('dpop') ? 'bound' : 'free',
  ]
    .join('/')
    .replaceAll(' ', '_');

const exchanges: Reply = (sent) =>
  tokenAnswer(nameOf(sent), {
    token_type: sent.headers.has('dpop') ? 'DPoP' : 'Bearer',
    issued_token_type: ACCESS_TOKEN,
  });

function createBench(options: Partial<AuthedFetchOptions> = {}, tokens: Reply = exchanges, service?: Reply) {
  const clock = createClock();
  const network = createNetwork({
    '/token': tokens,
    '*': service ?? (({ headers }) => new Response(headers.get('authorization'))),
  });
  const events: ServiceAuthEvent[] = [];
  const call = createAuthedFetch({
    tokenEndpoint: 'https://idp.example/token',
    clientId: 'billing',
    clientSecret: secretCanary,
    targets: [
      { origin: orders, scope: 'orders:read', resource: orders },
      { origin: stock, scope: 'stock:read' },
    ],
    now: clock.now,
    onEvent: (event) => events.push(event),
    ...options,
    fetch: network.fetch,
  });
  return { call, tokens: call.tokens, network, clock, events };
}

const asked = ({ sent }: Network): Sent[] => sent.filter(({ url }) => url.endsWith('/token'));

describe('the request of an exchange (RFC 8693 section 2.1)', () => {
  it('has subject, types, actor and what it is for', async () => {
    const { tokens, network } = createBench();
    await tokens.exchange({
      subjectToken: 'alice',
      actorToken: 'billing-bot',
      actorTokenType: JWT,
      scope: ['b', 'a'],
      resource: 'https://orders.example',
      audience: 'orders',
    });
    expect([...(asked(network)[0]?.form ?? [])]).toEqual([
      ['grant_type', GRANT],
      ['scope', 'a b'],
      ['resource', 'https://orders.example'],
      ['audience', 'orders'],
      ['subject_token', 'alice'],
      ['subject_token_type', ACCESS_TOKEN],
      ['actor_token', 'billing-bot'],
      ['actor_token_type', JWT],
    ]);
  });

  it('names no actor where there is none', async () => {
    const { tokens, network } = createBench();
    await tokens.exchange({ subjectToken: 'alice', subjectTokenType: JWT });
    const [sent] = asked(network);
    expect(sent?.form.get('subject_token_type')).toBe(JWT);
    expect(sent?.form.has('actor_token')).toBe(false);
    expect(sent?.form.has('actor_token_type')).toBe(false);
  });

  it.each<[Record<string, unknown>, string]>([
    [{}, 'subjectToken'],
    [{ subjectToken: '' }, 'subjectToken'],
    [{ subjectToken: '  ' }, 'subjectToken'],
    [{ subjectToken: null }, 'subjectToken'],
    [{ subjectToken: 7 }, 'subjectToken'],
    [{ subjectToken: { token: '' } }, 'subjectToken'],
    [{ subjectToken: { accessToken: secretCanary } }, 'subjectToken'],
    [{ subjectToken: 'alice', actorToken: '' }, 'actorToken'],
    [{ subjectToken: 'alice', actorToken: 7 }, 'actorToken'],
    [{ subjectToken: 'alice', subjectTokenType: '' }, 'subjectTokenType'],
    [{ subjectToken: 'alice', audience: '' }, 'audience'],
    [{ subjectToken: 'alice', subject: secretCanary }, 'unknown option subject'],
  ])('refuses %j', async (options, named) => {
    const { tokens, network } = createBench();
    const error = await rejection(tokens.exchange(options as unknown as ExchangeOptions));
    expect(error).toBeInstanceOf(TypeError);
    expect(String(error)).toContain(named);
    expect(String(error)).not.toContain(secretCanary);
    expect(network.sent).toEqual([]);
  });

  it.each([
    'urn:ietf:params:oauth:token-type:refresh_token',
    'urn:ietf:params:oauth:token-type:id_token',
    7,
    null,
  ])('an answer that issues %s is no access token', async (type) => {
    const { tokens } = createBench({}, () => tokenAnswer('x', { issued_token_type: type }));
    expect(await rejection(tokens.exchange({ subjectToken: 'alice' }))).toMatchObject({
      code: 'token_response_invalid',
    });
  });
});

describe('exchanged tokens', () => {
  it('are kept, and concurrent exchanges of the same share one request', async () => {
    const { tokens, network } = createBench();
    const all = await Promise.all(
      Array.from({ length: 100 }, () => tokens.exchange({ subjectToken: 'alice', scope: 'a b' })),
    );
    await tokens.exchange({ subjectToken: 'alice', scope: ['b', 'a'] });
    await tokens.exchange({ subjectToken: { token: 'alice' }, scope: 'a b' });
    expect(new Set(all).size).toBe(1);
    expect(asked(network)).toHaveLength(1);
  });

  it('are renewed like others, with the same subject', async () => {
    const { tokens, network, clock } = createBench();
    await tokens.exchange({ subjectToken: 'alice' });
    clock.advance(600_001);
    await tokens.exchange({ subjectToken: 'alice' });
    expect(asked(network).map(({ form }) => form.get('subject_token'))).toEqual(['alice', 'alice']);
  });

  it('that are refused (the subject has expired) push out none of another', async () => {
    const { tokens, network } = createBench({}, (sent, count) =>
      sent.form.get('subject_token') === 'expired' ? refusal('invalid_grant') : exchanges(sent, count),
    );
    await tokens.exchange({ subjectToken: 'alice' });
    expect(await rejection(tokens.exchange({ subjectToken: 'expired' }))).toMatchObject({
      code: 'token_request_rejected',
      oauthError: 'invalid_grant',
    });
    await tokens.exchange({ subjectToken: 'alice' });
    expect(asked(network)).toHaveLength(2);
  });

  it('of 20,000 subjects leave the own token of the client in memory', async () => {
    const { tokens, network } = createBench();
    await tokens.getToken();
    for (let subject = 0; subject < 20_000; subject++) {
      await tokens.exchange({ subjectToken: `subject-${subject}` });
    }
    const before = asked(network).length;
    await tokens.getToken();
    await tokens.exchange({ subjectToken: 'subject-19999' });
    expect(asked(network)).toHaveLength(before);
    await tokens.exchange({ subjectToken: 'subject-0' });
    expect(asked(network)).toHaveLength(before + 1);
  });

  it('threat 17: nobody gets the token of another subject, actor, scope, place or binding', async () => {
    const text = fc.constantFrom(
      'alice',
      'bob',
      'alice ',
      'alice","bob',
      'null',
      '["alice"]',
      'alice\\',
      'ALICE',
    );
    const wish = fc.record({
      subject: text,
      actor: fc.option(text, { nil: undefined }),
      bound: fc.boolean(),
      scope: fc.constantFrom(undefined, 'a', 'a b', 'b'),
      audience: fc.constantFrom(undefined, 'alice', 'orders'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(wish, { minLength: 2, maxLength: 12 }), async (wishes) => {
        const { tokens } = createBench();
        const check = async ({ subject, actor, bound, scope, audience }: (typeof wishes)[number]) => {
          const { accessToken } = await tokens.exchange({
            subjectToken: { token: subject, ...(bound && { confirmation: { jkt: 'x' } }) },
            scope,
            audience,
            ...(actor !== undefined && { actorToken: actor }),
          });
          const expected = [subject, actor ?? 'nobody', scope ?? 'all', audience ?? 'anywhere'];
          expect(accessToken).toBe([...expected, bound ? 'bound' : 'free'].join('/').replaceAll(' ', '_'));
        };
        await Promise.all(wishes.map(check));
        for (const one of wishes) await check(one);
      }),
      { numRuns: 200 },
    );
  });

  it('are never those that the client gets for itself', async () => {
    const { tokens } = createBench();
    const own = await tokens.getToken();
    const exchanged = await tokens.exchange({ subjectToken: 'alice' });
    expect([own.accessToken, exchanged.accessToken]).toEqual([
      'own/nobody/all/anywhere/free',
      'alice/nobody/all/anywhere/free',
    ]);
  });

  it('are known by a hash: what stands for them in keys holds no token', async () => {
    const check = new OptionChecker('exchange');
    const { fingerprint } = await readExchange(check, {
      subjectToken: secretCanary,
      actorToken: `${secretCanary}2`,
    });
    expect(fingerprint).toContain(hashOf(secretCanary));
    expect(fingerprint).not.toContain(secretCanary);
  });
});

describe('a subject that is bound to a key', () => {
  const bound: SubjectToken = { token: 'alice', confirmation: { jkt: 'x'.repeat(43) } };

  it('gets a bound token, though the client binds none', async () => {
    const { tokens, network } = createBench();
    const token = await tokens.exchange({ subjectToken: bound });
    expect(token.tokenType).toBe('DPoP');
    expect(asked(network)[0]?.headers.get('dpop')).toMatch(/^[\w-]+\.[\w-]+\.[\w-]+$/);
  });

  it('is not given up where the server binds nothing: binding_lost, and nothing is kept', async () => {
    const { tokens, network } = createBench({}, () => tokenAnswer('free'));
    for (let attempt = 1; attempt <= 2; attempt++) {
      expect(await rejection(tokens.exchange({ subjectToken: bound }))).toMatchObject({
        code: 'binding_lost',
      });
      expect(asked(network)).toHaveLength(attempt);
    }
  });

  it('does not share with one that is not', async () => {
    const { tokens, network } = createBench();
    const [one, two] = [
      await tokens.exchange({ subjectToken: bound }),
      await tokens.exchange({ subjectToken: 'alice' }),
    ];
    expect([one.tokenType, two.tokenType]).toEqual(['DPoP', 'Bearer']);
    expect(asked(network)).toHaveLength(2);
  });

  it('is not answered from memory with what an unbound one of the same text got', async () => {
    const { tokens } = createBench({ dpop: true }, () => tokenAnswer('free'));
    expect((await tokens.exchange({ subjectToken: 'alice' })).tokenType).toBe('Bearer');
    expect(await rejection(tokens.exchange({ subjectToken: bound }))).toMatchObject({ code: 'binding_lost' });
  });

  it('stays bound on calls, even to a target without DPoP', async () => {
    const { call, network } = createBench({ targets: [{ origin: orders, dpop: false }] });
    const response = await call.onBehalfOf(bound)(`${orders}/`);
    expect(await response.text()).toBe('DPoP alice/nobody/all/anywhere/bound');
    expect(network.to('/')[0]?.headers.get('dpop')).not.toBeNull();
    const lost = createBench({}, () => tokenAnswer('free'));
    expect(await rejection(lost.call.onBehalfOf(bound)(`${orders}/`))).toMatchObject({
      code: 'binding_lost',
    });
    expect(lost.network.to('/')).toEqual([]);
  });

  it.each([{}, { 'x5t#S256': 'x' }, undefined])('%j is no binding to a key', async (confirmation) => {
    const { tokens } = createBench();
    const token = await tokens.exchange({ subjectToken: { token: 'alice', confirmation } });
    expect(token.tokenType).toBe('Bearer');
  });
});

describe('calls on behalf', () => {
  it('exchange for each target, and share with others for the same person', async () => {
    const { call, network } = createBench();
    const text = async (response: Promise<Response>): Promise<string> => (await response).text();
    const [alice, bob] = [call.onBehalfOf('alice'), call.onBehalfOf('bob')];
    expect(await text(alice(`${orders}/1`))).toBe(`Bearer alice/nobody/orders:read/${orders}/free`);
    expect(await text(alice(`${stock}/1`))).toBe('Bearer alice/nobody/stock:read/anywhere/free');
    expect(await text(bob(`${orders}/1`))).toBe(`Bearer bob/nobody/orders:read/${orders}/free`);
    expect(await text(call(`${orders}/1`))).toBe(`Bearer own/nobody/orders:read/${orders}/free`);
    expect(await text(call.onBehalfOf('alice')(`${orders}/2`))).toContain('alice');
    expect(asked(network)).toHaveLength(4);
  });

  it('200 at once for 20 people: each with the token of its own', async () => {
    const { call } = createBench();
    const all = Array.from({ length: 200 }, async (_, index) => {
      const name = `person-${index % 20}`;
      const response = await call.onBehalfOf(name)(`${orders}/${index}`);
      return (await response.text()).startsWith(`Bearer ${name}/`);
    });
    expect(await Promise.all(all)).toEqual(Array(200).fill(true));
  });

  it('a refused one is exchanged anew, once for all who wait', async () => {
    let revoked = false;
    const { call, network } = createBench(
      {},
      (sent, count) => tokenAnswer(`${sent.form.get('subject_token')}-${count}`),
      ({ headers }) =>
        revoked && headers.get('authorization') === 'Bearer alice-1'
          ? challenge('Bearer error="invalid_token"')
          : new Response(),
    );
    const alice = call.onBehalfOf('alice');
    await alice(`${orders}/`);
    revoked = true;
    const all = await Promise.all(Array.from({ length: 50 }, () => alice(`${orders}/`)));
    expect(all.every(({ status }) => status === 200)).toBe(true);
    expect(asked(network)).toHaveLength(2);
  });

  it('go nowhere else than the own calls of the client', async () => {
    const { call, network } = createBench();
    expect(await rejection(call.onBehalfOf('alice')('https://evil.example/'))).toMatchObject({
      code: 'untrusted_target',
    });
    expect(network.sent).toEqual([]);
  });

  it('explain shows the exchanged token and no other', async () => {
    const { call } = createBench();
    const alice = call.onBehalfOf(secretCanary);
    expect(alice.explain(orders).token).toBeUndefined();
    await alice(`${orders}/`);
    expect(alice.explain(orders).token).toMatchObject({ tokenType: 'Bearer' });
    expect(call.explain(orders).token).toBeUndefined();
    const seen = inspect([alice, alice.explain(orders), alice.tokens], { depth: 20, showHidden: true });
    expect(seen).not.toContain(secretCanary);
  });

  it('close closes all', async () => {
    const { call } = createBench();
    const alice = call.onBehalfOf('alice');
    await alice(`${orders}/`);
    alice.close();
    for (const one of [call, alice, call.onBehalfOf('bob')]) {
      expect(await rejection(one(`${orders}/`))).toMatchObject({ code: 'closed' });
    }
  });
});

describe('a target that is called on behalf', () => {
  const target = (onBehalfOf: () => unknown): Partial<AuthedFetchOptions> => ({
    targets: [{ origin: orders, onBehalfOf: onBehalfOf as () => string }, stock],
  });

  it('asks before every call for whom that is', async () => {
    let person: string | undefined = 'alice';
    const { call, network } = createBench(target(() => person));
    const text = async (): Promise<string> => (await call(`${orders}/`)).text();
    expect(await text()).toMatch(/^Bearer alice\//);
    person = 'bob';
    expect(await text()).toMatch(/^Bearer bob\//);
    person = 'alice';
    expect(await text()).toMatch(/^Bearer alice\//);
    expect(asked(network)).toHaveLength(2);
    person = undefined;
    expect(await rejection(call(`${orders}/`))).toMatchObject({ code: 'subject_missing' });
    expect(await (await call(`${stock}/`)).text()).toMatch(/^Bearer own\//);
  });

  it('concurrent calls for several people never mix', async () => {
    let turn = 0;
    const { call } = createBench(
      target(async () => {
        const person = `person-${turn++ % 7}`;
        await new Promise((resolve) => setImmediate(resolve));
        return person;
      }),
    );
    const all = await Promise.all(
      Array.from(
        { length: 70 },
        async (_, index) => [index % 7, await (await call(`${orders}/`)).text()] as const,
      ),
    );
    for (const [person, authorization] of all) expect(authorization).toContain(`person-${person}/`);
  });

  it.each<[string, () => unknown, object]>([
    ['gives nobody', () => undefined, { code: 'subject_missing' }],
    ['promises nobody', async () => undefined, { code: 'subject_missing' }],
    ['throws', () => Promise.reject(new Error(secretCanary)), { code: 'subject_missing' }],
    [
      'throws at once',
      () => {
        throw new RangeError(secretCanary);
      },
      { code: 'subject_missing' },
    ],
    ['gives an empty text', () => '', { name: 'TypeError' }],
    ['gives a number', () => 7, { name: 'TypeError' }],
    ['gives no token', () => ({ accessToken: secretCanary }), { name: 'TypeError' }],
  ])('whose function %s sends nothing', async (_, onBehalfOf, expected) => {
    const { call, network } = createBench(target(onBehalfOf));
    const error = await rejection(call(`${orders}/`));
    expect(error).toMatchObject(expected);
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(secretCanary);
    expect(network.sent).toEqual([]);
  });

  it('gives way to the one who is named by onBehalfOf', async () => {
    const { call } = createBench(target(() => 'alice'));
    expect(await (await call.onBehalfOf('carol')(`${orders}/`)).text()).toMatch(/^Bearer carol\//);
  });

  it('explain asks nobody', () => {
    let calls = 0;
    const { call } = createBench(
      target(() => {
        calls++;
        return 'alice';
      }),
    );
    expect(call.explain(orders)).toMatchObject({ target: { origin: orders }, token: undefined });
    expect(calls).toBe(0);
  });
});

it('threat 27: neither subject, actor nor exchanged token is in an error or event', async () => {
  const subject = 'canary-subject-5e21';
  const actor = 'canary-actor-9d03';
  for (const reply of [
    () => refusal('invalid_grant'),
    () => refusal('invalid_target'),
    () => tokenAnswer('canary-exchanged-77aa', { token_type: 'N_A' }),
    () => tokenAnswer('canary-exchanged-77aa'),
    () => new Response('canary-exchanged-77aa', { status: 500 }),
  ]) {
    const { tokens, events } = createBench({}, reply);
    const subjectToken = { token: subject, confirmation: { jkt: 'x' } };
    const error = await rejection(tokens.exchange({ subjectToken, actorToken: actor }));
    const seen = inspect([error, events, tokens], { depth: 20, showHidden: true, getters: true });
    expect(`${seen}${JSON.stringify([error, events])}`).not.toMatch(/canary/);
  }
});
