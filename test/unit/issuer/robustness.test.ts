/** Faults that a hostile reading of the issuer has found; each stays mended. */
import { describe, expect, it, vi } from 'vitest';
import { createIssuer, memoryStorage, type StoredSigningKey } from '../../../src/issuer/index.ts';
import { ADMIN_TOKEN, createHarness, ORDERS, START_MS } from './harness.ts';

const shared = () => ({ storage: memoryStorage(), secretKey: 'a secret key of the issuer for these tests' });
/** Life of tokens and the grace after it. */
const LAST_TOKEN_SECONDS = 900 + 60;

it.each(['https://idp.example/?', 'https://idp.example/#', 'https://idp.example?', 'https://idp.example/a#'])(
  'an issuer with an empty query or fragment is refused: %s',
  (issuer) => {
    expect(() => createIssuer({ issuer })).toThrow('issuer must be an https URL');
  },
);

it('threat 26: nothing may follow the admin token', async () => {
  const { call } = createHarness();
  const status = async (authorization: string): Promise<number> =>
    (await call('/admin/services', { headers: { authorization } })).status;
  expect(await status(`Bearer ${ADMIN_TOKEN}`)).toBe(200);
  expect(await status(`Bearer ${ADMIN_TOKEN} junk`)).toBe(401);
  // RFC 9110 section 11.4 allows more than one space.
  expect(await status(`Bearer  ${ADMIN_TOKEN}`)).toBe(200);
});

it.each([
  ['scopes', { scopes: Array.from({ length: 100 }, (_, at) => `${'s'.repeat(190)}${at}`) }],
  [
    'resources',
    { resources: Array.from({ length: 50 }, (_, at) => `https://r${at}.example/${'x'.repeat(400)}`) },
  ],
])('%s that make a token too long to be read again are refused', async (path, input) => {
  const { admin } = createHarness();
  const { status, body } = await admin('POST', '/admin/services', { name: 'big', scopes: [], ...input });
  expect(status).toBe(400);
  expect(body.errors).toMatchObject([{ path, message: 'must be at most 3000 characters together' }]);
});

it('the longest token that can be had can be revoked', async () => {
  const harness = createHarness();
  const scopes = Array.from({ length: 14 }, (_, at) => `${'s'.repeat(198)}${at}`);
  const resources = Array.from({ length: 6 }, (_, at) => `https://r${at}.example/${'"'.repeat(410)}`);
  const service = await harness.register({ scopes, resources });
  const token = await harness.token(service, { resource: resources });
  expect(token.length).toBeGreaterThan(9000);
  await harness.post('/revoke', { token }, service);
  expect((await harness.post('/introspect', { token }, service)).body).toEqual({ active: false });
});

describe('instances that share a storage', () => {
  it('know tokens of a key that another one has just begun to sign with', async () => {
    const options = shared();
    const one = createHarness(options);
    const other = createHarness(options);
    const service = await one.register();
    await Promise.all([one.issuer.ready(), other.issuer.ready()]);
    await one.admin('POST', '/admin/keys/rotate', { immediately: true });
    const token = await one.token(service);
    expect((await other.post('/introspect', { token }, service)).body.active).toBe(true);
    await other.post('/revoke', { token }, service);
    expect((await one.post('/introspect', { token }, service)).body.active).toBe(false);
  });

  it('with different algorithms sign with nothing that was not published before, and add few keys', async () => {
    const options = shared();
    const one = createHarness({ ...options, signingAlgorithm: 'ES256' });
    const other = createHarness({ ...options, signingAlgorithm: 'EdDSA' });
    await one.issuer.ready();
    await other.issuer.ready();
    const published = new Map<string, number>();
    for (let seconds = 0; seconds < 1200; seconds += 6) {
      for (const harness of [one, other]) {
        const { keys } = (await harness.call('/jwks')).body;
        for (const { kid } of keys) if (!published.has(kid)) published.set(kid, seconds);
        harness.advance(6);
      }
    }
    const stored = await options.storage.listSigningKeys();
    expect(stored.length).toBeLessThanOrEqual(6);
    for (const { kid, activeFromMs } of stored.slice(1)) {
      const activeFrom = (activeFromMs - START_MS) / 1000;
      expect(activeFrom - (published.get(kid) ?? 0)).toBeGreaterThanOrEqual(285);
    }
  });
});

describe('a storage that', () => {
  it('is slow to answer does not hold up what keys in memory can do', async () => {
    const storage = memoryStorage();
    const harness = createHarness({ storage });
    const service = await harness.register();
    await harness.token(service);
    vi.spyOn(storage, 'listSigningKeys').mockImplementation(() => new Promise(() => {}));
    harness.advance(6);
    expect((await harness.call('/jwks')).status).toBe(200);
    await expect(harness.token(service)).resolves.toMatch(/^ey/);
  });

  it('never answers is asked again after a deadline', async () => {
    const storage = memoryStorage();
    const harness = createHarness({ storage });
    await harness.register();
    await harness.issuer.ready();
    vi.useFakeTimers();
    try {
      const list = vi.spyOn(storage, 'listSigningKeys').mockImplementationOnce(() => new Promise(() => {}));
      harness.advance(6);
      const first = harness.call('/jwks');
      await vi.advanceTimersByTimeAsync(1000);
      expect((await first).status).toBe(200);
      // For a while nobody waits for it again.
      expect((await harness.call('/jwks')).status).toBe(200);
      await vi.advanceTimersByTimeAsync(9000);
      harness.advance(6);
      expect((await harness.call('/jwks')).status).toBe(200);
      expect(list).toHaveBeenCalledTimes(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it('answers after its deadline does not undo what was read since', async () => {
    const storage = memoryStorage();
    const harness = createHarness({ storage });
    await harness.issuer.ready();
    vi.useFakeTimers();
    try {
      let answerLate: (keys: readonly StoredSigningKey[]) => void = () => {};
      const old = await storage.listSigningKeys();
      vi.spyOn(storage, 'listSigningKeys').mockImplementationOnce(
        () =>
          new Promise((resolve) => {
            answerLate = resolve;
          }),
      );
      harness.advance(6);
      const waiting = harness.call('/jwks');
      await vi.advanceTimersByTimeAsync(10_000);
      await waiting;
      const rotated = await harness.issuer.rotateKeys({ immediately: true });
      answerLate(old);
      await vi.advanceTimersByTimeAsync(0);
      const { keys } = (await harness.call('/jwks')).body;
      expect(keys.map(({ kid }: { kid: string }) => kid)).toContain(rotated?.kid);
    } finally {
      vi.useRealTimers();
    }
  });

  it('threat 24: is not read again for every made-up key', async () => {
    const storage = memoryStorage();
    const harness = createHarness({ storage });
    const service = await harness.register();
    await harness.token(service);
    const list = vi.spyOn(storage, 'listSigningKeys');
    const header = (kid: string): string =>
      Buffer.from(JSON.stringify({ alg: 'ES256', kid })).toString('base64url');
    for (let at = 0; at < 100; at++) {
      const token = `${header(`made-up-${at}`)}.e30.AAAA`;
      expect((await harness.post('/introspect', { token }, service)).body).toEqual({ active: false });
    }
    expect(list.mock.calls.length).toBeLessThanOrEqual(2);
  });

  it('cannot delete retired keys goes on serving, and readiness with it', async () => {
    const storage = memoryStorage();
    const harness = createHarness({ storage, keyPublishAheadSeconds: 0, resources: [ORDERS] });
    await harness.issuer.ready();
    await harness.admin('POST', '/admin/keys/rotate');
    vi.spyOn(storage, 'deleteSigningKey').mockRejectedValue(new Error('read-only'));
    harness.advance(LAST_TOKEN_SECONDS + 1);
    expect((await harness.call('/readyz')).status).toBe(200);
    expect((await harness.call('/jwks')).body.keys).toHaveLength(1);
  });
});
