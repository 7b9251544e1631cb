/** The resource server with service-auth: answers are kept for a short while, and forgotten when it is told. */
import express, { type Express } from 'express';
import { clientSecretPost, createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import type { ResourceServerOptions } from './before.ts';

export function createResourceServer(options: ResourceServerOptions): Express {
  const { issuer, audience, clientId, clientSecret } = options;
  const verifier = createVerifier({
    issuer: {
      issuer,
      introspection: {
        tokens: 'all',
        clientId,
        clientAuth: clientSecretPost(clientSecret),
        cacheSeconds: 30,
        timeoutMs: 2000,
      },
    },
    audience,
  });

  const app = express();
  app.get('/orders', requireServiceAuth({ verifier, scope: 'read' }), (req, res) => {
    res.json({ orders: ['tea'], caller: req.caller?.clientId });
  });
  // Whoever revokes tells the resource servers: here, a service of the operators, known by a token as well.
  app.post(
    '/revocations',
    requireServiceAuth({ verifier, scope: 'revocations:write' }),
    express.json(),
    (req, res) => {
      verifier.invalidate(String(req.body.token));
      res.sendStatus(204);
    },
  );
  return app;
}
