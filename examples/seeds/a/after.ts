/** System A calls system B, and B asks C on A's behalf. Issuer, client and audience come from the environment. */
import express, { type Express } from 'express';
import { clientSecretPost, createAuthedFetch, createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';

/** The calling side: SERVICE_AUTH_ISSUER, _CLIENT_ID, _RESOURCE and _TARGETS. */
export function createSystemA(): (url: string) => Promise<Response> {
  return createAuthedFetch({ clientAuth: clientSecretPost(process.env.SERVICE_AUTH_CLIENT_SECRET ?? '') });
}

/** The called side: SERVICE_AUTH_ISSUER and SERVICE_AUTH_AUDIENCE. */
export function createSystemB(systemC: string): Express {
  const authedFetch = createAuthedFetch({
    clientId: 'system-b',
    clientAuth: clientSecretPost(process.env.SYSTEM_B_SECRET ?? ''),
    targets: [{ origin: new URL(systemC).origin, scope: 'read', resource: process.env.API_C }],
  });
  const app = express();
  app.use(requireServiceAuth({ verifier: createVerifier(), scope: 'read', clients: ['system-a'] }));
  app.get('/orders', (_req, res) => void res.json({ orders: ['tea'] }));
  app.get('/stock', async (req, res) => {
    if (req.caller === undefined) return;
    const response = await authedFetch.onBehalfOf(req.caller)(systemC);
    res.status(response.status).json(await response.json());
  });
  return app;
}
