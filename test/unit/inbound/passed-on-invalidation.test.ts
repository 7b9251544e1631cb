/** Invalidations that come from another instance: by the key of a token, and of a client up to a time of the past. */
import { beforeEach, describe, expect, it } from 'vitest';
import { createVerifier, type Invalidation, tokenKey, type Verifier } from '../../../src/index.ts';
import { judge } from '../../helpers/judge.ts';
import { audience, createKey, issuer, mint, nowMs, nowSeconds } from '../../helpers/tokens.ts';

const key = await createKey('ES256');
let time = nowMs;
let verifier: Verifier;
beforeEach(() => {
  time = nowMs;
  verifier = createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => time,
  });
});

describe('by the key of a token', () => {
  it('it is refused, cached or not, and no other', async () => {
    const [cached, unseen, other] = [
      await mint(key),
      await mint(key, { jti: 'unseen' }),
      await mint(key, { jti: 'other' }),
    ];
    for (const token of [cached, other]) expect(await judge(verifier, token)).toBe('accepted');
    for (const token of [cached, unseen]) verifier.invalidate({ tokenKey: tokenKey(token) });
    for (const token of [cached, unseen, cached]) expect(await judge(verifier, token)).toBe('invalidated');
    for (let turn = 0; turn < 2; turn++) expect(await judge(verifier, other)).toBe('accepted');
    expect(verifier.health().cachedTokens).toBe(1);
  });

  it('it is refused with another signature that holds as well', async () => {
    const [one, other] = [await mint(key), await mint(key)];
    expect(one).not.toBe(other);
    expect(await judge(verifier, other)).toBe('accepted');
    verifier.invalidate({ tokenKey: tokenKey(one) });
    expect(await judge(verifier, other)).toBe('invalidated');
  });

  it('it is refused though it was on its way when that was said', async () => {
    let release = (): void => {};
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const token = await mint(key);
    expect(await judge(verifier, token)).toBe('accepted');
    const slow = verifier.verifyToken(token, { policy: { check: () => held.then(() => true) } });
    verifier.invalidate({ tokenKey: tokenKey(token) });
    release();
    expect(await slow).toMatchObject({ ok: false, rejection: { reason: 'invalidated' } });
  });
});

describe('of a client, up to a time of the past', () => {
  const issued = (seconds: number): Promise<string> =>
    mint(key, { iat: nowSeconds + seconds, jti: `${seconds}` });

  it('what it was issued since is good, beyond the clock tolerance', async () => {
    const tokens = await Promise.all([-100, -60, -55, -54, -10].map(issued));
    for (const token of tokens) expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate({ clientId: 'billing', issuedUntil: nowMs - 60_000 });
    const judged = await Promise.all(tokens.map((token) => judge(verifier, token)));
    expect(judged).toEqual(['invalidated', 'invalidated', 'invalidated', 'accepted', 'accepted']);
  });

  it('said by a clock that is ahead, it means no later than now', async () => {
    verifier.invalidate({ clientId: 'billing', issuedUntil: nowMs + 3_600_000 });
    expect(await judge(verifier, await issued(0))).toBe('invalidated');
    time += 10_000;
    expect(await judge(verifier, await issued(6))).toBe('accepted');
  });

  it('an earlier time takes nothing back of a later one', async () => {
    verifier.invalidate({ clientId: 'billing' });
    verifier.invalidate({ clientId: 'billing', issuedUntil: nowMs - 60_000 });
    expect(await judge(verifier, await issued(-10))).toBe('invalidated');
  });
});

it.each<[string, unknown, RegExp]>([
  ['an empty key', { tokenKey: '' }, /tokenKey must be a non-empty string/],
  ['a key and a jti', { tokenKey: 'a', jti: 'b' }, /argument must be a token/],
  ['a time for a jti', { jti: 'a', issuedUntil: 1 }, /argument must be a token/],
  ['a time alone', { issuedUntil: 1 }, /argument must be a token/],
  ['a time that is none', { clientId: 'a', issuedUntil: Number.NaN }, /issuedUntil must be a number/],
  ['a time as text', { clientId: 'a', issuedUntil: '1' }, /issuedUntil must be a number/],
])('%s is a mistake', (_name, what, message) => {
  expect(() => verifier.invalidate(what as Invalidation)).toThrow(message);
});
