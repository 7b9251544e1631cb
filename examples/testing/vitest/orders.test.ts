import { createTestIssuer, tokenFaults } from 'service-auth/testing';
import request from 'supertest';
import { expect, it } from 'vitest';
import { createOrders } from './orders.ts';

const issuer = createTestIssuer();
const orders = createOrders(issuer.verifierOptions());

it('shows orders to services that may read them', async () => {
  const billing = await issuer.mint({ clientId: 'billing', scope: 'orders:read' });
  await request(orders).get('/orders').set(billing.headers()).expect(200, { for: 'billing' });
});

it('lets billing alone delete them', async () => {
  const scope = 'orders:write';
  const billing = await issuer.mint({ clientId: 'billing', scope });
  await request(orders).delete('/orders').set(billing.headers()).expect(204);
  const reporting = await issuer.mint({ clientId: 'reporting', scope });
  await request(orders).delete('/orders').set(reporting.headers()).expect(403);
});

it.each(Object.entries(tokenFaults))('refuses a token with the fault %s', async (fault, { status }) => {
  const token = await issuer.mint({ scope: 'orders:read', fault: fault as keyof typeof tokenFaults });
  await request(orders).get('/orders').set(token.headers()).expect(status);
});

it('refuses a token that was good once', async () => {
  const token = await issuer.mint({ scope: 'orders:read' });
  await request(orders).get('/orders').set(token.headers()).expect(200);
  issuer.advance({ minutes: 16 });
  await request(orders).get('/orders').set(token.headers()).expect(401);
});

it('holds bound tokens to their proof', async () => {
  const token = await issuer.mint({ scope: 'orders:read', dpop: true });
  await request(orders).get('/orders').use(token.forSupertest()).expect(200);
  await request(orders)
    .get('/orders')
    .use(token.forSupertest({ fault: 'wrong_key' }))
    .expect(401);
});

it('asks the issuer for its keys once', async () => {
  const fresh = createTestIssuer();
  const app = createOrders(fresh.verifierOptions());
  for (const clientId of ['billing', 'reporting', 'shipping']) {
    const token = await fresh.mint({ clientId, scope: 'orders:read' });
    await request(app).get('/orders').set(token.headers()).expect(200, { for: clientId });
  }
  expect(fresh.requests.jwks).toHaveLength(1);
});
