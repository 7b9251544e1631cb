/** The end of the chain: it serves stock alone, and sees for whom it works and through whom the question came. */
import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { requireServiceAuth } from 'service-auth/hono';

const app = new Hono();
app.get('/shelves', requireServiceAuth({ scope: 'shelves:read', actors: ['stock'] }), (c) => {
  const { subject, actor, scopes, expiresAt } = c.var.caller;
  const secondsLeft = expiresAt - Math.floor(Date.now() / 1000);
  return c.json({ shelf: 'B7', subject, actor, scopes: [...scopes], secondsLeft });
});

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`warehouse on http://127.0.0.1:${port}`);
});
