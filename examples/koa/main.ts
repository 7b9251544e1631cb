/** Orders on Koa. `SERVICE_AUTH_ISSUER` and `SERVICE_AUTH_AUDIENCE` say whose tokens are accepted, and for whom. */
import type { AddressInfo } from 'node:net';
import Koa from 'koa';
import { createVerifier } from 'service-auth';
import { requireServiceAuth, type ServiceAuthState } from 'service-auth/koa';

// One for all routes: they share its keys and its cache.
const verifier = createVerifier({
  onEvent(event) {
    // Callers are told nothing of this.
    if (event.type === 'request.rejected') console.warn(event.reason, event.expected, event.actual);
  },
});

const mayRead = requireServiceAuth({ verifier, scope: 'orders:read' });
const mayWrite = requireServiceAuth({
  verifier,
  scope: 'orders:write',
  clients: ['billing'],
  serviceOnly: true,
});

let orders = 1;
const app = new Koa<ServiceAuthState>();

app.use(async (ctx, next) => {
  if (ctx.path === '/health') ctx.body = verifier.health();
  else if (ctx.path !== '/orders') ctx.status = 404;
  else if (ctx.method === 'POST') await mayWrite(ctx, next);
  else await mayRead(ctx, next);
});

app.use((ctx) => {
  if (ctx.method === 'POST') {
    ctx.status = 201;
    orders++;
  }
  ctx.body = { orders, caller: ctx.state.caller?.clientId };
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`orders on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
