/** Compiled, never run: issuers, their options, seeds and servers. */
import { createMemoryReplayStore, forwardedClientCertificate, isServiceAuthError } from 'service-auth';
import {
  adminTokenRule,
  createEventLog,
  createIssuer,
  type EventLogOptions,
  type Issuer,
  type IssuerConnection,
  type IssuerOptions,
  type IssuerRequest,
  type IssuerSeed,
  type IssuerServer,
  isAdminToken,
  type LibsqlStorageOptions,
  type LimitOptions,
  type LimitsOptions,
  libsqlStorage,
  memoryStorage,
  type PostgresStorageOptions,
  postgresStorage,
  type RandomBytes,
  type ResourceOptions,
  type RotationOptions,
  type SeededResource,
  type SeededService,
  type SeedOutcome,
  type SeedReport,
  type SeedService,
  type ServeIssuerOptions,
  type ServerTls,
  type SigningAlgorithm,
  type SigningKeyInfo,
  serveIssuer,
  signingAlgorithms,
} from 'service-auth/issuer';
import type { Equal } from './equal.ts';

// Options: a literal needs every one, and may have no other.
const limit: Required<LimitOptions> = { requests: 100, windowSeconds: 60 };
const limits: Required<LimitsOptions> = {
  client: limit,
  address: false,
  store: { takeFromLimit: async ({ amount }) => amount },
};
const resource: Required<ResourceOptions> = {
  resource: 'https://orders.example',
  name: 'Orders',
  scopes: ['orders:read'],
};
const randomBytes: RandomBytes = (length) => crypto.getRandomValues(new Uint8Array(length));
const eventLog: Required<EventLogOptions> = { level: 'info', maxPerSecond: 20, write: (line) => line.trim() };
const algorithms: readonly SigningAlgorithm[] = signingAlgorithms;
const options: Required<IssuerOptions> = {
  issuer: 'https://idp.example',
  storage: memoryStorage(),
  adminToken: 'a token of an admin',
  resources: ['https://stock.example', resource],
  accessTokenSeconds: 900,
  signingAlgorithm: 'EdDSA',
  keyPublishAheadSeconds: 3600,
  keyRotationSeconds: false,
  statusLists: true,
  statusListTtlSeconds: 60,
  dpopNonce: true,
  limits,
  trustProxy: ['10.0.0.0/8'],
  clientCertificate: forwardedClientCertificate({ trustProxy: ['10.0.0.0/8'] }),
  fetch,
  secretKey: new Uint8Array(32),
  now: Date.now,
  randomBytes,
  onEvent: createEventLog(eventLog),
};
const issuer: Issuer = createIssuer(options);
createIssuer({ issuer: 'https://idp.example', limits: false, signingAlgorithm: algorithms[0] });
// @ts-expect-error: an issuer has a name
createIssuer({ storage: memoryStorage() });
// @ts-expect-error: storage that is still being opened
createIssuer({ issuer: 'https://idp.example', storage: libsqlStorage({ directory: 'data' }) });
// @ts-expect-error: an algorithm that no issuer signs with
createIssuer({ issuer: 'https://idp.example', signingAlgorithm: 'HS256' });
// @ts-expect-error: a limit needs its window
createIssuer({ issuer: 'https://idp.example', limits: { client: { requests: 100 } } });
// @ts-expect-error: true does not say which limits
createIssuer({ issuer: 'https://idp.example', limits: true });
// @ts-expect-error: proofs are no limits
createIssuer({ issuer: 'https://idp.example', limits: { store: createMemoryReplayStore() } });
// @ts-expect-error: an unknown option
createIssuer({ issuer: 'https://idp.example', adminTokens: ['a token of an admin'] });
// @ts-expect-error: no such level
createEventLog({ level: 'fatal' });
export const signing: Equal<SigningAlgorithm, 'ES256' | 'EdDSA' | 'RS256'> = true;

export function requireAdminToken(text: string | undefined): string {
  // @ts-expect-error: a token that may be unset
  if (isAdminToken(text)) return text;
  if (text !== undefined && isAdminToken(text)) return text;
  const rule: string = adminTokenRule;
  throw new Error(`ADMIN_TOKEN must be ${rule}`);
}

// Storage
const onDisk: Required<LibsqlStorageOptions> = { directory: 'data' };
const inPostgres: Required<PostgresStorageOptions> = { url: 'postgres://127.0.0.1/idp', maxConnections: 10 };
export async function open(): Promise<Issuer> {
  const storage = await libsqlStorage(onDisk);
  const shared = await postgresStorage(inPostgres);
  return createIssuer({ issuer: 'https://idp.example', storage: storage.durable ? storage : shared });
}
// @ts-expect-error: a directory, not a file
libsqlStorage({ file: 'data.db' });
// @ts-expect-error: a URL that may be unset
postgresStorage({ url: process.env.DATABASE_URL });
// @ts-expect-error: memory needs no options
memoryStorage({ directory: 'data' });

// Requests
const connection: IssuerConnection = { encrypted: true, peerCertificateVerified: true };
const request: IssuerRequest = new Request('https://idp.example/token', { method: 'POST', body: 'a=b' });
export const answer: Promise<Response> = issuer.fetch(request, connection);
export const handler: (request: Request) => Promise<Response> = issuer.fetch;
// @ts-expect-error: an issuer is no client
issuer.fetch('https://idp.example/jwks');
// @ts-expect-error: there may be no body
request.body.getReader();
// @ts-expect-error: whether a certificate was verified is known or not
export const certified: IssuerConnection = { peerCertificateVerified: 'yes' };

// Keys
const rotation: Required<RotationOptions> = { immediately: true };
export async function rotate(): Promise<number> {
  const key = await issuer.rotateKeys(rotation);
  // @ts-expect-error: another instance may have rotated them
  key.kid;
  const { kid, algorithm, activeFrom }: SigningKeyInfo = key ?? { kid: '', algorithm: '', activeFrom: 0 };
  return kid === algorithm ? 0 : activeFrom;
}
// @ts-expect-error: a duration is no option of it
issuer.rotateKeys({ afterSeconds: 60 });

// Seeds
const service: Required<SeedService> = {
  registration: { clientId: 'billing', name: 'Billing', scopes: ['orders:read'] },
  clientSecret: undefined,
};
const seed: Required<IssuerSeed> = { services: [service], resources: [resource] };
// @ts-expect-error: by its client id a seed tells whether it is there
export const anonymous: SeedService = { registration: { name: 'Billing', scopes: [] } };
// @ts-expect-error: a registration stands in its own member
export const flat: SeedService = { clientId: 'billing', name: 'Billing', scopes: [] };

export async function plant(): Promise<readonly unknown[]> {
  const { services, resources }: SeedReport = await issuer.seed(seed);
  const ofServices = services.map(({ clientId, outcome, differences, clientSecret }: SeededService) => {
    // @ts-expect-error: a secret is shown only when it was generated
    clientSecret.length;
    return `${clientId.trim()} ${advise(outcome)} ${differences.join()} ${clientSecret?.length}`;
  });
  const ofResources = resources.map(({ resource, outcome, differences }: SeededResource) => {
    return `${resource.trim()} ${advise(outcome)} ${differences.join()}`;
  });
  return [...ofServices, ...ofResources];
}

/** Every outcome. */
function advise(outcome: SeedOutcome): string {
  switch (outcome) {
    case 'created':
    case 'unchanged':
      return 'nothing to do';
    case 'differs':
      return 'change one of them';
    default:
      return outcome satisfies never;
  }
}

// Servers
const tls: Required<ServerTls> = { cert: 'certificate', key: new Uint8Array(8), ca: undefined };
const serving: Required<ServeIssuerOptions> = { ...options, port: 0, host: '127.0.0.1', tls, drainMs: 1000 };
export async function serve(): Promise<string> {
  const server: IssuerServer = await serveIssuer(serving);
  // @ts-expect-error: where it listens was decided
  server.url = 'https://elsewhere.example';
  await server.issuer.ready();
  await server.close();
  return server.url.concat(server.issuer.issuer);
}
serveIssuer().catch((error: unknown) => isServiceAuthError(error));
// @ts-expect-error: a certificate is of no use without its key
serveIssuer({ tls: { cert: 'certificate' } });
// @ts-expect-error: a port is a number
serveIssuer({ port: '4000' });
// @ts-expect-error: a server listens only later
serveIssuer().url;
