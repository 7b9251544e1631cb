import express, { type Express } from 'express';
import { createVerifier, type VerifierOptions } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';

/** The service under test. Its program makes it without options: from the environment. */
export function createOrders(options: VerifierOptions = {}): Express {
  const verifier = createVerifier(options);
  const app = express();
  app.get('/orders', requireServiceAuth({ verifier, scope: 'orders:read' }), (req, res) => {
    res.json({ for: req.caller?.clientId });
  });
  app.delete(
    '/orders',
    requireServiceAuth({ verifier, scope: 'orders:write', clients: ['billing'] }),
    (_req, res) => {
      res.sendStatus(204);
    },
  );
  return app;
}
