/** What must be resisted where the issuer makes tokens, knows them again and tells of their revocation. */
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it, vi } from 'vitest';
import { createVerifier } from '../../src/index.ts';
import { memoryStorage } from '../../src/issuer/index.ts';
import { createHarness, ISSUER, ORDERS } from '../unit/issuer/harness.ts';
import { change, createRooms, SECRET_KEY } from '../unit/issuer/tokens/support.ts';

const INACTIVE = { active: false };

async function scene(tokenFormat: 'jwt' | 'opaque' = 'jwt') {
  const storage = memoryStorage();
  const harness = createHarness({ storage, secretKey: SECRET_KEY });
  const worker = await harness.register({ clientId: 'worker' });
  await change(harness, 'worker', { tokenFormat });
  const orders = await harness.register({ clientId: 'orders', serves: [ORDERS] });
  const introspect = async (token: string) => (await harness.post('/introspect', { token }, orders)).body;
  return { harness, storage, worker, orders, token: await harness.token(worker), introspect };
}

describe('threat 5 and 7: no other spelling of a token is one', () => {
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

  async function spelt(change: (header: object, payload: string, signature: string) => string) {
    const { introspect, token } = await scene();
    const [header = '', payload = '', signature = ''] = token.split('.');
    return introspect(change(JSON.parse(Buffer.from(header, 'base64url').toString()), payload, signature));
  }

  it.each<[string, object]>([
    ['none', { alg: 'none' }],
    ['None', { alg: 'None' }],
    ['a critical extension', { crit: ['exp'] }],
    ['an unencoded payload', { b64: false, crit: ['b64'] }],
    ['another type', { typ: 'JWT' }],
    ['a type with another case', { typ: 'AT+JWT' }],
    ['no kid', { kid: undefined }],
    ['a kid of the prototype', { kid: '__proto__' }],
  ])('%s', async (_, changes) => {
    expect(await spelt((header, ...rest) => [encode({ ...header, ...changes }), ...rest].join('.'))).toEqual(
      INACTIVE,
    );
  });

  it.each<[string, (token: string) => string]>([
    ['more parts', (token) => `${token}.e30`],
    ['padding', (token) => `${token}=`],
    ['a line break', (token) => `${token}\n`],
    ['a blank before it', (token) => ` ${token}`],
    ['left-over bits', (token) => token.slice(0, -1) + (token.endsWith('A') ? 'B' : nextLetter(token))],
    ['no signature', (token) => token.slice(0, token.lastIndexOf('.') + 1)],
  ])('%s', async (_, change) => {
    const { introspect, token } = await scene();
    expect((await introspect(token)).active).toBe(true);
    expect(await introspect(change(token))).toEqual(INACTIVE);
  });

  it('a zero signature (CVE-2022-21449)', async () => {
    const zero = Buffer.alloc(64).toString('base64url');
    expect(await spelt((header, payload) => [encode(header), payload, zero].join('.'))).toEqual(INACTIVE);
  });

  it('a key that the token brings along', async () => {
    const { harness, introspect, token } = await scene();
    const { payload, protectedHeader } = await harness.verify(token);
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const jwk = await exportJWK(publicKey);
    for (const more of [{ jwk }, { jku: `${ISSUER}/jwks` }, { x5c: ['MA=='] }]) {
      const forged = await new SignJWT(payload)
        .setProtectedHeader({ ...protectedHeader, ...more })
        .sign(privateKey);
      expect(await introspect(forged)).toEqual(INACTIVE);
    }
  });
});

/** Another last character for the same bits of the signature, whose last character has two to spare. */
function nextLetter(token: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  return alphabet[alphabet.indexOf(token.slice(-1)) ^ 1] ?? '';
}

it('threat 11: what else the issuer signs is no access token to this project, nor the other way round', async () => {
  const { harness, orders, token, introspect } = await scene();
  const list = (await harness.call('/status-lists/1')).text;
  const verifier = createVerifier({
    issuer: { issuer: ISSUER, statusList: true },
    audience: null,
    now: () => harness.nowSeconds() * 1000,
    fetch: (input, init) => {
      const request = new Request(input, init);
      // An access token in the place of a list does not pass for one.
      const isList = request.url.includes('/status-lists/');
      return isList ? Promise.resolve(new Response(token)) : harness.issuer.fetch(request);
    },
  });
  expect(await introspect(list)).toEqual(INACTIVE);
  expect(await verifier.verifyToken(list)).toMatchObject({ ok: false, rejection: { status: 401 } });
  expect(await verifier.verifyToken(token)).toMatchObject({ ok: false, rejection: { status: 503 } });
  expect((await harness.post('/revoke', { token: list }, orders)).status).toBe(200);
});

describe.each(['jwt', 'opaque'] as const)('threat 23: sizes and shapes: %s', (format) => {
  it.each([
    ['a long text', 'x'.repeat(60_000)],
    ['a long opaque token', `sat_${'x'.repeat(60_000)}`],
    ['many parts', 'e30.'.repeat(10_000)],
    ['deep JSON', `${Buffer.from('['.repeat(10_000)).toString('base64url')}.e30.AA`],
    ['a control character', '\u0000'],
    ['a lonely prefix', 'sat_'],
    ['a member of every object', '__proto__'],
    ['another one', 'constructor'],
    ['dots', '..'],
  ])('%s', async (_, text) => {
    const { introspect, harness, worker } = await scene(format);
    expect(await introspect(text)).toEqual(INACTIVE);
    expect((await harness.post('/revoke', { token: text }, worker)).status).toBe(200);
  });
});

it('threat 24: made-up opaque tokens cost no query, made-up keys a bounded number', async () => {
  const { introspect, storage, harness } = await scene('opaque');
  const findToken = vi.spyOn(storage, 'findToken');
  const listSigningKeys = vi.spyOn(storage, 'listSigningKeys');
  const { privateKey } = await generateKeyPair('ES256');
  for (let n = 0; n < 200; n++) {
    expect(await introspect(`sat_${crypto.randomUUID()}${crypto.randomUUID()}`)).toEqual(INACTIVE);
    const header = { alg: 'ES256', typ: 'at+jwt', kid: `k${n}` };
    const forged = await new SignJWT({ iss: ISSUER }).setProtectedHeader(header).sign(privateKey);
    expect(await introspect(forged)).toEqual(INACTIVE);
  }
  expect(findToken).not.toHaveBeenCalled();
  // The first key is made, and once one is searched for, since the clock stands still.
  expect(listSigningKeys.mock.calls.length).toBeLessThanOrEqual(3);
  expect(harness.events.some(({ type }) => type === 'issuer.request_failed')).toBe(false);
});

it('threat 24: a flood for one status list makes it once, one for unknown lists makes none', async () => {
  const { storage, harness } = await scene();
  const statusList = vi.spyOn(storage, 'statusList');
  const answers = await Promise.all(Array.from({ length: 300 }, () => harness.call('/status-lists/1')));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(statusList).toHaveBeenCalledTimes(1);
  const unknown = await Promise.all(
    Array.from({ length: 300 }, (_, n) => harness.call(`/status-lists/x${n}`)),
  );
  expect(new Set(unknown.map(({ status }) => status))).toEqual(new Set([404]));
  expect(statusList).toHaveBeenCalledTimes(1);
});

describe.each(['jwt', 'opaque'] as const)('threat 26: %s', (format) => {
  it('a token tells nothing to those it does not concern, not even whether there is one', async () => {
    const { harness, token } = await scene(format);
    const stranger = await harness.register({ resources: [ORDERS] });
    const answers = await Promise.all(
      [token, `${token}x`, 'unknown'].map((text) => harness.post('/introspect', { token: text }, stranger)),
    );
    expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
  });

  it('a binding is never lost between issue and introspection', async () => {
    const { introspect, storage } = await scene(format);
    const { tokens } = createRooms({ storage });
    const confirmation = { jkt: 'k'.repeat(43) };
    const grant = { clientId: 'worker', subject: 'worker', audience: [ORDERS], scope: undefined };
    const { accessToken } = await tokens.issue(
      { ...grant, confirmation, actor: undefined },
      { format, lifetimeSeconds: 60 },
    );
    expect(await introspect(accessToken)).toMatchObject({ token_type: 'DPoP', cnf: confirmation });
  });
});

it('threat 27: neither tokens nor private keys are in the storage, in events or in errors', async () => {
  const { harness, storage, worker, token } = await scene('opaque');
  await harness.post('/revoke', { token }, worker);
  await harness.issuer.rotateKeys();
  const keys = await storage.listSigningKeys();
  const told = JSON.stringify([keys, harness.events, await storage.listAudit({ limit: 100 })]);
  expect(told).not.toContain(token.slice(4, 40));
  expect(told).not.toContain('"d"');
  for (const { sealedKey } of keys) {
    // A JWE whose payload nobody reads without the issuer's secret key.
    const [header = '', , , ciphertext = ''] = sealedKey.split('.');
    expect(JSON.parse(Buffer.from(header, 'base64url').toString())).toEqual({ alg: 'dir', enc: 'A256GCM' });
    expect(Buffer.from(ciphertext, 'base64url').toString('latin1')).not.toContain('kty');
  }
});
