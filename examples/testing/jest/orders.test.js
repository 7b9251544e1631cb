import { describe, expect, test } from '@jest/globals';
import { createTestIssuer, tokenFaults } from 'service-auth/testing';
import { createOrders } from './orders.js';

const issuer = createTestIssuer();
const orders = createOrders(issuer.verifierOptions());
const url = '/orders';

describe.each([false, true])('tokens (bound to a key: %s)', (dpop) => {
  test('show orders to services that may read them', async () => {
    const headers = await issuer.headers({ clientId: 'billing', scope: 'orders:read', dpop }, { url });
    const response = await orders.request(url, { headers });
    expect([response.status, await response.json()]).toEqual([200, { for: 'billing' }]);
  });

  test.each(Object.entries(tokenFaults))('are refused with the fault %s', async (fault, { status }) => {
    const headers = await issuer.headers({ scope: 'orders:read', dpop, fault }, { url });
    const response = await orders.request(url, { headers });
    expect(response.status).toBe(status);
  });
});
