/** Orders on Hono. `SERVICE_AUTH_ISSUER` and `SERVICE_AUTH_AUDIENCE` say whose tokens are accepted, and for whom. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/hono';

// One for all routes: they share its keys and its cache.
const verifier = createVerifier({
  onEvent(event) {
    // Callers are told nothing of this.
    if (event.type === 'request.rejected') console.warn(event.reason, event.expected, event.actual);
  },
});

const orders: unknown[] = ['tea'];
const app = new Hono();

app.get('/orders', requireServiceAuth({ verifier, scope: 'orders:read' }), (c) =>
  c.json({ orders, caller: c.var.caller.clientId }),
);

app.post(
  '/orders',
  requireServiceAuth({ verifier, scope: 'orders:write', clients: ['billing'], serviceOnly: true }),
  async (c) => {
    orders.push(await c.req.json());
    return c.json({ orders: orders.length }, 201);
  },
);

app.get('/health', (c) => c.json(verifier.health()));

// On Bun, Deno and Workers this is `export default app`.
serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`orders on http://127.0.0.1:${port}`);
});
