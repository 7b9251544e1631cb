import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { isServiceAuthError } from '../../../src/errors.ts';
import { type Caller, VerifiedCaller } from '../../../src/inbound/caller.ts';
import { createDenyList, type DenyList } from '../../../src/inbound/deny-list.ts';
import { tokenKey } from '../../../src/inbound/token-key.ts';
import { nowMs, nowSeconds } from '../../helpers/tokens.ts';

const HOUR_MS = 3_600_000;
/** Entries outlive their end by the largest clock tolerance of a verifier. */
const GRACE_MS = 600_000;

let time = nowMs;
beforeEach(() => {
  time = nowMs;
});

const make = (maxEntries = 3): DenyList => createDenyList({ now: () => time, maxEntries });

function caller(changes: Partial<Pick<Caller, 'clientId' | 'tokenId' | 'issuedAt' | 'expiresAt'>> = {}) {
  return new VerifiedCaller(
    {
      issuer: 'https://issuer.example',
      subject: 'billing',
      clientId: 'billing',
      kind: 'service',
      audience: [],
      scopes: '',
      expiresAt: nowSeconds + 300,
      issuedAt: nowSeconds - 60,
      tokenId: 'token-1',
      scheme: 'Bearer',
      claims: {},
      ...changes,
    },
    'a token',
  );
}

/** Adds tokens of other callers until one more would be refused. */
function isFull(list: DenyList): boolean {
  try {
    list.add({ token: 'one more' }, time + HOUR_MS);
    return false;
  } catch (error) {
    return isServiceAuthError(error) && error.code === 'deny_list_full';
  }
}

describe('what is denied', () => {
  it('a token by its text, and no other', () => {
    const list = make();
    list.add({ token: 'first' });
    expect(list.denies(caller(), 'first')).toBe(true);
    expect(list.denies(caller(), 'second')).toBe(false);
  });

  it('a token by its jti, and none without one', () => {
    const list = make();
    list.add({ jti: 'token-1' });
    expect(list.denies(caller(), 'any')).toBe(true);
    expect(list.denies(caller({ tokenId: 'token-2' }), 'any')).toBe(false);
    expect(list.denies(caller({ tokenId: undefined }), 'any')).toBe(false);
  });

  it.each([
    ['issued before', nowSeconds - 1, true],
    ['issued at that moment', nowSeconds, true],
    ['issued afterwards', nowSeconds + 1, false],
    ['that does not say when it was issued', undefined, true],
  ])('of a client, a token %s: %s', (_name, issuedAt, expected) => {
    const list = make();
    list.add({ clientId: 'billing' });
    expect(list.denies(caller({ issuedAt }), 'any')).toBe(expected);
    expect(list.denies(caller({ issuedAt, clientId: 'other' }), 'any')).toBe(false);
    expect(list.denies(caller({ issuedAt, clientId: undefined }), 'any')).toBe(false);
  });

  it('a token by its key, which is that of its text', () => {
    const list = make();
    list.add({ tokenKey: tokenKey('first') });
    list.add({ token: 'first' });
    expect(list.size).toBe(1);
    expect(list.denies(caller(), 'first')).toBe(true);
    expect(list.denies(caller(), tokenKey('first'))).toBe(false);
  });

  it.each([
    [undefined, 0, 0],
    [undefined, 5, 5],
    [-10_000, 0, -10],
    [-10_000, 5, -5],
    [60_000, 5, 5],
  ])('of a client, until %s ms with a tolerance of %i s: %i s', (fromNow, toleranceSeconds, last) => {
    const list = createDenyList({ now: () => time, toleranceMs: toleranceSeconds * 1000 });
    list.add({ clientId: 'billing', ...(fromNow !== undefined && { issuedUntil: nowMs + fromNow }) });
    expect(list.denies(caller({ issuedAt: nowSeconds + last }), 'any')).toBe(true);
    expect(list.denies(caller({ issuedAt: nowSeconds + last + 1 }), 'any')).toBe(false);
  });

  it('is counted by additions, also where it was denied before', () => {
    const list = make();
    expect([list.additions, list.size]).toEqual([0, 0]);
    for (const _ of [1, 2, 3]) list.add({ jti: 'a' });
    expect([list.additions, list.size]).toEqual([3, 1]);
  });

  it('nothing by a name of another kind', () => {
    const list = make();
    list.add({ token: 'billing' });
    list.add({ jti: 'billing' });
    expect(list.denies(caller({ clientId: 'billing' }), 'any')).toBe(false);
  });

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])(
    '%j is a name as any other',
    (name) => {
      const list = make();
      expect(list.denies(caller({ clientId: name, tokenId: name }), name)).toBe(false);
      list.add({ jti: 'other' });
      expect(list.denies(caller({ clientId: name, tokenId: name }), name)).toBe(false);
      list.add({ jti: name });
      list.add({ clientId: name });
      expect(list.denies(caller({ tokenId: name, clientId: 'x' }), 'x')).toBe(true);
      expect(list.denies(caller({ clientId: name, tokenId: 'x' }), 'x')).toBe(true);
      expect(list.denies(caller(), 'x')).toBe(false);
    },
  );
});

describe('how long', () => {
  it('an entry is kept for a day where nothing is said, and then makes room', () => {
    const list = make(1);
    list.add({ jti: 'token-1' });
    time += 24 * HOUR_MS + GRACE_MS - 1;
    expect(isFull(list)).toBe(true);
    time += 1;
    expect(isFull(list)).toBe(false);
    expect(list.denies(caller(), 'any')).toBe(false);
  });

  it('a token that lives longer than its entry is denied until it has expired', () => {
    const list = make(1);
    list.add({ jti: 'token-1' }, nowMs + HOUR_MS);
    expect(list.denies(caller({ expiresAt: nowSeconds + 7200 }), 'any')).toBe(true);
    time += HOUR_MS + GRACE_MS;
    expect(isFull(list)).toBe(true);
    time += HOUR_MS;
    expect(isFull(list)).toBe(false);
  });

  it('tokens that pass do not keep the entry of their client alive', () => {
    const list = make(1);
    list.add({ clientId: 'billing' }, nowMs + HOUR_MS);
    const later = caller({ issuedAt: nowSeconds + 60, expiresAt: nowSeconds + 86_400 });
    expect(list.denies(later, 'any')).toBe(false);
    time += HOUR_MS + GRACE_MS;
    expect(isFull(list)).toBe(false);
  });

  it('a token is denied to the end of the tolerance past its exp, however full the list', () => {
    const list = make(1);
    list.add({ token: 'first' }, nowMs + 300_000);
    time = nowMs + 300_000 + GRACE_MS - 1;
    expect(isFull(list)).toBe(true);
    expect(list.denies(caller(), 'first')).toBe(true);
  });

  it('saying a thing again never shortens its denial', () => {
    const list = make(1);
    list.add({ jti: 'token-1' }, nowMs + 2 * HOUR_MS);
    list.add({ jti: 'token-1' }, nowMs + 1);
    time += HOUR_MS;
    expect(isFull(list)).toBe(true);
    expect(list.denies(caller(), 'any')).toBe(true);
  });

  it('a client denied again loses what it was issued in between, also where the clock was set back', () => {
    const list = make();
    list.add({ clientId: 'billing' });
    const between = caller({ issuedAt: nowSeconds + 60 });
    expect(list.denies(between, 'any')).toBe(false);
    time += 120_000;
    list.add({ clientId: 'billing' });
    expect(list.denies(between, 'any')).toBe(true);
    time = nowMs;
    list.add({ clientId: 'billing' });
    expect(list.denies(between, 'any')).toBe(true);
  });
});

it('an entry of a client ends for tokens that do not say when they were issued', () => {
  const list = make();
  list.add({ clientId: 'billing' }, nowMs + HOUR_MS);
  const undated = caller({ issuedAt: undefined, expiresAt: nowSeconds });
  time = nowMs + HOUR_MS + GRACE_MS - 1;
  expect(list.denies(undated, 'any')).toBe(true);
  time++;
  expect(list.denies(undated, 'any')).toBe(false);
  expect(list.denies(caller({ issuedAt: undefined, clientId: 'other' }), 'any')).toBe(false);
});

it('an entry of a token or jti lasts until its room is needed', () => {
  const list = make();
  list.add({ token: 'first' }, nowMs + 1);
  list.add({ jti: 'token-1' }, nowMs + 1);
  time = nowMs + 24 * HOUR_MS;
  expect(list.denies(caller({ tokenId: undefined, expiresAt: 1 }), 'first')).toBe(true);
  list.add({ jti: 'another' });
  expect(list.denies(caller({ expiresAt: 1 }), 'any')).toBe(true);
  expect(list.size).toBe(3);
});

describe('bounds', () => {
  it('a list full of live entries says so, and forgets none', () => {
    const list = make(3);
    list.add({ token: 'first' });
    list.add({ jti: 'token-9' });
    list.add({ clientId: 'other' });
    expect(() => list.add({ jti: 'token-10' })).toThrow('the deny list holds 3 live entries');
    expect(isFull(list)).toBe(true);
    expect(list.size).toBe(3);
    expect(list.denies(caller(), 'first')).toBe(true);
    expect(list.denies(caller({ tokenId: 'token-9' }), 'any')).toBe(true);
    expect(list.denies(caller({ clientId: 'other' }), 'any')).toBe(true);
  });

  it('takes what it holds already, however full', () => {
    const list = make(1);
    list.add({ clientId: 'billing' });
    time += 60_000;
    list.add({ clientId: 'billing' });
    expect(list.size).toBe(1);
    expect(list.denies(caller({ issuedAt: nowSeconds + 30 }), 'any')).toBe(true);
  });

  it('no order of additions and moments lets a live entry go, or the list grow', () => {
    const addition = fc.record({
      id: fc.integer({ min: 0, max: 9 }).map(String),
      lastsMs: fc.integer({ min: 0, max: 4 * HOUR_MS }),
      passesMs: fc.integer({ min: 0, max: HOUR_MS }),
    });
    fc.assert(
      fc.property(fc.array(addition, { maxLength: 40 }), (additions) => {
        time = nowMs;
        const list = make(4);
        const live = new Map<string, number>();
        for (const { id, lastsMs, passesMs } of additions) {
          time += passesMs;
          try {
            list.add({ jti: id }, time + lastsMs);
            live.set(id, Math.max(live.get(id) ?? 0, time + lastsMs));
          } catch (error) {
            expect(isServiceAuthError(error) && error.code).toBe('deny_list_full');
          }
          expect(list.size).toBeLessThanOrEqual(4);
          for (const [jti, until] of live) {
            // Of a token that has long expired, so that asking keeps no entry alive.
            const asked = caller({ tokenId: jti, expiresAt: 1 });
            if (time < until) expect(list.denies(asked, 'any')).toBe(true);
          }
        }
      }),
    );
  });
});
