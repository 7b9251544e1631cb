/** The same client and the same service with service-auth. */
import { Hono } from 'hono';
import { createAuthedFetch, createVerifier, isServiceAuthError } from 'service-auth';
import { requireServiceAuth } from 'service-auth/hono';
import type { Client, ClientOptions } from './before.ts';

export function createClient({ origins, ...options }: ClientOptions): Client {
  const authedFetch = createAuthedFetch({
    ...options,
    dpop: { algorithm: 'EdDSA' },
    targets: origins,
  });
  const { tokens } = authedFetch;

  return {
    call: (url) => authedFetch(url),
    async headers(url) {
      const { accessToken, tokenType } = await tokens.getToken();
      const dpop = await tokens.dpopProof({ method: 'GET', url, accessToken });
      return { authorization: `${tokenType} ${accessToken}`, dpop };
    },
    failure: (scopes) =>
      tokens
        .getToken({ scope: scopes })
        .then(String, (error: unknown) =>
          isServiceAuthError(error) && error.oauthError !== undefined
            ? `${error.status} ${error.oauthError}`
            : 'the connection',
        ),
  };
}

export function createService(issuer: string, audience: string): Hono {
  const verifier = createVerifier({ issuer, audience, dpop: 'required' });
  const app = new Hono();
  app.get('/orders', requireServiceAuth({ verifier, scope: 'orders:read' }), (c) =>
    c.json({ orders: ['tea'], caller: c.var.caller.clientId }),
  );
  return app;
}
