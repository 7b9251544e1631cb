/** What `invalidate` takes, what it says of mistakes, and for how long it has things denied. */
import { describe, expect, it, vi } from 'vitest';
import { createDenyList, type DenyList } from '../../../src/inbound/deny-list.ts';
import { createTokenCache } from '../../../src/inbound/token-cache.ts';
import { type AcceptedToken, createTokenVerifier } from '../../../src/inbound/token-verifier.ts';
import { resolveIssuers } from '../../../src/inbound/trusted-issuers.ts';
import { createVerifier, type Invalidation, isOptionError, tokenKey } from '../../../src/index.ts';
import { Fault } from '../../../src/shared/fault.ts';
import { OptionChecker } from '../../../src/shared/options.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds, withPart } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };
const opaque = 'an-opaque-token';
const DAY_MS = 86_400_000;
const DAY = DAY_MS / 1000;

describe('a mistake', () => {
  const mixed = 'argument must be a token, { jti } or { clientId }; got an object';
  const noText = 'must be a non-empty string; got';
  it.each<[unknown, string, string?]>([
    [undefined, 'argument must be an object; got undefined'],
    [null, 'argument must be an object; got null'],
    [['a'], 'argument must be an object; got a list'],
    ['', 'token must be a non-empty string'],
    [{}, `jti ${noText} undefined`],
    [{ jti: '' }, `jti ${noText} ""`],
    [{ jti: 7 }, `jti ${noText} 7`],
    [{ clientId: undefined }, `clientId ${noText} undefined`],
    [{ tokenKey: '' }, `tokenKey ${noText} ""`],
    [{ jtis: 'a' }, 'unknown option jtis in argument; did you mean jti?', 'option_unknown'],
    [
      { id: 'a' },
      'unknown option id in argument; known are jti, clientId, tokenKey, issuedUntil',
      'option_unknown',
    ],
    [{ jti: 'a', clientId: 'b' }, mixed],
    [{ tokenKey: 'a', jti: 'b' }, mixed],
    [{ jti: 'a', issuedUntil: nowMs }, mixed],
    [{ tokenKey: 'a', issuedUntil: nowMs }, mixed],
    [{ issuedUntil: nowMs }, mixed],
    [
      { clientId: 'a', issuedUntil: -1 },
      `issuedUntil must be a number of epoch milliseconds from 0 to ${Number.MAX_SAFE_INTEGER}; got -1`,
    ],
    [
      { clientId: 'a', issuedUntil: '7' },
      `issuedUntil must be a number of epoch milliseconds from 0 to ${Number.MAX_SAFE_INTEGER}; got "7"`,
    ],
  ])('%j', async (what, message, code = 'option_invalid') => {
    const verifier = createVerifier({ issuer: { issuer, jwks }, audience, now: () => nowMs });
    try {
      verifier.invalidate(what as Invalidation);
    } catch (error) {
      if (!isOptionError(error)) throw error;
      expect(error).toMatchObject({
        code,
        message: `invalidate: ${message} (npx service-auth explain ${code})`,
      });
      expect(await verifier.verifyToken(await mint(key))).toMatchObject({ ok: true });
      return;
    }
    throw new Error('it was taken');
  });

  it.each<Invalidation>([
    { jti: 'a', issuedUntil: undefined } as Invalidation,
    { clientId: 'a', issuedUntil: undefined },
    { clientId: 'a', issuedUntil: 0 },
    'a-token',
  ])('%j is none', (what) => {
    const verifier = createVerifier({ issuer: { issuer, jwks }, audience });
    expect(() => verifier.invalidate(what)).not.toThrow();
  });
});

/** Verified tokens over a deny list that shows what it is given. */
function bench({ caches = true }: { caches?: boolean } = {}) {
  const clock = { time: nowMs };
  const now = () => clock.time;
  const answer: Record<string, unknown> = {
    active: true,
    client_id: 'billing',
    jti: 'opaque-1',
    aud: audience,
  };
  const fetch = vi.fn(async () => Response.json(answer));
  const introspection = { endpoint: `${issuer}/introspect`, clientId: 'orders', clientSecret: 's3cret' };
  const check = new OptionChecker('createVerifier');
  const real = createDenyList({ now });
  const add = vi.fn<DenyList['add']>((...given) => real.add(...given));
  const denyList: DenyList = {
    add,
    denies: real.denies,
    get additions() {
      return real.additions;
    },
    get size() {
      return real.size;
    },
  };
  const tokens = createTokenVerifier({
    typ: 'any',
    audience: [audience],
    clockToleranceSeconds: 5,
    maxTokenAgeSeconds: undefined,
    issuers: resolveIssuers(check, { issuer, jwks, introspection }, { fetch, now, emit: undefined }),
    now,
    cache: caches ? createTokenCache<AcceptedToken>(100) : undefined,
    denyList,
  });
  const accept = async (token: string): Promise<AcceptedToken> => {
    const accepted = await tokens.verify(token);
    if (accepted instanceof Fault) throw new Error(accepted.reason);
    return accepted;
  };
  return { tokens, clock, add, accept, answer, calls: () => fetch.mock.calls.length };
}

describe('how long a thing is denied', () => {
  const lasting = (days: number, jti: string) => mint(key, { exp: nowSeconds + days * DAY, jti });
  const end = (days: number): number => nowMs + days * DAY_MS;

  it.each<[string, (token: string) => Invalidation, object]>([
    ['a token', (token) => token, { token: expect.any(String) }],
    ['an id', () => ({ jti: 'b' }), { jti: 'b' }],
    ['a client', () => ({ clientId: 'billing' }), { clientId: 'billing', issuedUntil: undefined }],
  ])('%s, for as long as the tokens last that were seen of it', async (_, what, denied) => {
    const { tokens, add, accept } = bench();
    const longest = await lasting(3, 'b');
    for (const token of [await lasting(2, 'a'), longest, await lasting(2.5, 'c')]) await accept(token);
    tokens.invalidate(what(longest));
    expect(add).toHaveBeenCalledExactlyOnceWith(denied, end(3));
  });

  it('a token, no longer than it lasts', async () => {
    const { tokens, add, accept } = bench();
    const token = await lasting(0.5, 'a');
    await accept(token);
    tokens.invalidate(token);
    expect(add).toHaveBeenCalledExactlyOnceWith({ token }, end(0.5));
  });

  it.each<Invalidation>([{ jti: 'a' }, { clientId: 'billing', issuedUntil: nowMs - 7 }])(
    '%j for a day at least, of which other tokens may come',
    async (what) => {
      const { tokens, add, accept } = bench();
      await accept(await lasting(0.5, 'a'));
      tokens.invalidate(what);
      expect(add).toHaveBeenCalledExactlyOnceWith(what, end(1));
    },
  );

  it('the key of a token: as long as the list says, without a look at what is in memory', async () => {
    const { tokens, add, accept } = bench();
    const accepted = await accept(await lasting(3, 'a'));
    const other = { tokenKey: tokenKey('another-token') };
    tokens.invalidate(other);
    expect(add).toHaveBeenCalledExactlyOnceWith(other);
    expect(tokens.find(accepted.caller.token)).toBe(accepted);
  });

  it.each<Invalidation>([{ jti: 'other' }, { clientId: 'other' }, 'another-token'])(
    '%j that no token was seen of: as long as the list says',
    async (what) => {
      const { tokens, add, accept } = bench();
      const token = await lasting(3, 'a');
      const accepted = await accept(token);
      tokens.invalidate(what);
      expect(add).toHaveBeenCalledExactlyOnceWith(expect.anything(), undefined);
      expect(tokens.find(token)).toBe(accepted);
    },
  );

  it('a token that was introspected: to its exp where that was said', async () => {
    for (const exp of [undefined, nowSeconds + 3 * DAY]) {
      const { tokens, add, accept, answer } = bench();
      if (exp !== undefined) answer.exp = exp;
      await accept(opaque);
      tokens.invalidate(opaque);
      const expiresAt = exp === undefined ? undefined : end(3);
      expect(add).toHaveBeenCalledExactlyOnceWith({ token: opaque }, expiresAt);
    }
  });
});

describe('what was invalidated', () => {
  const invalidated = new Fault('status', 'invalidated', 'a token that was not invalidated');

  it.each<[string, (token: string) => Invalidation]>([
    ['by itself', (token) => token],
    ['by its id', () => ({ jti: 'token-1' })],
    ['by its client', () => ({ clientId: 'billing' })],
    ['by its key', (token) => ({ tokenKey: tokenKey(token) })],
  ])('%s is refused, also without a cache, and also while it was waited for', async (_, what) => {
    for (const caches of [true, false]) {
      const { tokens, accept } = bench({ caches });
      const token = await mint(key);
      const accepted = await accept(token);
      expect(tokens.recheck(accepted, token)).toBeUndefined();
      expect(tokens.invalidations()).toBe(0);
      tokens.invalidate(what(token));
      expect(tokens.invalidations()).toBe(1);
      const { step, reason, expected } = invalidated;
      const fault = { step, reason, expected, about: accepted.caller };
      expect(tokens.recheck(accepted, token)).toMatchObject(fault);
      expect(tokens.find(token) ?? (await tokens.verify(token))).toMatchObject({ step, reason, expected });
      expect(await tokens.verify(token)).toMatchObject({ step, reason, expected });
    }
  });

  it('by its text is refused with any signature, and others are left in memory', async () => {
    const { tokens, accept } = bench();
    const [token, longer] = [await mint(key), await mint(key, { jti: 'token-2' })];
    await accept(token);
    const kept = await accept(longer);
    tokens.invalidate(withPart(token, 2, 'AAAA'));
    expect(tokens.find(token)).toBeUndefined();
    expect(tokens.find(longer)).toBe(kept);
  });

  it('by a text that another begins with leaves that other in memory', async () => {
    const { tokens, accept, clock } = bench();
    const kept = await accept(`${opaque}-of-another`);
    tokens.invalidate(opaque);
    expect(tokens.find(`${opaque}-of-another`)).toBe(kept);
    clock.time += 29_999;
    expect(tokens.find(`${opaque}-of-another`)).toBe(kept);
  });

  it('is asked about anew by whoever asks, not answered from what is kept of it', async () => {
    const { tokens, answer, calls } = bench();
    answer.active = false;
    await tokens.verify(opaque);
    await tokens.verify(opaque);
    expect(calls()).toBe(1);
    tokens.invalidate(opaque);
    await tokens.verify(opaque);
    expect(calls()).toBe(2);
  });
});
