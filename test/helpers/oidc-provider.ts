/** The oidc-provider package as a real issuer of opaque and JWT access tokens, over a real socket. */
import { randomBytes } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { Provider } from 'oidc-provider';

export interface OidcProvider {
  readonly issuer: string;
  /** Every request that came in, as `METHOD /path`. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface ProviderClient {
  readonly id: string;
  readonly secret: string;
}

export const billing: ProviderClient = { id: 'billing', secret: 'the secret of billing, with / and + and %' };
/** The resource server's own client, which may introspect. */
export const orders: ProviderClient = { id: 'orders', secret: 'the secret of orders' };

export const opaqueResource = 'https://opaque.orders.example';
export const jwtResource = 'https://orders.example';

export async function startOidcProvider(
  options: { readonly dpopNonces?: boolean } = {},
): Promise<OidcProvider> {
  const requests: string[] = [];
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, await configuration(options.dpopNonces ?? false));
  const handle = provider.callback();
  server.on('request', (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handle(request, response);
  });
  return { issuer, requests, close: () => closeServer(server) };
}

async function configuration(dpopNonces: boolean): Promise<ConstructorParameters<typeof Provider>[1]> {
  return {
    clients: [billing, orders].map(({ id, secret }) => ({
      client_id: id,
      client_secret: secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'orders:read',
    })),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    scopes: ['orders:read'],
    jwks: { keys: [await privateJwk()] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      dPoP: { enabled: true, ...(dpopNonces && { nonceSecret: randomBytes(32), requireNonce: () => true }) },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_context, resource) => ({
          scope: 'orders:read',
          audience: resource,
          accessTokenTTL: 600,
          accessTokenFormat: resource === jwtResource ? 'jwt' : 'opaque',
          ...(resource === jwtResource && { jwt: { sign: { alg: 'ES256' } } }),
        }),
      },
    },
  };
}

async function privateJwk(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: 'signing-1', use: 'sig', alg: 'ES256' };
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
