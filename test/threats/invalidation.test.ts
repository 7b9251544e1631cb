/** `verifier.invalidate` as a program meets it: what was taken back is refused, and nothing else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { requireServiceAuth } from '../../adapters/express.ts';
import {
  createVerifier,
  type Invalidation,
  isServiceAuthError,
  type ServiceAuthEvent,
  type Verifier,
  type VerifierOptions,
} from '../../src/index.ts';
import { type IntrospectionStub, says, startIntrospectionStub } from '../helpers/introspection-stub.ts';
import { judge } from '../helpers/judge.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';

const DAY_MS = 86_400_000;
/** A denial outlives its end by the largest clock tolerance that a verifier may have. */
const GRACE_MS = 600_000;
const MOST_DENIED = 100_000;

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };

let stub: IntrospectionStub;
let time = nowMs;
let events: ServiceAuthEvent[] = [];
beforeEach(async () => {
  time = nowMs;
  events = [];
  stub = await startIntrospectionStub(says({ ...goodClaims(), active: true }));
});
afterEach(() => stub.close());

/** Verifies JWTs by the key and asks the stub about all else. */
function make(options: Partial<VerifierOptions> = {}): Verifier {
  return createVerifier({
    issuer: {
      issuer,
      jwks,
      introspection: { endpoint: stub.url, clientId: 'orders', clientSecret: 'of-orders' },
    },
    audience,
    now: () => time,
    onEvent: (event) => events.push(event),
    ...options,
  });
}

/** The code of the error that `invalidate` throws; `none` where it takes what it is told. */
function codeOf(verifier: Verifier, what: Invalidation): string {
  try {
    verifier.invalidate(what);
    return 'none';
  } catch (error) {
    return isServiceAuthError(error) ? error.code : String(error);
  }
}

/** Of an ECDSA signature (r, s) the other that holds as well: (r, n - s). No key is needed for it. */
function turn(token: string, bytes: number, order: bigint): string {
  const end = token.lastIndexOf('.') + 1;
  const signature = Buffer.from(token.slice(end), 'base64url');
  const s = BigInt(`0x${signature.subarray(bytes).toString('hex')}`);
  const other = (order - s).toString(16).padStart(2 * bytes, '0');
  const turned = Buffer.concat([signature.subarray(0, bytes), Buffer.from(other, 'hex')]);
  return token.slice(0, end) + turned.toString('base64url');
}

/** Invalidates what nobody has, until the list takes no more. */
function fill(verifier: Verifier): void {
  for (let at = 0; at <= MOST_DENIED; at++) {
    if (codeOf(verifier, { jti: `unrelated-${time}-${at}` }) !== 'none') return;
  }
  throw new Error('the list is not bounded');
}

describe.each([
  ['a JWT', () => mint(key)],
  ['an opaque token', async () => 'opaque-token-of-billing'],
])('%s', (_name, makeToken) => {
  it.each<[string, (token: string) => Invalidation]>([
    ['itself', (token) => token],
    ['its jti', () => ({ jti: 'token-1' })],
    ['its client', () => ({ clientId: 'billing' })],
  ])('known and served from memory is refused from the next request on, by %s', async (_by, what) => {
    const verifier = make();
    const token = await makeToken();
    for (let round = 0; round < 2; round++) expect(await judge(verifier, token)).toBe('accepted');
    expect(events.at(-1)).toMatchObject({ type: 'request.accepted', cached: true });
    verifier.invalidate(what(token));
    expect(verifier.health().cachedTokens).toBe(0);
    const outcome = await verifier.verifyToken(token);
    expect(outcome).toMatchObject({
      ok: false,
      rejection: { status: 401, error: 'invalid_token', reason: 'invalidated' },
    });
    expect(events.at(-1)).toMatchObject({
      type: 'request.rejected',
      reason: 'invalidated',
      step: 'status',
      clientId: 'billing',
    });
    expect(inspect([outcome, events])).not.toContain(token);
    expect(verifier.health().cachedTokens).toBe(0);
  });

  it('never seen before is refused at first sight', async () => {
    const verifier = make();
    const token = await makeToken();
    verifier.invalidate(token);
    expect(await judge(verifier, token)).toBe('invalidated');
  });

  it('is refused without a cache as well', async () => {
    const verifier = make({ cache: false });
    const token = await makeToken();
    expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate({ jti: 'token-1' });
    expect(await judge(verifier, token)).toBe('invalidated');
  });

  it('is refused by the verifier that was told, and by no other', async () => {
    const told = make();
    const other = make();
    const token = await makeToken();
    told.invalidate(token);
    expect([await judge(told, token), await judge(other, token)]).toEqual(['invalidated', 'accepted']);
  });
});

describe('over HTTP', () => {
  it('200, then 401 with a challenge, while another token of the client goes on', async () => {
    const verifier = make();
    const guard = requireServiceAuth({ verifier, scope: 'orders:read' });
    const server = createServer((request, response) =>
      guard(request, response, () => response.end('orders')),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const call = (token: string): Promise<Response> =>
      fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } });
    try {
      const [first, second] = [await mint(key), await mint(key, { jti: 'token-2' })];
      for (const token of [first, second, 'opaque']) expect((await call(token)).status).toBe(200);
      verifier.invalidate({ jti: 'token-1' });
      const refused = await call(first);
      expect(refused.status).toBe(401);
      expect(refused.headers.get('www-authenticate')).toContain('Bearer error="invalid_token"');
      expect(await refused.json()).toMatchObject({ error: 'invalid_token' });
      expect((await call('opaque')).status).toBe(401);
      expect((await call(second)).status).toBe(200);
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    }
  });
});

describe('what is meant', () => {
  it('by a jti: that token, and no other of its client', async () => {
    const verifier = make();
    const [first, second] = [await mint(key), await mint(key, { jti: 'token-2' })];
    for (const token of [first, second]) expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate({ jti: 'token-1' });
    expect(await judge(verifier, first)).toBe('invalidated');
    expect(await judge(verifier, second)).toBe('accepted');
    expect(events.at(-1)).toMatchObject({ type: 'request.accepted', cached: true });
  });

  it('by its text: that token, and no other, even of the same jti', async () => {
    const verifier = make();
    const [first, twin] = [await mint(key), await mint(key, { scope: 'orders:read' })];
    for (const token of [first, twin]) expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate(first);
    expect([await judge(verifier, first), await judge(verifier, twin)]).toEqual(['invalidated', 'accepted']);
  });

  it.each<[string, number, bigint]>([
    ['ES256', 32, 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n],
    [
      'ES384',
      48,
      0xffffffffffffffffffffffffffffffffffffffffffffffffc7634d81f4372ddf581a0db248b0a77aecec196accc52973n,
    ],
    [
      'ES512',
      66,
      0x1fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffa51868783bf2f966b7fcc0148f709a5d03bb5c9b8899c47aebb6fb71e91386409n,
    ],
  ])('by its text: what was signed, with the other signature of %s as well', async (alg, bytes, order) => {
    const signer = await createKey(alg);
    const verifier = make({ issuer: { issuer, jwks: { keys: [signer.publicJwk] } } });
    const [token, other] = [await mint(signer), await mint(signer, { jti: 'token-2' })];
    const turned = turn(token, bytes, order);
    expect(turned).not.toBe(token);
    for (const one of [token, turned, other]) expect(await judge(verifier, one)).toBe('accepted');
    expect(verifier.health().cachedTokens).toBe(3);
    verifier.invalidate(token);
    expect(verifier.health().cachedTokens).toBe(1);
    for (const one of [token, turned]) expect(await judge(verifier, one)).toBe('invalidated');
    expect(await judge(verifier, turn(turned, bytes, order))).toBe('invalidated');
    expect(await judge(verifier, other)).toBe('accepted');
  });

  it('by its text: an opaque token with dots in it, and none that begins as it does', async () => {
    const verifier = make();
    for (const token of ['v4.local.first', 'v4.local.second']) {
      expect(await judge(verifier, token)).toBe('accepted');
    }
    verifier.invalidate('v4.local.first');
    expect(await judge(verifier, 'v4.local.first')).toBe('invalidated');
    expect(await judge(verifier, 'v4.local.second')).toBe('accepted');
  });

  it('by a client: what it was issued up to now, JWT or opaque, known or not; what comes later is good', async () => {
    const verifier = make();
    const issued = (seconds: number, jti: string): Promise<string> =>
      mint(key, { iat: nowSeconds + seconds, jti });
    const known = await issued(-60, 'known');
    const unknown = await issued(-1, 'unknown');
    const ofAnother = await mint(key, { client_id: 'shipping', sub: 'shipping', jti: 'another' });
    for (const token of [known, ofAnother, 'opaque']) expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate({ clientId: 'billing' });
    for (const token of [known, unknown, 'opaque']) expect(await judge(verifier, token)).toBe('invalidated');
    expect(await judge(verifier, ofAnother)).toBe('accepted');
    // Within the clock tolerance nobody knows what was issued before.
    time += 6000;
    expect(await judge(verifier, await issued(5, 'just before'))).toBe('invalidated');
    expect(await judge(verifier, await issued(6, 'later'))).toBe('accepted');
    stub.reply = says({ ...goodClaims({ iat: nowSeconds + 6 }), active: true });
    expect(await judge(verifier, 'later-opaque')).toBe('accepted');
    expect(await judge(verifier, known)).toBe('invalidated');
  });

  it.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /argument/],
    ['an empty token', '', /token must be a non-empty string/],
    ['no member', {}, /jti/],
    ['a jti that is no text', { jti: 7 }, /jti/],
    ['an empty client', { clientId: '' }, /clientId/],
    [
      'two things at once',
      { jti: 'a', clientId: 'b' },
      /argument must be a token, \{ jti \} or \{ clientId \}/,
    ],
    ['a member of another name', { client_id: 'a' }, /client_id/],
  ])('%s is a mistake, and nothing is taken back', async (_name, what, message) => {
    const verifier = make();
    const token = await mint(key);
    expect(await judge(verifier, token)).toBe('accepted');
    expect(() => verifier.invalidate(what as Invalidation)).toThrow(TypeError);
    expect(() => verifier.invalidate(what as Invalidation)).toThrow(message);
    expect(await judge(verifier, token)).toBe('accepted');
  });
});

describe('while an answer is on its way', () => {
  const ways: [string, (token: string) => Invalidation][] = [
    ['the token', (token) => token],
    ['its jti', () => ({ jti: 'token-1' })],
    ['its client', () => ({ clientId: 'billing' })],
  ];

  it.each(ways)('of introspection: 100 requests that wait for it are refused, by %s', async (_name, what) => {
    const verifier = make();
    const asked = new Promise<() => void>((resolve) => {
      stub.reply = (response, request) =>
        resolve(() => says({ ...goodClaims(), active: true })(response, request));
    });
    const pending = Promise.all(Array.from({ length: 100 }, () => judge(verifier, 'opaque')));
    const release = await asked;
    verifier.invalidate(what('opaque'));
    release();
    expect(new Set(await pending)).toEqual(new Set(['invalidated']));
    expect(stub.requests).toHaveLength(1);
    expect(verifier.health().cachedTokens).toBe(0);
    stub.reply = says({ ...goodClaims(), active: true });
    expect(await judge(verifier, 'opaque')).toBe('invalidated');
  });

  it.each(ways)('of the key set: 100 requests that wait for it are refused, by %s', async (_name, what) => {
    let release = (): void => {};
    const fetch = vi.fn(async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return Response.json(jwks);
    });
    const verifier = make({ issuer: { issuer, jwksUri: `${issuer}/keys` }, fetch });
    const token = await mint(key);
    const other = await mint(key, { jti: 'token-2', client_id: 'shipping', sub: 'shipping' });
    const pending = Promise.all(Array.from({ length: 100 }, () => judge(verifier, token)));
    const unaffected = judge(verifier, other);
    await vi.waitFor(() => expect(fetch).toHaveBeenCalledOnce());
    verifier.invalidate(what(token));
    release();
    expect(new Set(await pending)).toEqual(new Set(['invalidated']));
    expect(await unaffected).toBe('accepted');
    expect(verifier.health().cachedTokens).toBe(1);
  });

  it('requests for a known token: those before are served, those after refused, none waits', async () => {
    const verifier = make();
    const token = await mint(key);
    expect(await judge(verifier, token)).toBe('accepted');
    const before = Array.from({ length: 100 }, () => judge(verifier, token));
    verifier.invalidate(token);
    const after = Array.from({ length: 100 }, () => judge(verifier, token));
    expect(new Set(await Promise.all(before))).toEqual(new Set(['accepted']));
    expect(new Set(await Promise.all(after))).toEqual(new Set(['invalidated']));
  });
});

describe('how long', () => {
  it('until the token has expired, at every moment', async () => {
    const verifier = make();
    const token = await mint(key, { exp: nowSeconds + 3600 });
    expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate(token);
    for (const seconds of [0, 30, 1800, 3599, 3604]) {
      time = nowMs + seconds * 1000;
      expect(await judge(verifier, token)).toBe('invalidated');
    }
    time = nowMs + 3605 * 1000;
    expect(await judge(verifier, token)).toBe('expired');
  });

  it('longer than the answer of introspection is believed', async () => {
    const verifier = make();
    expect(await judge(verifier, 'opaque')).toBe('accepted');
    verifier.invalidate('opaque');
    for (const seconds of [0, 29, 31, 299]) {
      time = nowMs + seconds * 1000;
      expect(await judge(verifier, 'opaque')).toBe('invalidated');
    }
  });

  it('a known token that lives longer than a day, for all of its life, however full the list', async () => {
    const verifier = make();
    const token = await mint(key, { exp: nowSeconds + 3 * 86_400 });
    expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate(token);
    time += DAY_MS + GRACE_MS;
    fill(verifier);
    expect(await judge(verifier, token)).toBe('invalidated');
  });
});

describe('a list that is full', () => {
  it('says so, keeps every denial, and takes more once there is room', async () => {
    const verifier = make();
    const life = { exp: nowSeconds + 3 * 86_400 };
    const [first, second, third] = [
      await mint(key, { ...life, jti: 'first' }),
      await mint(key, { ...life, jti: 'second', client_id: 'shipping' }),
      await mint(key, { ...life, jti: 'third', client_id: 'stock' }),
    ];
    for (const token of [first, second, third]) expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate(first);
    verifier.invalidate({ clientId: 'shipping' });
    fill(verifier);

    expect(codeOf(verifier, third)).toBe('deny_list_full');
    expect(codeOf(verifier, { jti: 'third' })).toBe('deny_list_full');
    expect(codeOf(verifier, { clientId: 'stock' })).toBe('deny_list_full');
    // What is on it already needs no room.
    expect(codeOf(verifier, { clientId: 'shipping' })).toBe('none');
    expect(await judge(verifier, first)).toBe('invalidated');
    expect(await judge(verifier, second)).toBe('invalidated');
    expect(await judge(verifier, third)).toBe('accepted');

    // The unrelated ones are dead by now, whereas tokens that were met live on.
    time += DAY_MS + GRACE_MS;
    expect(codeOf(verifier, third)).toBe('none');
    for (const token of [first, second, third]) expect(await judge(verifier, token)).toBe('invalidated');
  });

  it('the error does not show the token', async () => {
    const verifier = make();
    fill(verifier);
    const token = await mint(key);
    const attempt = (): void => verifier.invalidate(token);
    expect(attempt).toThrow(expect.objectContaining({ code: 'deny_list_full' }));
    expect(attempt).toThrow(expect.toSatisfy((error) => !inspect(error, { depth: 9 }).includes(token)));
  });
});
