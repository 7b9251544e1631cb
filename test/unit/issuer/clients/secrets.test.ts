import { createHash, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createSecrets, isWellFormedSecret } from '../../../../src/issuer/clients/secrets.ts';
import { createIssuer, memoryStorage } from '../../../../src/issuer/index.ts';
import { ADMIN_TOKEN, createHarness, type Harness, ISSUER, START_MS } from '../harness.ts';
import { addSecretService, addService, SECRET_KEY, secrets } from '../service-records.ts';
import { createKeyedHarness, GRANT } from './support.ts';

const compared = vi.hoisted(() => ({ lengths: [] as [number, number][], hashed: 0 }));

vi.mock('node:crypto', async (importOriginal) => {
  const original = await importOriginal<typeof import('node:crypto')>();
  const timingSafeEqual: typeof original.timingSafeEqual = (a, b) => {
    compared.lengths.push([a.byteLength, b.byteLength]);
    return original.timingSafeEqual(a, b);
  };
  const createHmac: typeof original.createHmac = (...parameters) => {
    compared.hashed++;
    return original.createHmac(...parameters);
  };
  return { ...original, timingSafeEqual, createHmac };
});

describe('a client secret', () => {
  it('is of 256 random bits, with a prefix and a checksum that scanners can verify', async () => {
    const harness = createHarness({ randomBytes: (length) => new Uint8Array(length).fill(0xff) });
    const { clientSecret } = await harness.register();
    const [text, checksum] = [clientSecret.slice(0, -6), clientSecret.slice(-6)];
    expect(text).toBe(`sas_${'ff'.repeat(32)}`);
    expect(checksum).toBe(createHash('sha256').update(text).digest('base64url').slice(0, 6));
  });

  it('is a new one each time', async () => {
    const harness = createHarness();
    const secrets = [await harness.register(), await harness.register()].map(
      ({ clientSecret }) => clientSecret,
    );
    expect(new Set(secrets).size).toBe(2);
  });

  it('opens nothing once its hash is copied to another service', async () => {
    const harness = createKeyedHarness();
    const clientSecret = await addSecretService(harness.storage, { clientId: 'billing' });
    const stored = await harness.storage.findService('billing');
    await addService(harness.storage, { clientId: 'other', secrets: stored?.secrets ?? [] });
    expect((await harness.post('/token', GRANT, { clientId: 'billing', clientSecret })).status).toBe(200);
    expect((await harness.post('/token', GRANT, { clientId: 'other', clientSecret })).status).toBe(401);
  });

  it('is worth nothing under another secretKey', async () => {
    const storage = memoryStorage();
    const clientSecret = await addSecretService(storage, { clientId: 'billing' });
    const statuses = [];
    for (const secretKey of [SECRET_KEY, `${SECRET_KEY}.`]) {
      const harness = createKeyedHarness({ storage, secretKey });
      statuses.push((await harness.post('/token', GRANT, { clientId: 'billing', clientSecret })).status);
    }
    expect(statuses).toEqual([200, 401]);
  });

  it('opens nothing from the moment on at which it expires', async () => {
    const harness = createKeyedHarness();
    const expiresAtMs = START_MS + 60_000;
    const clientSecret = await addSecretService(harness.storage, { clientId: 'billing' }, { expiresAtMs });
    const ask = async () =>
      (await harness.post('/token', GRANT, { clientId: 'billing', clientSecret })).status;
    harness.advance(59.999);
    expect(await ask()).toBe(200);
    harness.advance(0.001);
    expect(await ask()).toBe(401);
  });

  it('is told when it was last used', async () => {
    const harness = createKeyedHarness();
    const used = await addSecretService(harness.storage, { clientId: 'billing' });
    await addSecretService(harness.storage, { clientId: 'idle' });
    harness.advance(7);
    await harness.post('/token', GRANT, { clientId: 'billing', clientSecret: used });
    await harness.post('/token', GRANT, { clientId: 'idle', clientSecret: used });
    await harness.issuer.close();
    const lastUsedAtMs = async (clientId: string) =>
      (await harness.storage.findService(clientId))?.secrets.map((secret) => secret.lastUsedAtMs);
    expect(await lastUsedAtMs('billing')).toEqual([START_MS + 7000]);
    expect(await lastUsedAtMs('idle')).toEqual([undefined]);
  });

  it('lies beside others that are live', async () => {
    const harness = createKeyedHarness();
    const given = Array.from({ length: 6 }, () => secrets.generate());
    const sealed = given.map((secret) => secrets.seal('billing', secret, { nowMs: START_MS }));
    await addService(harness.storage, { secrets: sealed });
    for (const clientSecret of given) {
      expect((await harness.post('/token', GRANT, { clientId: 'billing', clientSecret })).status).toBe(200);
    }
  });
});

describe('createSecrets', () => {
  const other = createSecrets(new TextEncoder().encode(`${SECRET_KEY}.`), randomBytes);

  it('derives the same secret of the same salt, which is as good as a new one', () => {
    const derived = secrets.derive('salt');
    expect(secrets.derive('salt')).toBe(derived);
    expect(derived).toHaveLength(secrets.generate().length);
    expect(isWellFormedSecret(derived)).toBe(true);
    expect(new Set([derived, secrets.derive('salt2'), other.derive('salt')]).size).toBe(3);
  });

  it('keeps the secret itself only where it is told to', () => {
    const secret = secrets.generate();
    expect(secrets.seal('billing', secret, { nowMs: 1 })).toMatchObject({
      sealed: undefined,
      hint: secret.slice(-4),
      createdAtMs: 1,
      expiresAtMs: undefined,
    });
    const kept = secrets.seal('billing', secret, { nowMs: 1, expiresAtMs: 2, keepSecret: true });
    expect(kept.expiresAtMs).toBe(2);
    expect(JSON.stringify(kept)).not.toContain(secret.slice(4, 20));
    expect(secrets.open('billing', kept)).toBe(secret);
  });

  it('opens what was kept for this client, under this id and key, and nothing else', () => {
    const secret = secrets.generate();
    const kept = secrets.seal('billing', secret, { nowMs: 1, keepSecret: true });
    const bytes = Buffer.from(kept.sealed ?? '', 'base64url');
    const changed = (at: number): string => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy.toString('base64url');
    };
    expect(secrets.open('other', kept)).toBeUndefined();
    expect(secrets.open('billing', { ...kept, id: 'other' })).toBeUndefined();
    expect(other.open('billing', kept)).toBeUndefined();
    for (const sealed of [
      changed(0),
      changed(20),
      changed(bytes.length - 1),
      `${kept.sealed}=`,
      '',
      'AAAA',
    ]) {
      expect(secrets.open('billing', { ...kept, sealed })).toBeUndefined();
    }
    const truncated = bytes.subarray(0, -4).toString('base64url');
    expect(secrets.open('billing', { ...kept, sealed: truncated })).toBeUndefined();
  });

  it('seals the same secret otherwise every time', () => {
    const [one, two] = [1, 2].map((nowMs) => secrets.seal('a', 'b', { nowMs, keepSecret: true }));
    expect(one?.sealed).not.toBe(two?.sealed);
    expect(one?.hash).toBe(two?.hash);
  });

  it('gives fingerprints that have nothing in common over purposes and keys', () => {
    const all = [
      secrets.fingerprint('a', 'bc'),
      secrets.fingerprint('ab', 'c'),
      secrets.fingerprint('a', 'bd'),
      other.fingerprint('a', 'bc'),
    ];
    expect(secrets.fingerprint('a', 'bc')).toBe(all[0]);
    expect(new Set(all).size).toBe(4);
  });

  it('makes opaque tokens that are known by their prefix and checksum', () => {
    const token = secrets.generateToken();
    expect(token).toMatch(/^sat_[\w-]{49}$/);
    expect(isWellFormedSecret(token)).toBe(true);
    expect(secrets.generateToken()).not.toBe(token);
  });

  it.each([
    ['another checksum', (text: string) => text.slice(0, -1) + (text.endsWith('A') ? 'B' : 'A')],
    ['another character', (text: string) => text.replace(/_./, text[4] === '0' ? '_1' : '_0')],
    ['another prefix', (text: string) => text.replace('sas', 'xas')],
    ['nothing', () => ''],
    ['less', (text: string) => text.slice(0, 40)],
    ['more', (text: string) => `${text}A`],
  ])('knows a secret with %s for none', (_, change) => {
    const secret = secrets.generate();
    expect(isWellFormedSecret(secret)).toBe(true);
    expect(isWellFormedSecret(change(secret))).toBe(false);
  });
});

describe('threat 26: comparing secrets', () => {
  let harness: Harness;
  let clientSecret: string;

  beforeEach(async () => {
    harness = createHarness();
    clientSecret = (await harness.register({ clientId: 'billing' })).clientSecret;
    await harness.register({ clientId: 'revoked' });
    await harness.admin('DELETE', '/admin/services/revoked');
    compared.lengths.length = 0;
    compared.hashed = 0;
  });

  it.each([
    ['right', 'billing', ''],
    ['wrong in its last character', 'billing', 'x'],
    ['of an unknown client', 'nobody', ''],
    ['of a revoked client', 'revoked', ''],
    ['of a client called __proto__', '__proto__', ''],
  ])('takes constant time, and the same work, for one that is %s', async (_, clientId, suffix) => {
    await harness.post('/token', GRANT, { clientId, clientSecret: clientSecret + suffix });
    expect(compared).toEqual({ lengths: Array(4).fill([32, 32]), hashed: 1 });
  });

  it('answers the same to an unknown client and to a wrong secret', async () => {
    const answers = [];
    for (const clientId of ['billing', 'nobody', 'revoked']) {
      const { status, headers, text } = await harness.post('/token', GRANT, { clientId, clientSecret: 'x' });
      answers.push([status, [...headers], text]);
    }
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
  });

  it.each(['', 'x', ADMIN_TOKEN, `${ADMIN_TOKEN}x`])(
    'takes constant time for the admin token "%s"',
    async (token) => {
      await harness.call('/admin/services', { headers: { authorization: `Bearer ${token}` } });
      expect(compared).toEqual({ lengths: [[32, 32]], hashed: 2 });
    },
  );
});

describe('threat 27: a secret is never', () => {
  const written: string[] = [];

  beforeEach(() => {
    written.length = 0;
    for (const stream of [process.stdout, process.stderr]) {
      vi.spyOn(stream, 'write').mockImplementation((chunk) => {
        written.push(String(chunk));
        return true;
      });
    }
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  it('in answers, events, logs, the storage or what inspecting the issuer shows', async () => {
    const secretKey = 'canary-secret-key-canary-secret-key';
    const harness = createHarness({ secretKey });
    const service = await harness.register({ clientId: 'billing' });
    const token = await harness.token(service);
    const answers = [
      await harness.admin('GET', '/admin/services'),
      await harness.admin('GET', '/admin/services/billing'),
      await harness.admin('POST', '/admin/services', { clientId: 'billing', name: 'again', scopes: [] }),
      await harness.admin('POST', '/admin/services', { clientSecret: service.clientSecret }),
      await harness.post('/token', { ...GRANT, scope: service.clientSecret }, service),
      await harness.post('/token', { ...GRANT, resource: service.clientSecret }, service),
      await harness.post('/token', { grant_type: service.clientSecret }, service),
      await harness.post('/token', GRANT, { ...service, clientId: 'other' }),
      await harness.post('/token', { ...GRANT, client_secret: service.clientSecret }, service),
      await harness.post('/introspect', { token: service.clientSecret }, service),
      await harness.post('/introspect', { token }, service),
      await harness.post('/revoke', { token }, service),
      await harness.call('/jwks'),
      await harness.call('/nothing', { headers: { authorization: `Bearer ${ADMIN_TOKEN}` } }),
    ].map(({ text, headers }) => [text, ...headers]);
    const storage = [
      await harness.storage.listServices({ limit: 100 }),
      await harness.storage.listSigningKeys(),
    ];
    const inspected = inspect(harness.issuer, { depth: 20, showHidden: true });
    const seen = JSON.stringify({ answers, events: harness.events, storage, inspected, written });
    expect(seen).toContain('billing');
    for (const secret of [
      service.clientSecret,
      service.clientSecret.slice(4, 20),
      ADMIN_TOKEN,
      'canary',
      token,
    ]) {
      expect(seen).not.toContain(secret);
    }
    expect(seen).not.toMatch(/"(d|p|q|dp|dq|qi|k)\\?":/);
  });

  it('in the error of a creation that fails', () => {
    const adminToken = 'canary é';
    expect(() => createIssuer({ issuer: ISSUER, adminToken })).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining('canary') }),
    );
  });
});
