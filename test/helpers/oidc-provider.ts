/** The oidc-provider package as a real issuer of opaque and JWT access tokens, over a real socket. */
import { randomBytes, X509Certificate } from 'node:crypto';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { TLSSocket } from 'node:tls';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { type ClientMetadata, errors, Provider } from 'oidc-provider';

export interface OidcProvider {
  readonly issuer: string;
  /** Every request that came in, as `METHOD /path`. */
  readonly requests: readonly string[];
  /** The private keys of `ordersByKey`, one for each of its algorithms. */
  readonly clientKeys: readonly JWK[];
  close(): Promise<void>;
}

export interface ProviderClient {
  readonly id: string;
  readonly secret: string;
}

export const billing: ProviderClient = { id: 'billing', secret: 'the secret of billing, with / and + and %' };
/** The resource server's own client, which may introspect. */
export const orders: ProviderClient = { id: 'orders', secret: 'the secret of orders' };

/** The resource server as clients that authenticate in the body and by assertions. */
export const ordersByPost: ProviderClient = { id: 'orders-post', secret: 'of orders, with : and + and %' };
export const ordersByKey = 'orders-key';
export const clientKeyAlgorithms = ['ES256', 'EdDSA', 'RS256', 'PS256'] as const;

export const opaqueResource = 'https://opaque.orders.example';
export const jwtResource = 'https://orders.example';

export interface OidcProviderOptions {
  readonly dpopNonces?: boolean;
  readonly signedIntrospection?: boolean;
  /** Further clients, with the scope of all others. */
  readonly clients?: readonly ClientMetadata[];
  /** Speaks TLS, and asks clients for certificates, which `ca` signs or nobody. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca: string };
}

export async function startOidcProvider(options: OidcProviderOptions = {}): Promise<OidcProvider> {
  const requests: string[] = [];
  const { tls } = options;
  const server =
    tls === undefined
      ? createServer()
      : createTlsServer({ ...tls, requestCert: true, rejectUnauthorized: false });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const clientKeys = await Promise.all(clientKeyAlgorithms.map((alg) => privateJwk(alg, `client-${alg}`)));
  const settings = await configuration(options, clientKeys);
  const provider = new Provider(issuer, settings);
  const handle = provider.callback();
  server.on('request', (request, response) => {
    requests.push(`${request.method} ${request.url}`);
    handle(request, response);
  });
  return { issuer, requests, clientKeys, close: () => closeServer(server) };
}

async function configuration(
  { dpopNonces = false, signedIntrospection = true, clients: further = [], tls }: OidcProviderOptions,
  clientKeys: readonly JWK[],
): Promise<ConstructorParameters<typeof Provider>[1]> {
  const clients: ClientMetadata[] = [
    ...further,
    ...[billing, orders].map(({ id, secret }) => ({ client_id: id, client_secret: secret })),
    {
      client_id: ordersByPost.id,
      client_secret: ordersByPost.secret,
      token_endpoint_auth_method: 'client_secret_post' as const,
    },
    {
      client_id: ordersByKey,
      token_endpoint_auth_method: 'private_key_jwt' as const,
      jwks: { keys: clientKeys.map(publicJwk) },
    },
  ];
  return {
    clients: clients.map((client) => ({
      ...client,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      scope: 'orders:read',
    })),
    clientDefaults: {
      id_token_signed_response_alg: 'ES256',
      ...(signedIntrospection && { introspection_signed_response_alg: 'ES256' }),
    },
    scopes: ['orders:read'],
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'client_secret_jwt',
      'private_key_jwt',
      ...(tls === undefined ? [] : (['tls_client_auth', 'self_signed_tls_client_auth'] as const)),
    ],
    enabledJWA: {
      clientAuthSigningAlgValues: ['HS256', 'HS512', 'RS256', 'PS256', 'ES256', 'EdDSA'],
    },
    jwks: { keys: [await privateJwk('ES256', 'signing-1')] },
    cookies: { keys: [randomBytes(32).toString('hex')] },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      jwtIntrospection: { enabled: signedIntrospection },
      revocation: { enabled: true },
      mTLS: {
        enabled: tls !== undefined,
        certificateBoundAccessTokens: true,
        tlsClientAuth: true,
        selfSignedTlsClientAuth: true,
        getCertificate: ({ req }) => certificateOf(req)?.toString(),
        certificateAuthorized: ({ req }) => req.socket instanceof TLSSocket && req.socket.authorized,
        certificateSubjectMatches: ({ req }, property, expected) =>
          property === 'tls_client_auth_san_dns' && certificateOf(req)?.subjectAltName === `DNS:${expected}`,
      },
      dPoP: { enabled: true, ...(dpopNonces && { nonceSecret: randomBytes(32), requireNonce: () => true }) },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo(_context, resource) {
          if (resource !== jwtResource && resource !== opaqueResource) throw new errors.InvalidTarget();
          return {
            scope: 'orders:read',
            audience: resource,
            accessTokenTTL: 600,
            accessTokenFormat: resource === jwtResource ? 'jwt' : 'opaque',
            ...(resource === jwtResource && { jwt: { sign: { alg: 'ES256' } } }),
          };
        },
      },
    },
  };
}

function certificateOf({ socket }: IncomingMessage): X509Certificate | undefined {
  const raw = socket instanceof TLSSocket ? socket.getPeerCertificate().raw : undefined;
  return raw && new X509Certificate(raw);
}

export async function privateJwk(alg: string, kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair(alg, { extractable: true });
  return { ...(await exportJWK(privateKey)), kid, use: 'sig', alg };
}

export function publicJwk({ d, p, q, dp, dq, qi, ...rest }: JWK): JWK {
  return rest;
}

async function closeServer(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
