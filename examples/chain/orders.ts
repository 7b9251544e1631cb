/** The first of the chain: whoever calls it gets its orders with what the next service says, asked for that caller. */
import type { AddressInfo } from 'node:net';
import express, { type ErrorRequestHandler } from 'express';
import { createAuthedFetch, isServiceAuthError } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';

const stock = process.env.STOCK_URL ?? '';
// Issuer, client id and secret come from the environment.
const authedFetch = createAuthedFetch({
  // An exchanged token carries what was asked for and nothing else: so what stock needs to go on, too.
  targets: [{ origin: stock, scope: 'stock:read shelves:read', resource: 'https://stock.example' }],
});

const app = express();
app.get('/orders', requireServiceAuth({ scope: 'orders:read' }), async (req, res) => {
  if (req.caller === undefined) return;
  // The caller's token is exchanged for one that says whom it is for, and that orders asks.
  const response = await authedFetch.onBehalfOf(req.caller)(`${stock}/stock`);
  res.status(response.status).json({ item: 'tea', stock: await response.json() });
});

// The caller has done nothing wrong.
const noToken: ErrorRequestHandler = (error, _req, res, next) => {
  if (isServiceAuthError(error)) res.status(502).json({ error: error.code });
  else next(error);
};
app.use(noToken);

const server = app.listen(Number(process.env.PORT ?? 3000), '127.0.0.1', () => {
  console.log(`orders on http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
