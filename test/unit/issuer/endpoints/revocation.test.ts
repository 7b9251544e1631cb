import { describe, expect, it } from 'vitest';
import { memoryStorage } from '../../../../src/issuer/index.ts';
import { createHarness, ORDERS } from '../harness.ts';
import { change, createRooms, SECRET_KEY } from '../tokens/support.ts';

async function scene(tokenFormat: 'jwt' | 'opaque' = 'jwt', options = {}) {
  const harness = createHarness({ secretKey: SECRET_KEY, ...options });
  const worker = await harness.register({ clientId: 'worker' });
  await change(harness, 'worker', { tokenFormat });
  const orders = await harness.register({ clientId: 'orders', serves: [ORDERS] });
  const token = await harness.token(worker);
  const isActive = async (text = token) =>
    (await harness.post('/introspect', { token: text }, orders)).body.active;
  return { harness, worker, orders, token, isActive };
}

describe.each(['jwt', 'opaque'] as const)('revocation (RFC 7009): %s', (format) => {
  it('ends a token at once, and no other', async () => {
    const { harness, worker, token, isActive } = await scene(format);
    const other = await harness.token(worker);
    expect(await isActive()).toBe(true);
    const { status, text } = await harness.post('/revoke', { token }, worker);
    expect([status, text]).toEqual([200, '']);
    expect(await isActive()).toBe(false);
    expect(await isActive(other)).toBe(true);
  });

  it('ends it at other instances too', async () => {
    const storage = memoryStorage();
    const { harness, worker, token, isActive } = await scene(format, { storage });
    const other = createHarness({ storage, secretKey: SECRET_KEY });
    await other.post('/revoke', { token }, worker);
    expect(await isActive()).toBe(false);
    expect(harness.events.some(({ type }) => type === 'issuer.token_revoked')).toBe(false);
  });

  it('answers 200 with nothing for a token that is unknown, expired or revoked already', async () => {
    const { harness, worker, token } = await scene(format);
    const revoke = (text: string) => harness.post('/revoke', { token: text }, worker);
    for (const answer of [await revoke('unknown'), await revoke(token), await revoke(token)]) {
      expect(answer.status).toBe(200);
      expect(answer.text).toBe('');
    }
    harness.advance(900);
    expect((await revoke(token)).status).toBe(200);
  });

  it.each(['access_token', 'refresh_token', 'something', '__proto__'])(
    'takes the hint %s for what it is',
    async (hint) => {
      const { harness, worker, token, isActive } = await scene(format);
      const { status } = await harness.post('/revoke', { token, token_type_hint: hint }, worker);
      expect(status).toBe(200);
      expect(await isActive()).toBe(false);
    },
  );

  it('refuses the token of another client, which stays active', async () => {
    const { harness, orders, token, isActive } = await scene(format);
    const { status, body } = await harness.post('/revoke', { token }, orders);
    expect(status).toBe(400);
    expect(body.error).toBe('invalid_grant');
    expect(await isActive()).toBe(true);
  });

  it('is for the client that exchanged a token, whoever its subject is', async () => {
    const { harness, worker, orders, isActive } = await scene();
    const { tokens } = createRooms({ storage: harness.storage });
    const { accessToken: token } = await tokens.issue(
      {
        clientId: 'worker',
        subject: 'orders',
        audience: [ORDERS],
        scope: 'read',
        confirmation: undefined,
        actor: { sub: 'worker' },
      },
      { format, lifetimeSeconds: 600 },
    );
    expect((await harness.post('/revoke', { token }, orders)).body.error).toBe('invalid_grant');
    expect(await isActive(token)).toBe(true);
    expect((await harness.post('/revoke', { token }, worker)).status).toBe(200);
    expect(await isActive(token)).toBe(false);
  });

  it('is reported by identifier', async () => {
    const { harness, worker, orders, token } = await scene(format);
    const { jti } = (await harness.post('/introspect', { token }, orders)).body;
    await harness.post('/revoke', { token }, worker);
    const event = { type: 'issuer.token_revoked', clientId: 'worker', tokenId: jti };
    expect(harness.events.at(-1)).toMatchObject(event);
    expect(JSON.stringify(harness.events)).not.toContain(token.slice(-20));
  });

  it('is remembered until verifiers with slow clocks have seen the token expire, and then forgotten', async () => {
    const { harness, worker, orders, token } = await scene(format);
    const { jti } = (await harness.post('/introspect', { token }, orders)).body;
    await harness.post('/revoke', { token }, worker);
    harness.advance(900 + 59);
    await harness.storage.deleteExpired(harness.nowSeconds() * 1000);
    expect(await harness.storage.isTokenRevoked(jti)).toBe(true);
    harness.advance(1);
    await harness.storage.deleteExpired(harness.nowSeconds() * 1000);
    expect(await harness.storage.isTokenRevoked(jti)).toBe(false);
  });

  it('that cannot be stored is not acknowledged', async () => {
    const storage = memoryStorage();
    const revokeToken = () => Promise.reject(new Error('away'));
    const { harness, worker, token, isActive } = await scene(format, {
      storage: { ...storage, revokeToken },
    });
    expect((await harness.post('/revoke', { token }, worker)).status).toBe(503);
    expect(await isActive()).toBe(true);
  });
});

it('a request without a token is invalid', async () => {
  const { harness, worker } = await scene();
  const { status, body } = await harness.post('/revoke', {}, worker);
  expect(status).toBe(400);
  expect(body.error).toBe('invalid_request');
});
