/** How long a token that verified is believed without asking anew, by a clock that may be set, and what is told of it. */
import { describe, expect, it, vi } from 'vitest';
import {
  type AuthOutcome,
  createVerifier,
  type MaybePromise,
  type ServiceAuthEvent,
  type TrustedIssuer,
  type VerifierOptions,
} from '../../../src/index.ts';
import { requestWith } from '../../helpers/dpop.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const other = await createKey('ES256', 'other');
const jwks = { keys: [key.publicJwk] };
const opaque = 'an-opaque-token';
const DAY_MS = 86_400_000;

/** A verifier with a clock of its own, and whatever it tells. */
function bench(options: Partial<VerifierOptions> = {}) {
  const events: ServiceAuthEvent[] = [];
  const clock = { time: nowMs };
  const verifier = createVerifier({
    issuer: { issuer, jwks },
    audience,
    now: () => clock.time,
    onEvent: (event) => events.push(event),
    ...options,
  });
  return { verifier, clock, events };
}

/** A verifier that introspects, what it is answered from now on, and how often it asked. */
function introspecting(answer: object, introspection: object = {}, others: readonly TrustedIssuer[] = []) {
  const said = { answer: { active: true, aud: audience, client_id: 'billing', ...answer } };
  const fetch = vi.fn(async () => Response.json(said.answer));
  const settings = { endpoint: `${issuer}/introspect`, clientId: 'orders', clientSecret: 's3cret' };
  const trusted = [...others, { issuer, introspection: { ...settings, ...introspection } }];
  return Object.assign(bench({ issuer: trusted, fetch }), { said, calls: () => fetch.mock.calls.length });
}

async function verdict(outcome: MaybePromise<AuthOutcome>): Promise<string> {
  const settled = await outcome;
  return settled.ok ? 'accepted' : settled.rejection.reason;
}

const cachedOf = (events: readonly ServiceAuthEvent[]): boolean[] =>
  events.flatMap((event) => (event.type === 'request.accepted' ? [event.cached] : []));

describe('a JWT', () => {
  it('is good to the end of the tolerance past its exp, and not a millisecond longer', async () => {
    const { verifier, clock, events } = bench();
    const token = await mint(key);
    await verifier.verifyToken(token);
    clock.time += 304_999;
    expect(await verdict(verifier.verifyToken(token))).toBe('accepted');
    clock.time += 1;
    expect(await verdict(verifier.verifyToken(token))).toBe('expired');
    expect(cachedOf(events)).toEqual([false, true]);
    expect(events.at(-1)).toMatchObject({
      expected: `exp after ${nowSeconds + 305}`,
      actual: `${nowSeconds + 300}`,
      issuer,
      clientId: 'billing',
    });
  });

  it.each<[string, object, number, string]>([
    ['nbf', { iat: undefined, nbf: nowSeconds }, -5000, 'accepted'],
    ['nbf', { iat: undefined, nbf: nowSeconds }, -5001, 'not_yet_valid'],
    ['iat', {}, -5000, 'accepted'],
    ['iat', {}, -5001, 'issued_in_future'],
    ['nothing', { iat: undefined }, -DAY_MS, 'accepted'],
  ])('that says %s (%j), by a clock set back %i ms: %s', async (_, claims, backMs, expected) => {
    const { verifier, clock, events } = bench();
    const token = await mint(key, claims);
    await verifier.verifyToken(token);
    clock.time += backMs;
    expect(await verdict(verifier.verifyToken(token))).toBe(expected);
    // It is in memory, however far back.
    expect(cachedOf(events)).toEqual(expected === 'accepted' ? [false, true] : [false]);
  });

  it('without exp is none', async () => {
    const { verifier } = bench();
    const token = await mint(key, { exp: undefined });
    expect(await verdict(verifier.verifyToken(token))).toBe('invalid_claim');
  });

  it('of one key among several, without its name, is found, and one of none is not', async () => {
    const stranger = await createKey('ES256', 'stranger');
    const keys = [other.publicJwk, key.publicJwk].map(({ kid: _, ...jwk }) => jwk);
    const { verifier, events } = bench({ issuer: { issuer, jwks: { keys } } });
    const unnamed = { kid: undefined };
    expect(await verdict(verifier.verifyToken(await mint(key, {}, unnamed)))).toBe('accepted');
    expect(await verdict(verifier.verifyToken(await mint(other, {}, unnamed)))).toBe('accepted');
    expect(await verdict(verifier.verifyToken(await mint(stranger, {}, unnamed)))).toBe('bad_signature');
    expect(events.at(-1)).toMatchObject({
      step: 'signature',
      expected: `a signature by a key of ${issuer}`,
    });
  });

  it('is judged by its own header, whichever came before', async () => {
    const { verifier } = bench({ issuer: { issuer, jwks: { keys: [key.publicJwk, other.publicJwk] } } });
    const verdicts: string[] = [];
    for (const [by, header] of [
      [key, {}],
      [other, {}],
      [key, {}],
      [key, { typ: 'logout+jwt' }],
      [key, {}],
      [key, { kid: 'third' }],
    ] as const) {
      const token = await mint(by, { jti: `${verdicts.length}` }, header);
      verdicts.push(await verdict(verifier.verifyToken(token)));
    }
    expect(verdicts).toEqual(['accepted', 'accepted', 'accepted', 'wrong_typ', 'accepted', 'unknown_key']);
  });

  it('of nobody that is trusted says who is', async () => {
    const trusted = [
      { issuer, jwks },
      { issuer: 'https://second.example', jwks },
    ];
    const { verifier, events } = bench({ issuer: trusted });
    await verifier.verifyToken(await mint(key, { iss: 'https://third.example' }));
    const expected = `${issuer} or https://second.example`;
    expect(events).toMatchObject([{ reason: 'unknown_issuer', expected, actual: 'https://third.example' }]);
  });

  it('of a key without a name that nobody has', async () => {
    const rsa = await createKey('RS256');
    const { verifier, events } = bench({ issuer: { issuer, jwks: { keys: [rsa.publicJwk] } } });
    await verifier.verifyToken(await mint(key, {}, { kid: undefined }));
    const unknown = { step: 'key', reason: 'unknown_key', expected: `a key of ${issuer}`, actual: 'none' };
    expect(events).toMatchObject([unknown]);
  });
});

describe('fetched keys', () => {
  function fetching(...keys: readonly (typeof key)[]) {
    const published = { keys, isDown: false };
    const fetch = async () => {
      if (published.isDown) throw new Error('secret');
      return Response.json({ keys: published.keys.map(({ publicJwk }) => publicJwk) });
    };
    return Object.assign(bench({ issuer: { issuer, jwksUri: `${issuer}/jwks` }, fetch }), { published });
  }

  it('a token of one that is no longer published is not believed because it was', async () => {
    const { verifier, clock, published } = fetching(key);
    const token = await mint(key);
    expect(await verdict(verifier.verifyToken(token))).toBe('accepted');
    published.keys = [other];
    clock.time += 60_000;
    expect(await verdict(verifier.verifyToken(await mint(other)))).toBe('accepted');
    expect(await verdict(verifier.verifyToken(token))).toBe('unknown_key');
  });

  it('out of reach too long leave undecided what they verified before', async () => {
    const { verifier, clock, published, events } = fetching(key);
    const token = await mint(key, { exp: nowSeconds + 30 * 86_400 });
    expect(await verdict(verifier.verifyToken(token))).toBe('accepted');
    published.isDown = true;
    clock.time += 15 * DAY_MS;
    expect(await verdict(verifier.verifyToken(token))).toBe('keys_unavailable');
    expect(events.at(-1)).toMatchObject({ type: 'request.undecided', reason: 'keys_unavailable', issuer });
  });

  it('out of reach from the start are told as that', async () => {
    const { verifier, published, events } = fetching(key);
    published.isDown = true;
    const outcome = await verifier.verifyToken(await mint(key));
    expect(outcome).toMatchObject({ rejection: { status: 503, reason: 'keys_unavailable' } });
    expect(events.at(-1)).toEqual({
      type: 'request.undecided',
      reason: 'keys_unavailable',
      issuer,
      retryAfterMs: expect.any(Number),
      message: `network_failed: ${issuer}/jwks could not be reached (no connection)`,
      durationMs: expect.any(Number),
      at: expect.anything(),
    });
  });
});

describe('an introspected token', () => {
  it.each<[string, object, number, number]>([
    ['before the cache time is over', {}, 29_999, 1],
    ['once the cache time is over', {}, 30_000, 2],
    ['by a clock set back no further than the tolerance', {}, -5000, 1],
    ['by a clock set back further', {}, -5001, 2],
    ['before exp', { exp: nowSeconds + 7 }, 6999, 1],
    ['at exp', { exp: nowSeconds + 7 }, 7000, 2],
  ])('%s', async (_, answer, laterMs, calls) => {
    const { verifier, clock, calls: made } = introspecting(answer);
    expect(await verdict(verifier.verifyToken(opaque))).toBe('accepted');
    clock.time += laterMs;
    expect(await verdict(verifier.verifyToken(opaque))).toBe('accepted');
    expect(made()).toBe(calls);
  });

  it('without exp is good for as long as the answer is believed', async () => {
    const outcome = await introspecting({}).verifier.verifyToken(opaque);
    expect(outcome).toMatchObject({ ok: true, caller: { expiresAt: nowSeconds + 30 } });
    expect(outcome).toSatisfy(Object.isFrozen);
  });

  it.each<[object, string]>([
    [{ sub: 7 }, 'sub as a string'],
    [{ exp: 'soon' }, 'exp as a finite number above 0'],
    [{ aud: 7 }, 'aud as a string or a list of strings'],
  ])('whose answer has %j is undecided, and for a second not asked about again', async (answer, lacks) => {
    const { verifier, clock, events, calls } = introspecting(answer);
    const message = `the answer does not have ${lacks}`;
    for (const retryAfterMs of [1000, 600]) {
      expect(await verdict(verifier.verifyToken(opaque))).toBe('introspection_unavailable');
      const undecided = { reason: 'introspection_unavailable', issuer, message, retryAfterMs };
      expect(events.at(-1)).toMatchObject({ type: 'request.undecided', ...undecided });
      clock.time += 400;
    }
    expect(calls()).toBe(1);
    clock.time += 200;
    await verifier.verifyToken(opaque);
    expect(calls()).toBe(2);
  });

  it.each<[string, object]>([
    ['wrong_audience', { aud: 'https://stock.example' }],
    ['expired', { exp: nowSeconds - 60 }],
    ['wrong_token_kind', { at_hash: 'a' }],
    ['unsupported_binding', { cnf: { kid: 'a' } }],
  ])('that is refused as %s is not asked about again for ten seconds', async (reason, answer) => {
    const { verifier, clock, calls } = introspecting(answer);
    for (let turn = 0; turn < 3; turn++) expect(await verdict(verifier.verifyToken(opaque))).toBe(reason);
    expect(calls()).toBe(1);
    clock.time += 10_000;
    expect(await verdict(verifier.verifyToken(opaque))).toBe(reason);
    expect(calls()).toBe(2);
  });

  it('may be a JWT, where all are asked about', async () => {
    const token = await mint(key);
    const all = introspecting({}, { tokens: 'all' });
    expect(await verdict(all.verifier.verifyToken(token))).toBe('accepted');
    expect(all.calls()).toBe(1);
  });

  it('is asked about at the issuer that does so, among others', async () => {
    const second = { issuer: 'https://second.example', jwks };
    const { verifier } = introspecting({}, {}, [second]);
    expect(await verifier.verifyToken(opaque)).toMatchObject({ ok: true, caller: { issuer } });
  });

  it('that cannot be one is not asked about', async () => {
    const { verifier, calls } = introspecting({});
    const stranger = await mint(key, { iss: 'https://other.example' });
    expect(await verdict(verifier.verifyToken(stranger))).toBe('unknown_issuer');
    expect(await verdict(verifier.verifyToken('not a token'))).toBe('malformed_credentials');
    expect(await verdict(verifier.verifyToken('a'.repeat(16_385)))).toBe('token_too_large');
    expect(calls()).toBe(0);
  });

  it('is malformed where nobody can be asked', async () => {
    expect(await verdict(bench().verifier.verifyToken(opaque))).toBe('malformed_token');
  });
});

describe('a nonce for the next proof', () => {
  it.each([
    ['accepted', {}],
    ['wrong_audience', { aud: 'https://stock.example' }],
  ])('comes with every answer: %s', async (expected, claims) => {
    const { verifier } = bench({ dpop: { nonce: { secret: 'a secret of thirty-two bytes, or more' } } });
    const authorization = `Bearer ${await mint(key, claims)}`;
    const outcome = await verifier.authenticate(requestWith({ authorization }));
    const headers = outcome.ok ? outcome.headers : outcome.rejection.headers;
    expect(await verdict(outcome)).toBe(expected);
    expect(headers?.['DPoP-Nonce']).toMatch(/^[\w-]+$/);
    if (outcome.ok) expect(outcome.caller).toMatchObject({ clientId: 'billing' });
    else {
      expect(headers?.['WWW-Authenticate']).toMatch(/invalid_token/);
      expect(outcome.rejection.status).toBe(401);
      expect([outcome.rejection, headers].every(Object.isFrozen)).toBe(true);
    }
  });
});

describe('what listeners hear', () => {
  const at = expect.anything();

  it('of a request that was let in, measured only where it took work', async () => {
    const { verifier, events } = bench();
    const token = await mint(key);
    await verifier.verifyToken(token);
    await verifier.verifyToken(token);
    const accepted = { type: 'request.accepted', issuer, clientId: 'billing', at };
    expect(events).toEqual([
      { ...accepted, cached: false, durationMs: expect.any(Number) },
      { ...accepted, cached: true, durationMs: undefined },
    ]);
    const [first] = events;
    expect(first).toSatisfy((event: { durationMs: number }) => event.durationMs < 60_000);
  });

  it('nobody need listen', async () => {
    const { verifier } = bench({ onEvent: undefined });
    expect(await verdict(verifier.verifyToken(await mint(key)))).toBe('accepted');
    expect(await verdict(verifier.verifyToken(opaque))).toBe('malformed_token');
    verifier.close();
    expect(await verdict(verifier.verifyToken(opaque))).toBe('closed');
  });

  it('of one that was turned away', async () => {
    const { verifier, events } = bench();
    const claims = goodClaims({ aud: 'https://stock.example' });
    await verifier.verifyToken(await key.sign({ typ: 'at+jwt' }, claims));
    expect(events).toEqual([
      {
        type: 'request.rejected',
        reason: 'wrong_audience',
        status: 401,
        step: 'claims',
        expected: audience,
        actual: 'https://stock.example',
        hint: undefined,
        issuer,
        clientId: 'billing',
        durationMs: expect.any(Number),
        at,
      },
    ]);
  });

  it.each<[string, boolean, object]>([
    ['a clock that breaks', false, { reason: 'keys_unavailable', message: 'unexpected failure' }],
    ['a verifier that is closed', true, { reason: 'closed', message: 'the verifier is closed' }],
  ])('of %s', async (_, isClosed, undecided) => {
    const token = await mint(key);
    const now = vi.fn(() => nowMs);
    const { verifier, events } = bench({ now });
    const raise = () => {
      throw new Error('secret');
    };
    if (isClosed) verifier.close();
    else now.mockImplementationOnce(raise);
    const outcome = await verifier.verifyToken(token);
    expect(outcome).toMatchObject({ rejection: { status: 503, headers: { 'Retry-After': '1' } } });
    expect(events).toMatchObject([
      { type: 'request.undecided', issuer: undefined, retryAfterMs: 1000, ...undecided },
    ]);
  });
});
