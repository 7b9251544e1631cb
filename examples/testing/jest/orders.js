import { Hono } from 'hono';
import { requireServiceAuth } from 'service-auth/hono';

/** The service under test. Its program makes it without options: from the environment. */
export function createOrders(options = {}) {
  const app = new Hono();
  app.get('/orders', requireServiceAuth({ ...options, scope: 'orders:read' }), (c) =>
    c.json({ for: c.var.caller.clientId }),
  );
  return app;
}
