/** `node --test` on Node 22.18 and newer; before, `node --import tsx --test`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestIssuer } from 'service-auth/testing';
import { withServiceAuth } from 'service-auth/web';
import { createBilling } from './billing.ts';

/** Billing, and an orders service that checks its tokens, both in this process. */
function createShop() {
  const issuer = createTestIssuer({
    audience: 'https://orders.example',
    clients: [{ clientId: 'billing', scopes: ['orders:read'], resources: ['https://orders.example'] }],
    services: { 'https://orders.internal': (request) => orders(request) },
  });
  const orders = withServiceAuth(() => Response.json(['a', 'b', 'c']), {
    ...issuer.verifierOptions(),
    scope: 'orders:read',
    clients: ['billing'],
  });
  return { issuer, billing: createBilling(issuer.clientOptions({ clientId: 'billing' })) };
}

test('billing counts orders, with one token for all calls', async () => {
  const { issuer, billing } = createShop();
  assert.deepEqual(await Promise.all([billing.countOrders(), billing.countOrders()]), [3, 3]);
  assert.equal(issuer.requests.token.length, 1);
  assert.equal(issuer.requests.token[0]?.scope, 'orders:read');
  issuer.advance({ minutes: 15 });
  assert.equal(await billing.countOrders(), 3);
  assert.equal(issuer.requests.token.length, 2);
});

test('a short outage of the issuer goes unnoticed', async () => {
  const { issuer, billing } = createShop();
  await billing.countOrders();
  const outage = issuer.outage();
  issuer.advance({ minutes: 14 });
  assert.equal(await billing.countOrders(), 3);
  outage.end();
});

test('billing waits as long as the issuer asks', async () => {
  const { issuer, billing } = createShop();
  issuer.fail('token', { status: 429, retryAfterSeconds: 20 });
  await assert.rejects(billing.countOrders(), {
    name: 'ServiceAuthError',
    status: 429,
    retryAfterMs: 20_000,
  });
  await assert.rejects(billing.countOrders());
  assert.equal(issuer.requests.token.length, 1);
  issuer.advance({ seconds: 21 });
  assert.equal(await billing.countOrders(), 3);
});

test('all who wait get the same token', async () => {
  const { issuer, billing } = createShop();
  const hanging = issuer.fail('token', 'hang');
  const counts = Promise.all([billing.countOrders(), billing.countOrders(), billing.countOrders()]);
  await hanging.hit;
  hanging.end();
  assert.deepEqual(await counts, [3, 3, 3]);
  assert.equal(issuer.requests.token.length, 1);
});
