/** What a verifier tells of its work: outcomes, durations, nonces, and what happens while it waits. */
import { describe, expect, it, vi } from 'vitest';
import { createVerifier, type ServiceAuthEvent, type VerifierOptions } from '../../../src/index.ts';
import { createDpopClient, hashOf, requestWith } from '../../helpers/dpop.ts';
import { judge, reasonOf } from '../../helpers/judge.ts';
import { statusListToken } from '../../helpers/status-lists.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const jwks = { keys: [key.publicJwk] };
const bound = await mint(key, { cnf: { jkt: client.jkt } });
const lasting = expect.any(Number);

function setUp(options: Partial<VerifierOptions> = {}) {
  const events: ServiceAuthEvent[] = [];
  const clock = { time: nowMs };
  const verifier = createVerifier({
    issuer: { issuer, jwks },
    audience,
    now: () => clock.time,
    onEvent: (event) => events.push(event),
    ...options,
  });
  const durations = () =>
    events.flatMap((event) => ('durationMs' in event ? [[event.type, event.durationMs]] : []));
  return { events, clock, verifier, durations };
}

const requestOf = async (token = bound) =>
  requestWith({ authorization: `DPoP ${token}`, dpop: await client.prove({ ath: hashOf(token) }) });

describe('how long it took', () => {
  it('is said of what was verified, and not of what was known', async () => {
    const { clock, events, verifier, durations } = setUp();
    const token = await mint(key);
    await judge(verifier, token);
    await judge(verifier, token);
    await judge(verifier, 'opaque');
    await verifier.verifyToken(7 as unknown as string);
    await verifier.authenticate(requestWith({}));
    clock.time += 400_000;
    await judge(verifier, token);
    expect(durations()).toEqual([
      ['request.accepted', lasting],
      ['request.accepted', undefined],
      ['request.rejected', lasting],
      ['request.rejected', undefined],
      ['request.rejected', undefined],
      ['request.rejected', undefined],
    ]);
    expect(events.map((event) => 'cached' in event && event.cached).slice(0, 2)).toEqual([false, true]);
  });

  it('is said of a known token whose binding or status is asked again', async () => {
    const uri = `${issuer}/status/1`;
    const { events, verifier, durations } = setUp({
      issuer: { issuer, jwks, statusList: true },
      fetch: async () => new Response(await statusListToken(key, uri, [0])),
    });
    const listed = await mint(key, { status: { status_list: { idx: 0, uri } } });
    for (let time = 0; time < 2; time++) {
      expect(await reasonOf(verifier.authenticate(await requestOf()))).toBe('accepted');
      expect(await judge(verifier, listed)).toBe('accepted');
    }
    expect(durations().filter(([type]) => type === 'request.accepted')).toEqual(
      new Array(4).fill(['request.accepted', lasting]),
    );
    const cached = events.flatMap((event) => (event.type === 'request.accepted' ? [event.cached] : []));
    expect(cached).toEqual([false, false, true, true]);
  });

  it('is a number of milliseconds from the first look on', async () => {
    const { events, verifier } = setUp();
    const before = performance.now();
    await judge(verifier, await mint(key));
    const [event] = events;
    const durationMs = event?.type === 'request.accepted' ? event.durationMs : undefined;
    expect(durationMs).toBeGreaterThanOrEqual(0);
    expect(durationMs).toBeLessThanOrEqual(performance.now() - before);
  });
});

describe('an optional policy', () => {
  it.each<[string | undefined, object, string]>([
    [undefined, {}, 'anonymous'],
    ['Basic YTpi', {}, 'anonymous'],
    ['hunter2', {}, 'anonymous'],
    ['DPoP a', { dpop: false }, 'unsupported_scheme'],
    ['Bearer', {}, 'malformed_credentials'],
    ['Bearer opaque', {}, 'malformed_token'],
  ])('with %s and %j: %s', async (authorization, options, verdict) => {
    const { events, verifier } = setUp(options);
    const request = requestWith(authorization === undefined ? {} : { authorization });
    const outcome = await verifier.guard({ optional: true })(request);
    if (!outcome.ok) {
      expect(outcome.rejection.reason).toBe(verdict);
      return;
    }
    expect(outcome).toEqual({ ok: true, caller: undefined });
    expect([verdict, events]).toEqual(['anonymous', []]);
  });

  it('and without one, nobody is let in who is not known', async () => {
    const { verifier } = setUp();
    for (const guard of [verifier.guard(), verifier.guard({}), verifier.guard({ optional: false })]) {
      expect(await reasonOf(guard(requestWith({})))).toBe('no_credentials');
    }
    expect(await reasonOf(verifier.authenticate(requestWith({}), { optional: true }))).toBe('accepted');
    expect(await reasonOf(verifier.verifyToken('opaque', { policy: { optional: true } }))).toBe(
      'malformed_token',
    );
  });
});

describe('a nonce', () => {
  const [first, second] = ['a'.repeat(32), 'b'.repeat(32)];
  const withNonce = (secret: string | readonly string[], more: object = {}) =>
    setUp({ dpop: { nonce: { secret, ...more } } });
  const prove = async (nonce: string | undefined, iat = nowSeconds) =>
    requestWith({
      authorization: `DPoP ${bound}`,
      dpop: await client.prove({ ath: hashOf(bound), iat, ...(nonce !== undefined && { nonce }) }),
    });
  const nonceOf = async ({ verifier }: ReturnType<typeof setUp>): Promise<string> => {
    const outcome = await verifier.authenticate(requestWith({}));
    return (outcome.ok ? undefined : outcome.rejection.headers['DPoP-Nonce']) ?? '';
  };

  it('comes with every answer, and none where none is asked for', async () => {
    const strict = withNonce(first);
    const nonce = await nonceOf(strict);
    expect(nonce).toMatch(/^[\w-]{32}$/);
    expect(await strict.verifier.authenticate(await prove(nonce))).toMatchObject({
      ok: true,
      caller: { clientId: 'billing' },
      headers: { 'DPoP-Nonce': nonce },
    });
    const anonymous = await strict.verifier.authenticate(requestWith({}), { optional: true });
    expect(anonymous).toEqual({ ok: true, caller: undefined, headers: { 'DPoP-Nonce': nonce } });
    expect(await reasonOf(strict.verifier.authenticate(await prove(undefined)))).toBe('missing_nonce');
    const plain = await setUp().verifier.authenticate(await prove(undefined));
    expect('headers' in plain).toBe(false);
  });

  it('of any of the secrets is accepted, and the first makes it', async () => {
    const nonce = await nonceOf(withNonce(first));
    const rotated = withNonce([second, first]);
    expect(await nonceOf(rotated)).toBe(await nonceOf(withNonce(second)));
    expect(await reasonOf(rotated.verifier.authenticate(await prove(nonce)))).toBe('accepted');
    expect(await reasonOf(withNonce(second).verifier.authenticate(await prove(nonce)))).toBe('wrong_nonce');
  });

  it.each([
    [{}, 599, 'accepted'],
    [{}, 600, 'wrong_nonce'],
    [{ lifetimeSeconds: 100 }, 199, 'accepted'],
    [{ lifetimeSeconds: 100 }, 200, 'wrong_nonce'],
  ])('with %j lasts: after %i s it is %s', async (more, seconds, verdict) => {
    const { clock, verifier, ...rest } = withNonce(first, more);
    const nonce = await nonceOf({ clock, verifier, ...rest });
    clock.time += seconds * 1000;
    const token = await mint(key, { cnf: { jkt: client.jkt }, exp: nowSeconds + 3600 });
    const dpop = await client.prove({ ath: hashOf(token), iat: nowSeconds + seconds, nonce });
    const request = requestWith({ authorization: `DPoP ${token}`, dpop });
    expect(await reasonOf(verifier.authenticate(request))).toBe(verdict);
  });
});

describe('what happens while a request waits', () => {
  const late = (doing: () => void) => ({
    check: async (): Promise<boolean> => {
      await Promise.resolve();
      doing();
      return true;
    },
  });

  it.each([{}, { cache: false } as const])(
    'a verifier that is closed decides no more: %j',
    async (options) => {
      const { events, verifier } = setUp(options);
      const token = await mint(key);
      const policy = late(() => verifier.close());
      const outcome = await verifier.verifyToken(token, { policy });
      expect(outcome).toMatchObject({ rejection: { status: 503, reason: 'closed' } });
      expect(verifier.health().cachedTokens).toBe(0);
      await judge(verifier, token);
      const closed = { at: nowMs, type: 'request.undecided', reason: 'closed', issuer: undefined };
      const told = { ...closed, retryAfterMs: 1000, message: 'the verifier is closed' };
      expect(events).toEqual([
        { ...told, durationMs: lasting },
        { ...told, durationMs: undefined },
      ]);
    },
  );

  it('and keys are fetched, what comes too late is not kept', async () => {
    const { verifier } = setUp({
      issuer: { issuer, jwksUri: `${issuer}/jwks` },
      fetch: async () => {
        verifier.close();
        return Response.json(jwks);
      },
    });
    expect(await judge(verifier, await mint(key))).toBe('closed');
    expect(verifier.health().cachedTokens).toBe(0);
  });

  it('a token that is taken back is refused, with its client', async () => {
    const { events, verifier } = setUp();
    const token = await mint(key);
    const invalidate = () => verifier.invalidate({ jti: 'token-1' });
    const ask = (doing: () => void) => reasonOf(verifier.verifyToken(token, { policy: late(doing) }));
    expect(await ask(() => verifier.invalidate({ jti: 'another' }))).toBe('accepted');
    expect(await ask(invalidate)).toBe('invalidated');
    expect(events.at(-1)).toMatchObject({
      step: 'status',
      reason: 'invalidated',
      issuer,
      clientId: 'billing',
    });
  });

  it('a check that breaks leaves it undecided', async () => {
    class CheckError extends Error {
      override readonly name = 'CheckError';
    }
    const told: (readonly [string, string | undefined])[] = [];
    for (const thrown of [new CheckError('a secret'), 'a secret', undefined]) {
      const { events, verifier } = setUp();
      for (const check of [
        () => Promise.reject(thrown),
        () => {
          throw thrown;
        },
      ]) {
        expect(await reasonOf(verifier.verifyToken(await mint(key), { policy: { check } }))).toBe(
          'check_failed',
        );
      }
      for (const event of events)
        if (event.type === 'request.undecided') told.push([event.message, event.issuer]);
    }
    expect(told).toEqual(
      ['CheckError', 'CheckError', 'string', 'string', 'undefined', 'undefined'].map((name) => [
        `check threw ${name}`,
        issuer,
      ]),
    );
  });

  it('a check is asked of the caller and the request, after all else', async () => {
    const { verifier } = setUp();
    const check = vi.fn(() => true);
    const request = requestWith({ authorization: `Bearer ${await mint(key)}` });
    await verifier.authenticate(request, { scope: 'admin', check });
    expect(check).not.toHaveBeenCalled();
    await verifier.authenticate(request, { check });
    await verifier.verifyToken(await mint(key), { policy: { check } });
    expect(check.mock.calls).toEqual([
      [expect.objectContaining({ clientId: 'billing' }), request],
      [expect.objectContaining({ clientId: 'billing' }), undefined],
    ]);
  });
});
