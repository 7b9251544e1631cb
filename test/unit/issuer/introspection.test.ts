import { CompactSign, exportJWK, generateKeyPair, SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { BILLING, createHarness, ISSUER, ORDERS } from './harness.ts';

const INACTIVE = { active: false };

async function scene(options = {}) {
  const harness = createHarness(options);
  const worker = await harness.register({ clientId: 'worker' });
  const orders = await harness.register({ clientId: 'orders' });
  const stranger = await harness.register({ clientId: 'stranger', resources: [BILLING] });
  const token = await harness.token(worker);
  const introspect = async (as: typeof worker, text = token) =>
    (await harness.post('/introspect', { token: text }, as)).body;
  return { harness, worker, orders, stranger, token, introspect };
}

describe('an active token', () => {
  it('is described to a service of its audience (RFC 7662 section 2.2)', async () => {
    const { harness, orders, token } = await scene();
    const { status, headers, body } = await harness.post('/introspect', { token }, orders);
    expect(status).toBe(200);
    expect(headers.get('cache-control')).toBe('no-store');
    const { payload } = await harness.verify(token);
    expect(body).toEqual({ active: true, token_type: 'Bearer', ...payload });
  });

  it('is described to the service that it was issued to', async () => {
    const { harness, stranger, introspect } = await scene();
    const own = await harness.token(stranger);
    expect(await introspect(stranger, own)).toMatchObject({
      active: true,
      client_id: 'stranger',
      aud: BILLING,
    });
  });

  it('the hint of its type changes nothing', async () => {
    const { harness, orders, token } = await scene();
    const { body } = await harness.post('/introspect', { token, token_type_hint: 'refresh_token' }, orders);
    expect(body.active).toBe(true);
  });
});

describe('a token is inactive, and nothing more is said,', () => {
  it('to a service that it does not concern', async () => {
    const { stranger, introspect } = await scene();
    expect(await introspect(stranger)).toEqual(INACTIVE);
  });

  it('once it has expired, to the second', async () => {
    const { harness, orders, introspect } = await scene();
    harness.advance(899);
    expect((await introspect(orders)).active).toBe(true);
    harness.advance(1);
    expect(await introspect(orders)).toEqual(INACTIVE);
  });

  it('once it was revoked', async () => {
    const { harness, worker, orders, token, introspect } = await scene();
    expect((await harness.post('/revoke', { token }, worker)).status).toBe(200);
    expect(await introspect(orders)).toEqual(INACTIVE);
    expect((await introspect(orders, await harness.token(worker))).active).toBe(true);
  });

  it('once its service was revoked', async () => {
    const { harness, orders, introspect } = await scene();
    await harness.admin('DELETE', '/admin/services/worker');
    expect(await introspect(orders)).toEqual(INACTIVE);
  });

  it.each(['abc', 'a.b.c', 'e30.e30.', 'x'.repeat(20_000)])('if it is no token: %.10s', async (text) => {
    const { orders, introspect } = await scene();
    expect(await introspect(orders, text)).toEqual(INACTIVE);
  });

  it('if its signature is another', async () => {
    const { orders, token, introspect } = await scene();
    const at = token.lastIndexOf('.') + 5;
    const other = token[at] === 'A' ? 'B' : 'A';
    expect(await introspect(orders, token.slice(0, at) + other + token.slice(at + 1))).toEqual(INACTIVE);
  });

  it('threat 1 and 5: if it names no algorithm, or another than its key has', async () => {
    const { harness, orders, token, introspect } = await scene();
    const [header = '', payload = ''] = token.split('.');
    const { kid } = JSON.parse(Buffer.from(header, 'base64url').toString());
    const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    expect(await introspect(orders, `${encode({ alg: 'none', typ: 'at+jwt', kid })}.${payload}.`)).toEqual(
      INACTIVE,
    );
    const { body } = await harness.call('/jwks');
    const hmac = await new CompactSign(Buffer.from(payload, 'base64url'))
      .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt', kid })
      .sign(Buffer.from(JSON.stringify(body.keys[0])));
    expect(await introspect(orders, hmac)).toEqual(INACTIVE);
  });

  it('threat 7: if it brings its own key', async () => {
    const { harness, orders, token, introspect } = await scene();
    const { privateKey, publicKey } = await generateKeyPair('ES256');
    const { payload, protectedHeader } = await harness.verify(token);
    const jwk = await exportJWK(publicKey);
    const header = { ...protectedHeader, jwk };
    const forged = await new SignJWT(payload).setProtectedHeader(header).sign(privateKey);
    expect(await introspect(orders, forged)).toEqual(INACTIVE);
  });

  it('if another issuer signed it', async () => {
    const { harness, orders, introspect } = await scene();
    const other = createHarness();
    const foreign = await other.token(await other.register({ clientId: 'worker' }));
    expect(await introspect(orders, foreign)).toEqual(INACTIVE);
    expect(harness.events.some(({ type }) => type === 'issuer.request_failed')).toBe(false);
  });

  it('if it names another issuer, though signed with the same key', async () => {
    const secretKey = 'k'.repeat(32);
    const { harness, orders, introspect } = await scene({ secretKey });
    const other = createHarness({ secretKey, storage: harness.storage, issuer: `${ISSUER}/other` });
    const { issuer } = other;
    const body = new URLSearchParams({
      grant_type: 'client_credentials',
      client_id: orders.clientId,
      client_secret: orders.clientSecret,
    });
    const answer = await issuer.fetch(new Request(`${ISSUER}/other/token`, { method: 'POST', body }));
    const { access_token: token } = await answer.json();
    expect(await introspect(orders, token)).toEqual(INACTIVE);
  });
});

describe('revocation (RFC 7009)', () => {
  it('answers 200 with nothing for a token that is unknown, expired or revoked already', async () => {
    const { harness, worker, token } = await scene();
    const revoke = (text: string) => harness.post('/revoke', { token: text }, worker);
    for (const answer of [await revoke('unknown'), await revoke(token), await revoke(token)]) {
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('');
    }
    harness.advance(900);
    expect((await revoke(token)).status).toBe(200);
  });

  it('refuses the token of another client, which stays active', async () => {
    const { harness, orders, token, introspect } = await scene();
    const { status, body } = await harness.post('/revoke', { token }, orders);
    expect(status).toBe(400);
    expect(body.error).toBe('invalid_grant');
    expect((await introspect(orders)).active).toBe(true);
  });

  it('is reported by identifier', async () => {
    const { harness, worker, token } = await scene();
    const { payload } = await harness.verify(token);
    await harness.post('/revoke', { token }, worker);
    expect(harness.events.at(-1)).toMatchObject({
      type: 'issuer.token_revoked',
      clientId: 'worker',
      tokenId: payload.jti,
    });
  });

  it('forgets revoked tokens that have expired', async () => {
    const { harness, worker, token } = await scene();
    const { payload } = await harness.verify(token);
    const tokenId = payload.jti ?? '';
    await harness.post('/revoke', { token }, worker);
    expect(await harness.storage.isTokenRevoked(tokenId)).toBe(true);
    harness.advance(1000);
    await harness.post('/revoke', { token: await harness.token(worker) }, worker);
    expect(await harness.storage.isTokenRevoked(tokenId)).toBe(false);
  });
});

it.each(['/introspect', '/revoke'])('%s without a token is an invalid request', async (path) => {
  const { harness, orders } = await scene();
  const { status, body } = await harness.post(path, {}, orders);
  expect(status).toBe(400);
  expect(body.error).toBe('invalid_request');
});

it.each([[[ORDERS, BILLING]], [[BILLING]]])(
  'a service that concerns %j may introspect a token for both',
  async (own) => {
    const harness = createHarness();
    const worker = await harness.register({ resources: [ORDERS, BILLING] });
    const reader = await harness.register({ resources: own });
    const token = await harness.token(worker, { resource: [ORDERS, BILLING] });
    expect((await harness.post('/introspect', { token }, reader)).body.aud).toEqual([ORDERS, BILLING]);
  },
);
