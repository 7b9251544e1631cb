/** An issuer that listens, and services that authenticate to it in every way there is. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type CryptoKey, exportJWK, generateKeyPair, type JWK } from 'jose';
import { tlsFetch } from '../../adapters/tls-fetch.ts';
import type { FetchFunction } from '../../src/index.ts';
import {
  type AdminClient,
  createAdminClient,
  type IssuerServer,
  type NewService,
  type ServeIssuerOptions,
  type ServiceAuthEvent,
  serveIssuer,
} from '../../src/issuer/index.ts';
import { startIssuerStub } from './issuer-stub.ts';
import { type Authority, type Certificate, createAuthority } from './tls.ts';
import { createKey, type TestKey } from './tokens.ts';

export const ADMIN_TOKEN = 'an-admin-token-for-tests';
export const ORDERS = 'https://orders.example';
export const STOCK = 'https://stock.example';
/** Verifiers ask for a status list no more often than this. */
export const STATUS_LIST_SECONDS = 5;

export const ways = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt by jwks',
  'private_key_jwt by jwks_uri',
  'a federated assertion',
  'tls_client_auth',
] as const;
export type Way = (typeof ways)[number];

/** A registered service, with what it authenticates by: of each only what its way needs is of use. */
export interface Party {
  readonly clientId: string;
  readonly way: Way;
  readonly clientSecret: string;
  readonly key: PartyKey;
  /** A token of the cluster that it runs in. */
  assertion(claims?: object): Promise<string>;
  /** In PEM; empty unless the issuer speaks TLS. */
  readonly certificate: string;
  /** Presents the certificate, if the issuer speaks TLS. */
  readonly fetch: FetchFunction;
}

export interface PartyKey {
  readonly privateKey: CryptoKey;
  readonly privateJwk: JWK & { readonly kty: string };
  readonly publicJwk: JWK & { readonly kty: string };
}

export interface IssuerWorld {
  readonly url: string;
  readonly server: IssuerServer;
  readonly admin: AdminClient;
  readonly events: readonly ServiceAuthEvent[];
  /** Of whoever runs servers here; undefined without TLS. */
  readonly tls: { readonly server: Certificate; readonly ca: string } | undefined;
  /** Trusts the servers here, and presents a certificate that is no service's. */
  readonly fetch: FetchFunction;
  /** Presents a certificate for that name, of this authority or of another one. */
  fetchAs(name: string, authority?: Authority): Promise<FetchFunction>;
  /** Registers a service that authenticates in this way; its scopes are `read` and `write`. */
  join(way: Way, registration?: Partial<NewService>): Promise<Party>;
  close(): Promise<void>;
}

export interface WorldOptions extends Omit<ServeIssuerOptions, 'tls'> {
  readonly tls?: boolean;
}

export async function startIssuerWorld({ tls = false, ...options }: WorldOptions = {}): Promise<IssuerWorld> {
  const events: ServiceAuthEvent[] = [];
  const directory = mkdtempSync(join(tmpdir(), 'issuer-world-'));
  const authority = tls ? await createAuthority() : undefined;
  const certificate = await authority?.issue('ip:127.0.0.1');
  const server = await serveIssuer({
    port: 0,
    adminToken: ADMIN_TOKEN,
    statusListTtlSeconds: STATUS_LIST_SECONDS,
    onEvent: (event) => events.push(event),
    ...(authority !== undefined && certificate && { tls: { ...certificate, ca: authority.cert } }),
    ...options,
  });
  const cluster = await createKey('ES256', 'cluster-1');
  const published = new Map<string, object>();
  const remote = await startIssuerStub(({ url = '' }, response) => {
    response.setHeader('content-type', 'application/json');
    const metadata = { issuer: remote.url, jwks_uri: `${remote.url}/cluster` };
    response.end(JSON.stringify(published.get(url) ?? metadata));
  });
  published.set('/cluster', { keys: [cluster.publicJwk] });

  function fetchWith({ key, cert }: Certificate): FetchFunction {
    if (authority === undefined) return fetch;
    const write = (kind: string, text: string): string => {
      const path = join(directory, `${randomUUID()}.${kind}`);
      writeFileSync(path, text);
      return path;
    };
    const caFile = write('ca', authority.cert);
    return tlsFetch({ certFile: write('crt', cert), keyFile: write('key', key), caFile });
  }

  async function fetchAs(name: string, signer = authority): Promise<FetchFunction> {
    return signer === undefined ? fetch : fetchWith(await signer.issue(name));
  }

  const neutral = await fetchAs('nobody.internal');
  const admin = createAdminClient({ issuer: server.url, adminToken: ADMIN_TOKEN, fetch: neutral });

  async function joinIn(way: Way, more: Partial<NewService> = {}): Promise<Party> {
    const clientId = more.clientId ?? `service-${randomUUID()}`;
    const key = await createPartyKey();
    const keys = { keys: [key.publicJwk] };
    published.set(`/${clientId}`, keys);
    const subject = `system:serviceaccount:shop:${clientId}`;
    const host = `${clientId}.internal`;
    const credentials: Record<Way, Partial<NewService>> = {
      client_secret_basic: { authMethods: ['client_secret_basic'] },
      client_secret_post: { authMethods: ['client_secret_post'] },
      client_secret_jwt: { authMethods: ['client_secret_jwt'] },
      'private_key_jwt by jwks': { jwks: keys },
      'private_key_jwt by jwks_uri': { jwksUri: `${remote.url}/${clientId}` },
      'a federated assertion': { federatedIdentities: [{ issuer: remote.url, subject }] },
      tls_client_auth: { tlsClientAuth: { sanDns: host } },
    };
    const { clientSecret = '' } = await admin.services.create({
      clientId,
      name: way,
      scopes: ['read', 'write'],
      resources: [ORDERS, STOCK],
      ...credentials[way],
      ...more,
    });
    const { key: tlsKey, cert } = (await authority?.issue(host)) ?? { key: '', cert: '' };
    return {
      clientId,
      way,
      clientSecret,
      key,
      assertion: (claims) =>
        signAssertion(cluster, { iss: remote.url, sub: subject, aud: server.url, ...claims }),
      certificate: cert,
      fetch: fetchWith({ key: tlsKey, cert }),
    };
  }

  return {
    url: server.url,
    server,
    admin,
    events,
    tls: authority && certificate && { server: certificate, ca: authority.cert },
    fetch: neutral,
    fetchAs,
    join: joinIn,
    async close() {
      await Promise.all([server.close(), remote.close()]);
      rmSync(directory, { recursive: true });
    },
  };
}

export async function createPartyKey(): Promise<PartyKey> {
  const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true });
  const toJwk = async (key: CryptoKey): Promise<PartyKey['publicJwk']> => ({
    ...(await exportJWK(key)),
    kty: 'EC',
    kid: 'service-1',
  });
  return { privateKey, privateJwk: await toJwk(privateKey), publicJwk: await toJwk(publicKey) };
}

/** As a cluster makes them: without `jti`, for an hour. */
function signAssertion(cluster: TestKey, claims: object): Promise<string> {
  const iat = Math.floor(Date.now() / 1000);
  return cluster.sign({}, { iat, exp: iat + 3600, ...claims });
}
