/** Orders on Express. `SERVICE_AUTH_ISSUER` and `SERVICE_AUTH_AUDIENCE` say whose tokens are accepted, and for whom. */
import type { AddressInfo } from 'node:net';
import express from 'express';
import { createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';

// One for all routes: they share its keys and its cache.
const verifier = createVerifier({
  onEvent(event) {
    // Callers are told nothing of this.
    if (event.type === 'request.rejected') console.warn(event.reason, event.expected, event.actual);
  },
});

const orders: unknown[] = ['tea'];
const app = express();

app.get('/orders', requireServiceAuth({ verifier, scope: 'orders:read' }), (req, res) => {
  res.json({ orders, caller: req.caller?.clientId });
});

app.post(
  '/orders',
  // Before the body is read.
  requireServiceAuth({ verifier, scope: 'orders:write', clients: ['billing'], serviceOnly: true }),
  express.json(),
  (req, res) => {
    orders.push(req.body);
    res.status(201).json({ orders: orders.length });
  },
);

app.get('/health', (_req, res) => {
  res.json(verifier.health());
});

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`orders on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
