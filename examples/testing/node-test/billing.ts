import { type AuthedFetchOptions, createAuthedFetch } from 'service-auth';

const ORDERS = 'https://orders.internal';

/** The service under test. Its program makes it with issuer and credentials of its own. */
export function createBilling(options: AuthedFetchOptions = {}) {
  const authedFetch = createAuthedFetch({
    ...options,
    targets: [{ origin: ORDERS, scope: 'orders:read', resource: 'https://orders.example' }],
  });
  return {
    async countOrders(): Promise<number> {
      const response = await authedFetch(`${ORDERS}/orders`);
      if (!response.ok) throw new Error(`orders answered ${response.status}`);
      const orders: readonly unknown[] = await response.json();
      return orders.length;
    },
  };
}
