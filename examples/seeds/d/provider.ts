/** oidc-provider with opaque tokens of users and of machines, and one that does not say how long they live. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { type ClientMetadata, errors, Provider } from 'oidc-provider';
import type { Stage } from '../../kit/stage.ts';

export interface OpenIdProvider {
  readonly issuer: string;
  /** How often it was asked, by path. */
  readonly requests: readonly string[];
  tokenOfUser(): Promise<string>;
  stop(): Promise<void>;
}

export const secrets = { billing: 'the secret of billing', orders: 'the secret of orders' };

export async function startProvider(stage: Stage, resource: string): Promise<OpenIdProvider> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, configuration(resource));
  const requests: string[] = [];
  const handle = provider.callback();
  server.on('request', (request, response) => {
    requests.push(request.url ?? '');
    handle(request, response);
  });
  const stop = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise<unknown>((resolve) => server.close(resolve));
  };
  stage.atEnd(stop);
  return {
    issuer,
    requests,
    stop,
    // What the end of a login gives to the application that the user has come by.
    async tokenOfUser() {
      const client = await provider.Client.find('web');
      if (client === undefined) throw new Error('there is no such client');
      const grant = new provider.Grant({ accountId: 'ada', clientId: 'web' });
      grant.addResourceScope(resource, 'orders:read');
      const token = new provider.AccessToken({
        client,
        accountId: 'ada',
        grantId: await grant.save(),
        gty: 'authorization_code',
        scope: 'orders:read',
        aud: resource,
      });
      return token.save();
    },
  };
}

function configuration(resource: string): ConstructorParameters<typeof Provider>[1] {
  const machine = (client_id: string, client_secret: string): ClientMetadata => ({
    client_id,
    client_secret,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    scope: 'orders:read',
  });
  return {
    clients: [
      machine('billing', secrets.billing),
      machine('orders', secrets.orders),
      { client_id: 'web', client_secret: 'the secret of web', redirect_uris: ['https://web.example/back'] },
    ],
    scopes: ['openid', 'orders:read'],
    ttl: { AccessToken: 600, ClientCredentials: 600, Grant: 600 },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true, allowedPolicy: () => true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_context, asked) {
          if (asked !== resource) throw new errors.InvalidTarget();
          return {
            scope: 'orders:read',
            audience: resource,
            accessTokenTTL: 600,
            accessTokenFormat: 'opaque',
          };
        },
      },
    },
  };
}

/** A provider in front of the other whose answers have no `expires_in`. */
export async function startSilentProvider(stage: Stage, provider: OpenIdProvider): Promise<string> {
  const app = express();
  const { url } = await stage.serve(app);
  app.get('/.well-known/oauth-authorization-server', (_req, res) => {
    res.json({ issuer: url, token_endpoint: `${url}/token`, response_types_supported: [] });
  });
  app.post('/token', express.text({ type: '*/*' }), async (req, res) => {
    const answer = await fetch(`${provider.issuer}/token`, {
      method: 'POST',
      headers: {
        authorization: req.headers.authorization ?? '',
        'content-type': 'application/x-www-form-urlencoded',
      },
      body: req.body,
    });
    const { expires_in: _, ...rest } = (await answer.json()) as Record<string, unknown>;
    res.status(answer.status).json(rest);
  });
  return url;
}
