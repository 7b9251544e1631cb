import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { requireServiceAuth } from 'service-auth/hono';
import { listening, policies } from '../service.ts';

const app = new Hono();
app.get('/orders', requireServiceAuth(policies.read), (c) =>
  c.json({ framework: 'hono', client: c.var.caller.clientId }),
);
app.post('/orders', requireServiceAuth(policies.write), (c) => c.json({ framework: 'hono' }));

serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }, listening);
