/** What operators read of each answer of an introspection endpoint that did not decide, and what it leads to. */
import { describe, expect, it, vi } from 'vitest';
import { ServiceAuthError } from '../../../src/errors.ts';
import type { ActiveToken, IntrospectorOptions } from '../../../src/inbound/introspection.ts';
import { createVerifier } from '../../../src/index.ts';
import { type ClientAuth, credentialUsed } from '../../../src/shared/client-auth.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';
import type { Fault } from '../../../src/shared/fault.ts';
import { createStaticKeySet, parseKeySet } from '../../../src/shared/key-set.ts';
import { createHarness, type Harness, undecided } from '../../helpers/introspection-stub.ts';
import { createKey, issuer, nowMs, nowSeconds } from '../../helpers/tokens.ts';
import { createDeferred } from '../outbound/support.ts';

const place = 'https://idp.example/introspect';
const active = { active: true, client_id: 'billing' };
const token = 'an-opaque-token';

type Reply = () => Response | Promise<Response>;

/** An introspector over a network that answers as `reply` says, and how often it was asked. */
function over(reply: Reply, changes: Partial<IntrospectorOptions> = {}) {
  const fetch = vi.fn(async () => reply());
  const harness = createHarness(`${place}?key=hidden`, { fetch, ...changes });
  return { harness, calls: () => fetch.mock.calls.length };
}

async function ask({ introspector }: Harness, asked = token): Promise<ActiveToken | Fault> {
  return introspector.introspect(asked);
}

const json =
  (body: unknown, status = 200, headers: HeadersInit = {}): Reply =>
  () =>
    new Response(typeof body === 'string' ? body : JSON.stringify(body), { status, headers });

const refused = (status: number): readonly unknown[] => [
  'client_auth_failed',
  `${place} refused this service's own credentials (HTTP ${status}); check clientId and its secret`,
];

describe('an answer that does not decide', () => {
  it.each<[string, Reply, readonly unknown[]]>([
    ['401', json({}, 401), refused(401)],
    ['403', json({}, 403), refused(403)],
    ['400 with invalid_client', json({ error: 'invalid_client' }, 400), refused(400)],
    ['400', json({}, 400), ['unexpected_status', `${place} answered 400`]],
    ['400 without JSON', json('<html>', 400), ['unexpected_status', `${place} answered 400`]],
    ['500', json({ error: 'invalid_client' }, 500), ['unexpected_status', `${place} answered 500`]],
    [
      'no active',
      json({}),
      ['response_malformed', `${place} did not answer with a JSON object that has active`],
    ],
    [
      'no JSON',
      json('<html>'),
      ['response_malformed', `${place} did not answer with a JSON object that has active`],
    ],
    [
      'too much',
      json('x'.repeat(65_537)),
      ['response_too_large', `${place} answered with more than 65536 bytes`],
    ],
    ['a redirect', json({}, 302), ['redirect_refused', `${place} answered with a redirect`]],
    ['nothing', () => Promise.reject(new Error('secret')), ['network_failed', expect.any(String)]],
  ])('%s', async (_, reply, [code, message]) => {
    const { harness } = over(reply, { retries: 0 });
    expect(await undecided(harness)).toMatchObject({
      reason: 'introspection_unavailable',
      message: typeof message === 'string' ? `${code}: ${message}` : expect.any(String),
      issuer,
      retryAfterMs: undefined,
    });
    const failure = { issuer, endpoint: place, durationMs: 0, code, message, breakerOpen: false };
    expect(harness.events).toEqual([{ type: 'introspection.failed', ...failure }]);
  });

  it('as large as may be is read', async () => {
    const filler = 'x'.repeat(65_536 - JSON.stringify({ ...active, filler: '' }).length);
    expect(await ask(over(json({ ...active, filler })).harness)).toHaveProperty('claims.active', true);
  });

  const second = 1000;
  it.each<[number, { counted: number; calls: number; rememberedMs: number }]>([
    [204, { counted: 1, calls: 1, rememberedMs: second }],
    [400, { counted: 0, calls: 1, rememberedMs: 10 * second }],
    [401, { counted: 1, calls: 1, rememberedMs: second }],
    [402, { counted: 0, calls: 1, rememberedMs: 10 * second }],
    [404, { counted: 1, calls: 1, rememberedMs: second }],
    [408, { counted: 1, calls: 2, rememberedMs: second }],
    [422, { counted: 0, calls: 1, rememberedMs: 10 * second }],
    [429, { counted: 1, calls: 2, rememberedMs: second }],
    [499, { counted: 0, calls: 1, rememberedMs: 10 * second }],
    [500, { counted: 1, calls: 2, rememberedMs: second }],
    [599, { counted: 1, calls: 2, rememberedMs: second }],
  ])('status %i: %j', async (status, { counted, calls, rememberedMs }) => {
    const bench = over(() => new Response(null, { status }));
    await undecided(bench.harness);
    expect(bench.harness.introspector.state()).toMatchObject({ failures: counted });
    expect(bench.calls()).toBe(calls);
    expect(await undecided(bench.harness)).toMatchObject({ retryAfterMs: rememberedMs });
    bench.harness.time += rememberedMs - 1;
    expect(await undecided(bench.harness)).toMatchObject({ retryAfterMs: 1 });
    expect(bench.calls()).toBe(calls);
  });

  it.each<[string, Reply, { counted: number; calls: number }]>([
    ['no JSON', json('<html>'), { counted: 0, calls: 1 }],
    ['too much', json('x'.repeat(65_537)), { counted: 0, calls: 1 }],
    ['too much of a failure', json('x'.repeat(65_537), 500), { counted: 1, calls: 2 }],
    ['too much of a refusal', json('x'.repeat(65_537), 400), { counted: 1, calls: 1 }],
    ['no connection', () => Promise.reject(new Error('down')), { counted: 1, calls: 2 }],
    ['a redirect', json({}, 307), { counted: 1, calls: 1 }],
    ['a failure that says when', json({}, 500, { 'retry-after': '0' }), { counted: 1, calls: 1 }],
  ])('%s: %j', async (_, reply, { counted, calls }) => {
    const bench = over(reply);
    await undecided(bench.harness);
    expect(bench.harness.introspector.state()).toMatchObject({ failures: counted });
    expect(bench.calls()).toBe(calls);
  });

  it('a Retry-After that is a date counts from the time of the clock', async () => {
    const { harness } = over(json({}, 503, { 'retry-after': new Date(nowMs + 7000).toUTCString() }));
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 7000 });
  });

  it.each([
    ['no JSON', json('<html>')],
    ['too much', json('x'.repeat(65_537))],
    ['no connection', () => Promise.reject(new Error('down'))],
  ])('%s is remembered for a second', async (_, reply) => {
    const { harness } = over(reply, { retries: 0 });
    await undecided(harness);
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 1000 });
  });

  it('a bad request is remembered for a second where negativeCacheSeconds is 0', async () => {
    const { harness } = over(json({}, 400), { negativeCacheSeconds: 0 });
    await undecided(harness);
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 1000 });
  });
});

describe('an endpoint that is not known', () => {
  it.each<[string, () => Promise<never>, string, string]>([
    [
      'in time',
      () => new Promise(() => {}),
      'timeout',
      'the introspection endpoint was not known within 20 ms',
    ],
    [
      'for an unknown reason',
      () => Promise.reject(new Error('s')),
      'response_malformed',
      'unexpected failure',
    ],
    [
      'for a reason',
      () => Promise.reject(new ServiceAuthError('issuer_mismatch', 'other')),
      'issuer_mismatch',
      'other',
    ],
    [
      'for a reason of another copy of this package',
      () => Promise.reject(Object.assign(new Error('other'), { name: 'ServiceAuthError', code: 'timeout' })),
      'timeout',
      'other',
    ],
  ])('%s', async (_, endpoint, code, message) => {
    const harness = createHarness('', { endpoint, timeoutMs: 20, retries: 0 });
    expect(await undecided(harness)).toMatchObject({ message: `${code}: ${message}` });
    expect(harness.events).toMatchObject([{ endpoint: undefined, code, message }]);
  });

  it('what another copy of this package says is tried again as its own would be', async () => {
    const failure = { name: 'ServiceAuthError', code: 'unexpected_status', status: 503 };
    const endpoint = vi.fn(() => Promise.reject(Object.assign(new Error('down'), failure)));
    await undecided(createHarness('', { endpoint }));
    expect(endpoint).toHaveBeenCalledTimes(2);
  });
});

describe('a call', () => {
  it('tells how the client authenticates what it needs to know', async () => {
    const clientAuth = vi.fn<ClientAuth>(() => undefined);
    const { harness } = over(json(active), { clientAuth });
    await ask(harness);
    expect(clientAuth).toHaveBeenCalledExactlyOnceWith(
      expect.objectContaining({ issuer, clientId: 'orders', endpoint: `${place}?key=hidden`, refusals: 0 }),
    );
  });

  it.each<[string, ClientAuth]>([
    ['does not tell its credential', () => undefined],
    ['tells it but once', ({ refusals }) => (refusals === 0 ? credentialUsed('only') : undefined)],
  ])('whose authentication is refused is not made twice where that %s', async (_, authenticate) => {
    const clientAuth = vi.fn(authenticate);
    const { harness, calls } = over(json({}, 401), { clientAuth });
    await undecided(harness);
    expect(calls()).toBe(1);
    expect(clientAuth.mock.calls.length).toBe(clientAuth.mock.results[0]?.value === undefined ? 1 : 3);
  });

  it('begins with the first credential again where none was taken', async () => {
    const sent: number[] = [];
    const clientAuth: ClientAuth = ({ refusals }) => {
      sent.push(refusals);
      return credentialUsed(`secret-${refusals}`);
    };
    const { harness } = over(json({}, 401), { clientAuth });
    await undecided(harness);
    await undecided(harness, 'another-token');
    expect(sent).toEqual([0, 1, 0, 1]);
  });

  it('has twice its time for all attempts, and no more', async () => {
    vi.useFakeTimers();
    try {
      const { harness, calls } = over(() => new Promise(() => {}), { timeoutMs: 100, retries: 5 });
      const answer = undecided(harness);
      await vi.advanceTimersByTimeAsync(199);
      expect(harness.events).toMatchObject([{ code: 'timeout' }]);
      await vi.advanceTimersByTimeAsync(1);
      expect(await answer).toMatchObject({ message: `timeout: ${place} did not answer within 100 ms` });
      expect(calls()).toBe(2);
      expect(harness.slept).toEqual([50]);
    } finally {
      vi.useRealTimers();
    }
  });

  it('needs nobody to tell', async () => {
    const answers = [json({}, 500), json(active)];
    const { harness } = over(() => answers.shift()?.() ?? raise(), { emit: undefined });
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('is as long as it took, each attempt by itself', async () => {
    const took = [40, 7];
    const { harness, calls } = over(() => {
      harness.time += took.shift() ?? 0;
      return json(active, calls() === 1 ? 500 : 200)();
    });
    await ask(harness);
    expect(harness.events).toMatchObject([
      { type: 'introspection.failed', durationMs: 40 },
      { type: 'introspection.call', durationMs: 7, active: true, attempts: 2 },
    ]);
  });

  it('about an inactive token is told as such', async () => {
    const { harness } = over(json({ active: false }));
    await ask(harness);
    expect(harness.events).toMatchObject([{ type: 'introspection.call', active: false, attempts: 1 }]);
  });

  it('each wait for another attempt is up to twice as long', async () => {
    const { harness, calls } = over(json({}, 500), { retries: 5 });
    await undecided(harness);
    expect(harness.slept).toEqual([100, 200, 400, 800, 1600]);
    expect(calls()).toBe(6);
  });

  it('waits by timers before another attempt', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const random = vi.spyOn(Math, 'random').mockReturnValue(0.5);
    try {
      const failed = createDeferred();
      const fetch = vi.fn(async () => json({}, 500)());
      const introspection = { endpoint: place, clientId: 'orders', clientSecret: 's3cret' };
      const onEvent = () => failed.resolve();
      const verifier = createVerifier({ issuer: { issuer, introspection }, audience: null, fetch, onEvent });
      const outcome = verifier.verifyToken(token);
      await failed.promise;
      await vi.advanceTimersByTimeAsync(49);
      expect(fetch).toHaveBeenCalledOnce();
      await vi.advanceTimersByTimeAsync(1);
      expect(await outcome).toMatchObject({ ok: false });
      expect(fetch).toHaveBeenCalledTimes(2);
    } finally {
      random.mockRestore();
      vi.useRealTimers();
    }
  });
});

describe('signed answers', async () => {
  const key = await createKey('ES256');
  const typ = 'token-introspection+jwt';
  const name = `the introspection answer of ${issuer}`;
  const noActive = `${place} did not answer with a JSON object that has active`;
  const signs = async (claims: object, header: object): Promise<Reply> => {
    const envelope = { iss: issuer, aud: 'orders', iat: nowSeconds, token_introspection: active };
    const text = await key.sign({ typ, ...header }, { ...envelope, ...claims });
    return json(` ${text}\n`);
  };
  const keySet = () => createStaticKeySet(parseKeySet({ keys: [key.publicJwk] }, keyAlgorithms));

  it.each<[object, object, string]>([
    [{ iss: 'https://other.example' }, {}, `${name} is of another issuer`],
    [{ aud: 'my-orders' }, {}, `${name} is for another audience`],
    [{ aud: ['a', 'b'] }, {}, `${name} is for another audience`],
    [{ aud: 7 }, {}, `${name} is for another audience`],
    [{ iat: '7' }, {}, `${name} has no iat`],
    [{ exp: nowSeconds }, {}, `${name} has expired`],
    [{ exp: `${nowSeconds + 60}` }, {}, `${name} has expired`],
    [{ exp: null }, {}, `${name} has expired`],
    [{ token_introspection: true }, {}, noActive],
    [{ token_introspection: undefined, ...active }, {}, noActive],
    [{}, { typ: 'JWT' }, `${name} does not have the typ ${typ}`],
    [{}, { kid: 'other' }, `${name} is not signed by a key of its issuer`],
  ])('%j under %j', async (claims, header, message) => {
    const bench = over(await signs(claims, header), { response: 'jwt', keys: keySet() });
    expect(await undecided(bench.harness)).toMatchObject({ message: `response_malformed: ${message}` });
    expect(bench.harness.events).toMatchObject([{ code: 'response_malformed', message }]);
    expect(bench.harness.introspector.state()).toMatchObject({ failures: 0 });
  });

  it.each<object>([{}, { aud: ['a', 'orders'] }, { exp: nowSeconds + 0.001 }, { iat: nowSeconds + 60 }])(
    '%j is taken',
    async (claims) => {
      const { harness } = over(await signs(claims, {}), { response: 'jwt', keys: keySet() });
      expect(await ask(harness)).toHaveProperty('claims', active);
    },
  );

  it.each<[string, unknown, string, number]>([
    ['are out of reach', new ServiceAuthError('network_failed', 'no keys'), 'network_failed: no keys', 2],
    ['break', new Error('secret'), 'response_malformed: unexpected failure', 1],
  ])('whose keys %s say that', async (_, error, message, calls) => {
    const keys = { ...keySet(), find: () => Promise.reject(error) };
    const bench = over(await signs({}, {}), { response: 'jwt', keys });
    expect(await undecided(bench.harness)).toMatchObject({ message });
    expect(bench.harness.introspector.state()).toMatchObject({ failures: 1 });
    expect(bench.calls()).toBe(calls);
  });
});

function raise(): never {
  throw new Error('it was asked once too often');
}
