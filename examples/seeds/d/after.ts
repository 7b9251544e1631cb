/** The same resource server and client with service-auth; endpoints come from the provider's metadata. */
import express, { type Express } from 'express';
import { createAuthedFetch, createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import type { Credentials } from './before.ts';

export function createResourceServer(credentials: Credentials, audience: string): Express {
  const { issuer, clientId, clientSecret } = credentials;
  const verifier = createVerifier({
    issuer: { issuer, introspection: { clientId, clientSecret, cacheSeconds: 30 } },
    audience,
  });
  const app = express();
  app.get('/orders', requireServiceAuth({ verifier, scope: 'orders:read' }), (req, res) => {
    res.json({ kind: req.caller?.kind, caller: req.caller?.clientId });
  });
  app.get(
    '/services-only',
    requireServiceAuth({ verifier, scope: 'orders:read', serviceOnly: true }),
    (req, res) => {
      res.json({ kind: req.caller?.kind, caller: req.caller?.clientId });
    },
  );
  return app;
}

export function createCaller(
  credentials: Credentials,
  resource: string,
  origin: string,
): (url: string) => Promise<Response> {
  return createAuthedFetch({
    ...credentials,
    scope: 'orders:read',
    resource,
    defaultLifetimeSeconds: 300,
    targets: [origin],
  });
}
