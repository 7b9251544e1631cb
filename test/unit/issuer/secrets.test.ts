import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createIssuer } from '../../../src/issuer/index.ts';
import { ADMIN_TOKEN, createHarness, type Harness, ISSUER } from './harness.ts';

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

const GRANT = { grant_type: 'client_credentials' };

describe('a client secret', () => {
  it('is of 256 random bits, with a prefix and a checksum that scanners can verify', async () => {
    const harness = createHarness({ randomBytes: (length) => new Uint8Array(length).fill(0xff) });
    const { clientSecret } = await harness.register();
    const [text, checksum] = [clientSecret.slice(0, -6), clientSecret.slice(-6)];
    expect(text).toBe(`sas_${Buffer.alloc(32, 0xff).toString('base64url')}`);
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
    const harness = createHarness();
    const { clientId, clientSecret } = await harness.register();
    const stored = await harness.storage.findService(clientId);
    if (stored === undefined) throw new Error('the service is not stored');
    await harness.storage.createService({ ...stored, clientId: 'other' });
    expect((await harness.post('/token', GRANT, { clientId, clientSecret })).status).toBe(200);
    expect((await harness.post('/token', GRANT, { clientId: 'other', clientSecret })).status).toBe(401);
  });

  it('is worth nothing under another secretKey', async () => {
    const before = createHarness();
    const service = await before.register();
    const stored = await before.storage.findService(service.clientId);
    if (stored === undefined) throw new Error('the service is not stored');
    const after = createHarness();
    await after.storage.createService(stored);
    expect((await after.post('/token', GRANT, service)).status).toBe(401);
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
    expect(compared).toEqual({ lengths: [[32, 32]], hashed: 1 });
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
    const storage = [await harness.storage.listServices(), await harness.storage.listSigningKeys()];
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
