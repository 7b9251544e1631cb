/** The middle of the chain: it serves orders alone, and asks the warehouse for the same caller. */
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { createAuthedFetch } from 'service-auth';
import { requireServiceAuth, type ServiceAuthState } from 'service-auth/koa';

const warehouse = process.env.WAREHOUSE_URL ?? '';
const authedFetch = createAuthedFetch({
  targets: [{ origin: warehouse, scope: 'shelves:read', resource: 'https://warehouse.example' }],
});

const app = new Koa<ServiceAuthState>();
app.use(requireServiceAuth({ scope: 'stock:read', actors: ['orders'] }));
app.use(async (ctx) => {
  const { caller } = ctx.state;
  if (caller === undefined) return;
  const response = await authedFetch.onBehalfOf(caller)(`${warehouse}/shelves`);
  ctx.status = response.status;
  ctx.body = { count: 12, shelf: await response.json() };
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`stock on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
