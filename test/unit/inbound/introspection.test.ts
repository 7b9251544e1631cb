import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ActiveToken } from '../../../src/inbound/introspection.ts';
import { clientSecretPost } from '../../../src/shared/client-auth.ts';
import { keyAlgorithms } from '../../../src/shared/crypto.ts';
import { Fault } from '../../../src/shared/fault.ts';
import { createStaticKeySet, parseKeySet } from '../../../src/shared/key-set.ts';
import {
  closedPort,
  createHarness,
  type Harness,
  type IntrospectionStub,
  says,
  startIntrospectionStub,
} from '../../helpers/introspection-stub.ts';
import { createKey, issuer, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const token = 'an-opaque-token-of-some-length';
const active = { active: true, client_id: 'billing', scope: 'orders:read' };

let stub: IntrospectionStub;
beforeEach(async () => {
  stub = await startIntrospectionStub(says(active));
});
afterEach(() => {
  vi.useRealTimers();
  return stub.close();
});

async function ask({ introspector }: Harness, asked = token): Promise<ActiveToken | Fault> {
  return introspector.introspect(asked);
}

/** What an undecided call says. */
async function undecided(harness: Harness, asked = token): Promise<Record<string, unknown>> {
  try {
    const answer = await ask(harness, asked);
    return { answer };
  } catch (error) {
    const { reason, message, retryAfterMs } = error as Record<string, unknown>;
    return { reason, message, retryAfterMs };
  }
}

describe('the request', () => {
  it('is a form post with the token, authenticated by Basic', async () => {
    await ask(createHarness(stub.url), 'a token/with+odd&characters=');
    const [request] = stub.requests;
    expect(request?.method).toBe('POST');
    expect([...(request?.form ?? [])]).toEqual([
      ['token', 'a token/with+odd&characters='],
      ['token_type_hint', 'access_token'],
    ]);
    expect(request?.headers).toMatchObject({
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      authorization: `Basic ${Buffer.from('orders:the+secret+of+orders').toString('base64')}`,
    });
  });

  it('is authenticated in the body where the client is set up so', async () => {
    await ask(createHarness(stub.url, { clientAuth: clientSecretPost('s3cret') }));
    const [request] = stub.requests;
    expect(request?.form.get('client_id')).toBe('orders');
    expect(request?.form.get('client_secret')).toBe('s3cret');
    expect(request?.headers.authorization).toBeUndefined();
  });

  it('goes over an injected fetch where there is one', async () => {
    const fetch = vi.fn(async () => Response.json(active));
    await ask(createHarness('https://idp.example/introspect', { fetch }));
    expect(fetch).toHaveBeenCalledOnce();
  });
});

describe('the answer', () => {
  it('active: its claims, believed for the cache time', async () => {
    const harness = createHarness(stub.url);
    expect(await ask(harness)).toEqual({ claims: active, believedUntilMs: nowMs + 30_000 });
    expect(harness.events).toEqual([
      { type: 'introspection.call', issuer, durationMs: 0, active: true, attempts: 1 },
    ]);
  });

  it('is never believed beyond exp', async () => {
    stub.reply = says({ ...active, exp: nowSeconds + 7 });
    expect(await ask(createHarness(stub.url))).toMatchObject({ believedUntilMs: nowMs + 7000 });
    stub.reply = says({ ...active, exp: nowSeconds + 70 });
    expect(await ask(createHarness(stub.url))).toMatchObject({ believedUntilMs: nowMs + 30_000 });
  });

  it('inactive: a fault', async () => {
    stub.reply = says({ active: false });
    const answer = await ask(createHarness(stub.url));
    expect(answer).toBeInstanceOf(Fault);
    expect(answer).toMatchObject({ step: 'introspection', reason: 'inactive_token' });
  });

  it('of another issuer: a fault, and the same issuer to the byte is none', async () => {
    stub.reply = says({ ...active, iss: `${issuer}/` });
    const harness = createHarness(stub.url);
    const fault = { reason: 'unknown_issuer', expected: issuer, actual: `${issuer}/` };
    expect(await ask(harness)).toMatchObject(fault);
    expect(await ask(harness)).toMatchObject(fault);
    expect(stub.requests).toHaveLength(1);
    stub.reply = says({ ...active, iss: [issuer] });
    expect(await ask(createHarness(stub.url))).toMatchObject({ reason: 'unknown_issuer', actual: 'object' });
    stub.reply = says({ ...active, iss: issuer });
    expect(await ask(createHarness(stub.url))).toHaveProperty('claims.iss', issuer);
  });

  it.each([
    ['the word "true"', { ...active, active: 'true' }],
    ['1', { ...active, active: 1 }],
    ['null', { ...active, active: null }],
    ['no active', { client_id: 'billing' }],
    ['active of the prototype', '{"__proto__":{"active":true}}'],
    ['a list', [active]],
    ['a string', '"active"'],
    ['no JSON', '<html>'],
    ['nothing', ''],
    ['deep JSON', `${'{"a":'.repeat(100)}1${'}'.repeat(100)}`],
    ['too much', JSON.stringify({ ...active, filler: 'x'.repeat(70_000) })],
  ])('with %s is not decided', async (_name, answer) => {
    stub.reply = says(answer);
    const harness = createHarness(stub.url);
    expect(await undecided(harness)).toMatchObject({ reason: 'introspection_unavailable' });
    expect(stub.requests).toHaveLength(1);
    expect(harness.events).toMatchObject([{ type: 'introspection.failed', breakerOpen: false }]);
  });
});

describe('failures', () => {
  it.each([401, 403])(
    '%i: our own credentials are wrong, which is said clearly and is no 401',
    async (status) => {
      stub.reply = says({ error: 'invalid_client' }, status);
      const harness = createHarness(`${stub.url}?key=hidden`);
      expect(await undecided(harness)).toMatchObject({ reason: 'introspection_unavailable' });
      expect(harness.events).toMatchObject([
        { type: 'introspection.failed', code: 'client_auth_failed', breakerOpen: false },
      ]);
      expect(inspect(harness.events)).toMatch(/refused this service's own credentials .* check clientId/);
      expect(inspect(harness.events)).not.toMatch(/hidden|secret of|opaque/);
      expect(stub.requests).toHaveLength(1);
    },
  );

  it.each([500, 502, 503, 429])('%i is tried again once, with full jitter', async (status) => {
    stub.reply = (response, request) => {
      says(active, stub.requests.length === 1 ? status : 200)(response, request);
    };
    const harness = createHarness(stub.url, { random: () => 0.25 });
    expect(await ask(harness)).toHaveProperty('claims', active);
    expect(harness.slept).toEqual([25]);
    expect(harness.events).toMatchObject([
      { type: 'introspection.failed', code: 'unexpected_status' },
      { type: 'introspection.call', attempts: 2 },
    ]);
  });

  it('a Retry-After is heeded: no retry, and the caller is told', async () => {
    stub.reply = says({}, 503, { 'retry-after': '7' });
    const harness = createHarness(stub.url, { retries: 5 });
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 7000 });
    expect(stub.requests).toHaveLength(1);
    expect(harness.slept).toEqual([]);
  });

  it('a Retry-After beyond half a minute is not passed on: the endpoint is asked again before', async () => {
    stub.reply = says({}, 503, { 'retry-after': '3600' });
    expect(await undecided(createHarness(stub.url))).toMatchObject({ retryAfterMs: 30_000 });
  });

  it('attempts and the waits between them take no more than twice timeoutMs', async () => {
    stub.reply = () => {};
    const harness = createHarness(stub.url, { timeoutMs: 100, retries: 5 });
    const startedAt = performance.now();
    expect(await undecided(harness)).toMatchObject({ message: expect.stringMatching(/^timeout: /) });
    expect(performance.now() - startedAt).toBeLessThan(500);
    expect(stub.requests.length).toBeLessThan(5);
    for (const pause of harness.slept) expect(pause).toBeLessThan(60);
  });

  it('an endpoint that is discovered for ever is not waited for', async () => {
    const endpoint = (): Promise<string> => new Promise(() => {});
    const harness = createHarness('', { endpoint, timeoutMs: 20, retries: 0 });
    expect(await undecided(harness)).toMatchObject({ message: expect.stringMatching(/^timeout: /) });
  });

  it('a connection that breaks is tried again; retries: 0 tries once', async () => {
    stub.reply = (response) => response.destroy();
    const harness = createHarness(stub.url);
    expect(await undecided(harness)).toMatchObject({ reason: 'introspection_unavailable' });
    expect(stub.requests).toHaveLength(2);
    expect(await undecided(createHarness(stub.url, { retries: 0 }))).toHaveProperty('reason');
    expect(stub.requests).toHaveLength(3);
  });

  it('an endpoint that does not answer within timeoutMs is not waited for', async () => {
    stub.reply = () => {};
    const harness = createHarness(stub.url, { timeoutMs: 250 });
    expect(await undecided(harness)).toMatchObject({ message: expect.stringMatching(/^timeout: /) });
    expect(stub.requests).toHaveLength(2);
  });

  it('a redirect is not followed', async () => {
    stub.reply = says({}, 307, { location: '/elsewhere' });
    expect(await undecided(createHarness(stub.url))).toMatchObject({
      message: expect.stringMatching(/^redirect_refused/),
    });
    expect(stub.requests).toHaveLength(1);
  });

  it('an endpoint that cannot be discovered is not decided', async () => {
    const harness = createHarness('', { endpoint: () => Promise.reject(new Error('no metadata')) });
    expect(await undecided(harness)).toMatchObject({ reason: 'introspection_unavailable' });
  });
});

describe('the breaker', () => {
  it('opens after five failures, says when to come back, and closes when the endpoint is back', async () => {
    const good = stub.url;
    stub.reply = says({}, 500);
    const harness = createHarness(good, { retries: 0 });
    for (let count = 0; count < 5; count++) await undecided(harness, `token-${count}`);
    expect(harness.introspector.state()).toMatchObject({ state: 'open', retryAt: nowMs + 1000 });
    expect(harness.events.at(-1)).toMatchObject({ breakerOpen: true });

    harness.time += 400;
    expect(await undecided(harness)).toMatchObject({
      reason: 'introspection_unavailable',
      retryAfterMs: 600,
    });
    expect(stub.requests).toHaveLength(5);

    harness.time += 600;
    stub.reply = says(active);
    expect(await ask(harness)).toHaveProperty('claims', active);
    expect(harness.introspector.state()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('an endpoint that is down costs no more than its probes', async () => {
    const harness = createHarness(`http://127.0.0.1:${await closedPort()}/`, { retries: 1 });
    let calls = 0;
    for (let minute = 0; minute < 60; minute++) {
      for (let count = 0; count < 20; count++) await undecided(harness, `token-${minute}-${count}`);
      calls = harness.events.length;
      harness.time += 60_000;
    }
    // Four tokens with a retry each, the fifth opens it.
    expect(calls).toBe(4 * 2 + 1 + 59);
    expect((await undecided(harness)).retryAfterMs).toBe(30_000);
  });

  it('bad tokens that the endpoint refuses as bad requests do not open it', async () => {
    stub.reply = (response, request) => {
      const bad = request.form.get('token')?.startsWith('bad') === true;
      says(bad ? { error: 'invalid_request' } : active, bad ? 400 : 200)(response, request);
    };
    const harness = createHarness(stub.url);
    for (let count = 0; count < 20; count++) await undecided(harness, `bad-${count}`);
    expect(harness.introspector.state().state).toBe('closed');
    expect(await ask(harness)).toHaveProperty('claims', active);
  });
});

describe('a token that alone makes the endpoint fail', () => {
  const fails = (token: string | null): boolean => token?.startsWith('poison') === true;
  const failsWith =
    (bad: Parameters<typeof says>): IntrospectionStub['reply'] =>
    (response, request) =>
      (fails(request.form.get('token')) ? says(...bad) : says(active))(response, request);
  const answers: [string, Parameters<typeof says>][] = [
    ['too large', [{ ...active, filler: 'x'.repeat(70_000) }]],
    ['no answer', [{ ok: 1 }]],
    ['too deep', [`{"active":true,"a":${'['.repeat(40)}${']'.repeat(40)}}`]],
    ['a failure', [{}, 500]],
  ];

  it.each(answers)('with %s shuts it to nobody else', async (_name, bad) => {
    stub.reply = failsWith(bad);
    const harness = createHarness(stub.url);
    for (let tenth = 0; tenth < 300; tenth++) {
      await undecided(harness, 'poison');
      if (tenth % 10 === 0) expect(await ask(harness, `good-${tenth}`)).toHaveProperty('claims', active);
      harness.time += 100;
    }
    expect(harness.introspector.state()).toMatchObject({ state: 'closed', failures: 0 });
  });

  it('a single token, without any others, does not open the breaker, and is asked about once a second', async () => {
    stub.reply = says({}, 500);
    const harness = createHarness(stub.url, { retries: 0 });
    for (let tenth = 0; tenth < 300; tenth++) {
      await undecided(harness);
      harness.time += 100;
    }
    expect(stub.requests).toHaveLength(30);
    expect(harness.introspector.state()).toMatchObject({ state: 'closed', failures: 1 });
  });

  it('does not take the probes of an endpoint that was shut', async () => {
    stub.reply = failsWith([{}, 500]);
    const harness = createHarness(stub.url, { retries: 0 });
    for (let count = 0; count < 5; count++) await undecided(harness, `poison-${count}`);
    harness.time += 1000;
    expect(await undecided(harness, 'poison-0')).toMatchObject({ retryAfterMs: 1000 });
    expect(await ask(harness, 'good')).toHaveProperty('claims', active);
    expect(harness.introspector.state().state).toBe('closed');
  });
});

describe('an answer that neither decides nor shows how the endpoint is', () => {
  it('does not hide that it fails: it is shut after five failures', async () => {
    stub.reply = (response, request) =>
      says({}, request.form.get('token')?.startsWith('bad') ? 400 : 500)(response, request);
    const harness = createHarness(stub.url, { retries: 0 });
    for (let count = 0; count < 5; count++) {
      await undecided(harness, `bad-${count}`);
      await undecided(harness, `other-${count}`);
    }
    expect(harness.introspector.state().state).toBe('open');
    expect(stub.requests).toHaveLength(10);
    harness.time += 1000;
    await undecided(harness, 'bad-9');
    expect(harness.introspector.state().state).toBe('half-open');
    stub.reply = says(active);
    expect(await ask(harness)).toHaveProperty('claims', active);
    expect(harness.introspector.state().state).toBe('closed');
  });

  it('400 is remembered for negativeCacheSeconds, as undecided', async () => {
    stub.reply = says({ error: 'invalid_request' }, 400);
    const harness = createHarness(stub.url);
    for (let count = 0; count < 10; count++) {
      expect(await undecided(harness)).toMatchObject({ reason: 'introspection_unavailable' });
    }
    expect(await undecided(harness)).toMatchObject({ retryAfterMs: 10_000 });
    harness.time += 9999;
    await undecided(harness);
    expect(stub.requests).toHaveLength(1);
    harness.time += 1;
    stub.reply = says(active);
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('one that cannot be read is remembered for a second', async () => {
    stub.reply = says('<html>');
    const harness = createHarness(stub.url);
    await undecided(harness);
    stub.reply = says(active);
    harness.time += 999;
    expect(await undecided(harness)).toMatchObject({ message: expect.stringMatching(/^response_malformed/) });
    harness.time += 1;
    expect(await ask(harness)).toHaveProperty('claims', active);
  });
});

describe('members of the answer', () => {
  it('that are null count as absent, at every depth', async () => {
    stub.reply = says({
      ...active,
      iss: null,
      jti: null,
      cnf: null,
      act: { sub: 'a', act: null },
      aud: ['a'],
    });
    expect(await ask(createHarness(stub.url))).toHaveProperty('claims', {
      ...active,
      act: { sub: 'a' },
      aud: ['a'],
    });
  });

  it('whose name is that of a prototype change nothing', async () => {
    stub.reply = says('{"active":true,"__proto__":{"iss":null,"sub":"root"},"constructor":null}');
    const answer = await ask(createHarness(stub.url));
    if (answer instanceof Fault) throw new Error('refused');
    expect(Object.getPrototypeOf(answer.claims)).toBe(Object.prototype);
    expect(answer.claims.sub).toBeUndefined();
    expect(Object.keys(answer.claims)).toEqual(['active', '__proto__']);
  });

  it.each(['refresh_token', 'N_A', 'id_token', '', 7, ['Bearer']])('token_type %j: a fault', async (type) => {
    stub.reply = says({ ...active, token_type: type });
    const fault = { step: 'introspection', reason: 'wrong_token_kind' };
    const harness = createHarness(stub.url);
    expect(await ask(harness)).toMatchObject(fault);
    expect(await ask(harness)).toMatchObject(fault);
    expect(stub.requests).toHaveLength(1);
  });

  it.each(['Bearer', 'bearer', 'DPoP', 'dpop', 'service', 'access_token', null])(
    'token_type %j is that of an access token',
    async (type) => {
      stub.reply = says({ ...active, token_type: type });
      expect(await ask(createHarness(stub.url))).toHaveProperty('claims.client_id', 'billing');
    },
  );
});

describe('one call for many', () => {
  it('1,000 concurrent requests with one token are one call', async () => {
    const harness = createHarness(stub.url);
    const answers = await Promise.all(Array.from({ length: 1000 }, () => ask(harness)));
    expect(new Set(answers).size).toBe(1);
    expect(stub.requests).toHaveLength(1);
  });

  it('a failed call is shared, and remembered for a second', async () => {
    stub.reply = says({}, 500);
    const harness = createHarness(stub.url, { retries: 0 });
    const outcomes = await Promise.all(Array.from({ length: 100 }, () => undecided(harness)));
    expect(outcomes.every(({ reason }) => reason === 'introspection_unavailable')).toBe(true);
    expect(stub.requests).toHaveLength(1);
    stub.reply = says(active);
    harness.time += 999;
    expect(await undecided(harness)).toEqual({
      reason: 'introspection_unavailable',
      message: `unexpected_status: ${stub.url} answered 500`,
      retryAfterMs: 1,
    });
    harness.time += 1;
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('64 calls at once, 1,000 in waiting, the rest is refused at once', async () => {
    const held: (() => void)[] = [];
    stub.reply = (response, request) => void held.push(() => says(active)(response, request));
    const harness = createHarness(stub.url);
    const outcomes = Array.from({ length: 1065 }, (_, count) => undecided(harness, `token-${count}`));
    expect(await outcomes[1064]).toMatchObject({ reason: 'overloaded', retryAfterMs: 1000 });
    await vi.waitFor(() => expect(held).toHaveLength(64));
    expect(stub.requests).toHaveLength(64);
    stub.reply = says(active);
    for (const release of held) release();
    const settled = await Promise.all(outcomes);
    expect(settled.filter(({ answer }) => answer !== undefined)).toHaveLength(1064);
  });
});

describe('the queue', () => {
  it('is left after timeoutMs by those whose turn did not come', async () => {
    vi.useFakeTimers();
    const fetch = vi.fn(async () => {
      await new Promise((resolve) => setTimeout(resolve, 900));
      return Response.json(active);
    });
    const harness = createHarness('https://idp.example/introspect', { fetch, timeoutMs: 1000 });
    const outcomes = Array.from({ length: 200 }, (_, count) => undecided(harness, `token-${count}`));
    let settled = 0;
    for (const outcome of outcomes) void outcome.then(() => settled++);
    await vi.advanceTimersByTimeAsync(1000);
    expect(settled).toBe(64 + 72);
    expect(await outcomes[199]).toMatchObject({ reason: 'overloaded', retryAfterMs: 1000 });
    await vi.advanceTimersByTimeAsync(1000);
    const answered = (await Promise.all(outcomes)).filter(({ answer }) => answer !== undefined);
    expect(answered).toHaveLength(128);
    expect(fetch).toHaveBeenCalledTimes(128);
  });
});

describe('inactive tokens', () => {
  it('are asked about again once the clock is set back', async () => {
    stub.reply = says({ active: false });
    const harness = createHarness(stub.url);
    await ask(harness);
    harness.time -= 3_600_000;
    stub.reply = says(active);
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('are remembered for negativeCacheSeconds', async () => {
    stub.reply = says({ active: false });
    const harness = createHarness(stub.url);
    for (let count = 0; count < 3; count++) {
      expect(await ask(harness)).toMatchObject({ reason: 'inactive_token' });
    }
    expect(stub.requests).toHaveLength(1);
    harness.time += 10_000;
    stub.reply = says(active);
    expect(await ask(harness)).toHaveProperty('claims', active);
  });

  it('are forgotten on demand, also while a call is on its way', async () => {
    stub.reply = says({ active: false });
    const harness = createHarness(stub.url);
    const before = ask(harness);
    harness.introspector.forget(token);
    const after = ask(harness);
    expect(await Promise.all([before, after])).toHaveLength(2);
    expect(stub.requests).toHaveLength(2);
    harness.introspector.forget(token);
    await ask(harness);
    expect(stub.requests).toHaveLength(3);
  });
});

describe('signed answers (RFC 9701)', async () => {
  const key = await createKey('ES256');
  const typ = 'token-introspection+jwt';
  const envelope = { iss: issuer, aud: 'orders', iat: nowSeconds, token_introspection: active };
  const keys = createStaticKeySet(parseKeySet({ keys: [key.publicJwk] }, keyAlgorithms));
  const harness = (): Harness => createHarness(stub.url, { response: 'jwt', keys });

  const signed = async (claims: object, header: object = { typ }): Promise<void> => {
    stub.reply = says(await key.sign(header, claims), 200, { 'content-type': `application/${typ}` });
  };

  it('are asked for, and their token_introspection is what counts', async () => {
    await signed({ ...envelope, active: false });
    expect(await ask(harness())).toMatchObject({ claims: active });
    expect(stub.requests[0]?.headers.accept).toBe('application/token-introspection+jwt');
    await signed({ ...envelope, aud: ['other', 'orders'], token_introspection: { active: false } });
    expect(await ask(harness())).toMatchObject({ reason: 'inactive_token' });
  });

  it('an unsigned answer is refused, which would be a downgrade', async () => {
    stub.reply = says(active);
    expect(await undecided(harness())).toMatchObject({ reason: 'introspection_unavailable' });
  });

  it.each([
    ['of another issuer', { iss: 'https://other.example' }, { typ }],
    ['without issuer', { iss: undefined }, { typ }],
    ['for another client', { aud: 'billing' }, { typ }],
    ['without audience', { aud: undefined }, { typ }],
    ['without iat', { iat: undefined }, { typ }],
    ['that expired', { exp: nowSeconds }, { typ }],
    ['without token_introspection', { token_introspection: undefined, ...active }, { typ }],
    ['with a token_introspection that is no object', { token_introspection: true }, { typ }],
    ['of another typ', {}, { typ: 'at+jwt' }],
    ['without typ', {}, {}],
    ['by an unknown key', {}, { typ, kid: 'other' }],
  ])('one %s is not decided', async (_name, changes, header) => {
    await signed({ ...envelope, ...changes }, header);
    expect(await undecided(harness())).toMatchObject({ reason: 'introspection_unavailable' });
  });

  it('one signed by another is not decided', async () => {
    const other = await createKey('ES256');
    stub.reply = says(await other.sign({ typ }, envelope));
    expect(await undecided(harness())).toMatchObject({ reason: 'introspection_unavailable' });
  });
});
