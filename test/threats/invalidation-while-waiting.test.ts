import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  createVerifier,
  isServiceAuthError,
  type TextStore,
  type Verifier,
  type VerifierOptions,
} from '../../src/index.ts';
import { type IntrospectionStub, says, startIntrospectionStub } from '../helpers/introspection-stub.ts';
import { judge, reasonOf } from '../helpers/judge.ts';
import { statusListToken } from '../helpers/status-lists.ts';
import { audience, createKey, goodClaims, issuer, mint, nowMs, nowSeconds } from '../helpers/tokens.ts';

const DAY_MS = 86_400_000;
const GRACE_MS = 600_000;
const key = await createKey('ES256');
const jwks = { keys: [key.publicJwk] };

let stub: IntrospectionStub;
let time = nowMs;
beforeEach(async () => {
  time = nowMs;
  stub = await startIntrospectionStub(says({ ...goodClaims(), active: true }));
});
afterEach(() => stub.close());

function make(options: Partial<VerifierOptions> = {}, store?: TextStore): Verifier {
  return createVerifier({
    issuer: {
      issuer,
      jwks,
      introspection: {
        endpoint: stub.url,
        clientId: 'orders',
        clientSecret: 'of-orders',
        ...(store && { store }),
      },
    },
    audience,
    now: () => time,
    ...options,
  });
}

function fill(verifier: Verifier): void {
  for (let at = 0; at <= 100_000; at++) {
    try {
      verifier.invalidate({ jti: `unrelated-${time}-${at}` });
    } catch (error) {
      if (isServiceAuthError(error) && error.code === 'deny_list_full') return;
      throw error;
    }
  }
}

describe('invalidate', () => {
  it('by a client: a known token of an issuer whose clock is ahead within the tolerance', async () => {
    const verifier = make();
    const token = await mint(key, { iat: nowSeconds + 3 });
    expect(await judge(verifier, token)).toBe('accepted');
    verifier.invalidate({ clientId: 'billing' });
    expect(await judge(verifier, token)).toBe('invalidated');
  });

  it('by a client: lasts no longer than a day for tokens that do not say when they were issued', async () => {
    const verifier = make();
    verifier.invalidate({ clientId: 'billing' });
    time += 2 * DAY_MS;
    const token = await mint(key, { iat: undefined, exp: time / 1000 + 300 });
    expect(await judge(verifier, token)).toBe('accepted');
  });

  it.each([{ jti: 'token-1' }, { clientId: 'billing' }])(
    'by %j: a known token that lives longer than a day, for all of its life',
    async (what) => {
      const verifier = make();
      const token = await mint(key, { exp: nowSeconds + 3 * 86_400 });
      expect(await judge(verifier, token)).toBe('accepted');
      verifier.invalidate(what);
      time += DAY_MS + GRACE_MS;
      fill(verifier);
      expect(await judge(verifier, token)).toBe('invalidated');
    },
  );

  it('a known opaque token without exp is denied for a day, not for as long as its answer is believed', async () => {
    stub.reply = says({ ...goodClaims({ exp: undefined }), active: true });
    const verifier = make();
    expect(await judge(verifier, 'opaque')).toBe('accepted');
    verifier.invalidate('opaque');
    time += 30_000 + GRACE_MS;
    fill(verifier);
    expect(await judge(verifier, 'opaque')).toBe('invalidated');
  });

  it('while a status list is on its way', async () => {
    const uri = `${issuer}/status/1`;
    let release = (): void => {};
    const fetch = vi.fn(async () => {
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      return new Response(await statusListToken(key, uri, [0, 0, 0, 0]), {
        headers: { 'content-type': 'application/statuslist+jwt' },
      });
    });
    const verifier = make({ issuer: { issuer, jwks, statusList: true }, fetch });
    const token = await mint(key, { status: { status_list: { idx: 1, uri } } });
    const pending = judge(verifier, token);
    await vi.waitFor(() => expect(fetch).toHaveBeenCalledOnce());
    verifier.invalidate(token);
    release();
    expect(await pending).toBe('invalidated');
  });

  it('while the check of a policy is on its way', async () => {
    let release = (_passes: boolean): void => {};
    const check = (): Promise<boolean> =>
      new Promise((resolve) => {
        release = resolve;
      });
    const verifier = make();
    const token = await mint(key);
    const pending = reasonOf(verifier.verifyToken(token, { policy: { check } }));
    verifier.invalidate(token);
    release(true);
    expect(await pending).toBe('invalidated');
  });

  it('an answer that was on its way does not reach the shared store, though the token came again', async () => {
    const entries = new Map<string, string>();
    const store: TextStore = {
      get: (name) => entries.get(name),
      set: (name, text) => void entries.set(name, text),
      delete: (name) => void entries.delete(name),
    };
    const releases: ((active: boolean) => void)[] = [];
    stub.reply = (response, request) =>
      void releases.push((active) =>
        says(active ? { ...goodClaims(), active } : { active })(response, request),
      );
    const verifier = make({}, store);
    const first = judge(verifier, 'opaque');
    await vi.waitFor(() => expect(releases).toHaveLength(1));
    verifier.invalidate('opaque');
    const second = judge(verifier, 'opaque');
    await vi.waitFor(() => expect(releases).toHaveLength(2));
    releases[0]?.(true);
    expect(await first).toBe('invalidated');
    releases[1]?.(false);
    expect(await second).toBe('inactive_token');
    expect(entries.size).toBe(0);
  });
});
