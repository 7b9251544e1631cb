/** Compiled, never run: storage of a program's own, and everything that it keeps. */
import {
  type AuditEntry,
  type AuthMethod,
  authMethods,
  createIssuer,
  type FederatedIdentity,
  type IdempotentCreate,
  type IssuerStorage,
  type KeySetDocument,
  memoryStorage,
  type Registration,
  type RevokedToken,
  type StatusBlock,
  type StatusListState,
  type StatusPlace,
  type StoredAuditEntry,
  type StoredResource,
  type StoredSecret,
  type StoredService,
  type StoredSigningKey,
  type StoredToken,
  statusListSize,
  type TlsClientName,
} from 'service-auth/issuer';
import type { Equal } from './equal.ts';

const clientId = 'billing';
const methods: readonly AuthMethod[] = authMethods;

// What is kept: a literal needs every member, and may have no other.
const secret: StoredSecret = {
  id: 'id',
  hash: 'hash',
  sealed: undefined,
  hint: 'abcd',
  createdAtMs: 0,
  expiresAtMs: undefined,
  lastUsedAtMs: undefined,
};
const jwks: KeySetDocument = { keys: [{ kty: 'EC', crv: 'P-256' }] };
const identity: Required<FederatedIdentity> = {
  issuer: 'https://cluster.example',
  subject: 'system:serviceaccount:a:b',
  audience: 'https://idp.example',
  jwksUri: undefined,
  jwks,
};
const names: readonly TlsClientName[] = [
  { subjectDn: 'CN=billing' },
  { sanDns: 'billing.internal' },
  { sanUri: 'spiffe://example/billing' },
  { sanIp: '10.0.0.1' },
  { sanEmail: 'billing@example.com' },
];
export const nameMembers: Equal<
  keyof TlsClientName,
  'subjectDn' | 'sanDns' | 'sanUri' | 'sanIp' | 'sanEmail'
> = true;
const registration: Registration = {
  name: 'Billing',
  description: undefined,
  scopes: ['orders:read'],
  resources: [],
  serves: [],
  authMethods: methods,
  tokenFormat: 'jwt',
  accessTokenSeconds: undefined,
  dpopBound: false,
  certificateBound: false,
  jwks: undefined,
  jwksUri: undefined,
  tlsClientAuth: names[0],
  federatedIdentities: [identity],
};
const service: StoredService = {
  ...registration,
  ...{ clientId, secrets: [secret], createdAtMs: 0, updatedAtMs: 0, revokedAtMs: undefined, version: 1 },
};
const resource: StoredResource = {
  resource: 'https://orders.example',
  name: undefined,
  scopes: undefined,
  createdAtMs: 0,
  updatedAtMs: 0,
  version: 1,
};
const signingKey: StoredSigningKey = {
  kid: 'kid',
  algorithm: 'ES256',
  sealedKey: 'sealed',
  createdAtMs: 0,
  activeFromMs: 0,
  tokenSeconds: 900,
};
const token: StoredToken = { hash: 'hash', tokenId: 'id', clientId, expiresAtMs: 0, claims: '{}' };
const place: StatusPlace = { listId: 'one', index: statusListSize - 1 };
const revoked: RevokedToken = { tokenId: 'id', clientId, expiresAtMs: 0, status: place };
const audit: AuditEntry = {
  atMs: 0,
  actor: 'admin',
  action: 'service.created',
  target: clientId,
  before: undefined,
  after: {},
};
const request: IdempotentCreate = {
  key: 'key',
  fingerprint: 'fingerprint',
  salt: 'salt',
  clientId,
  secretId: undefined,
  expiresAtMs: 0,
};
export const list: StatusListState = { revision: 1, size: statusListSize, revoked: [[0, 1]] };
// @ts-expect-error: places in a row have a start and a count
export const placeless: StatusListState = { revision: 1, size: statusListSize, revoked: [0] };
// @ts-expect-error: a method that the registry of RFC 8414 has, and this issuer has not
export const method: AuthMethod = 'self_signed_tls_client_auth';
// @ts-expect-error: what has no value yet is said to have none
export const incomplete: RevokedToken = { tokenId: 'id', clientId, expiresAtMs: 0 };
// @ts-expect-error: an identity needs its subject
export const everybody: FederatedIdentity = { issuer: 'https://cluster.example' };

const storage: IssuerStorage = memoryStorage();

/** What an issuer asks storage for. */
export async function use(): Promise<readonly unknown[]> {
  const created: 'created' | 'taken' | 'full' | 'repeated' = await storage.createService(
    service,
    audit,
    request,
  );
  const found = await storage.findService(clientId);
  // @ts-expect-error: there may be no such service
  found.version;
  const addition = { clientId, secret, expireOthersAtMs: undefined, most: 5 };
  const added: typeof created = await storage.addSecret(addition, audit);
  const written: readonly boolean[] = [
    await storage.updateService(service, audit),
    await storage.revokeService(clientId, 0, audit),
    await storage.removeSecret(clientId, 'id', audit),
    await storage.createResource(resource, audit),
    await storage.addSigningKey(signingKey, undefined, audit),
    await storage.isTokenRevoked('id'),
    await storage.useOnce('assertion', 0),
  ];
  await storage.saveToken(token);
  await storage.revokeToken(revoked);
  await storage.touchSecrets(new Map([['id', 0]]));
  // @ts-expect-error: times by the id of the secret
  await storage.touchSecrets({ id: 0 });
  // @ts-expect-error: an act is never written without its audit entry
  await storage.createService(service);
  const { listId, start, count }: StatusBlock = await storage.reserveStatuses({
    clientId,
    count: 8,
    expiresAtMs: 0,
  });
  const state: StatusListState | undefined = await storage.statusList(listId, 0);
  const entries: readonly StoredAuditEntry[] = await storage.listAudit({ limit: 50 });
  // @ts-expect-error: a page has an end
  await storage.listServices({ after: clientId });
  const left: number = await storage.takeFromLimit({ key: 'a', amount: 1, limit: 10, windowEndsAtMs: 0 });
  const numbers: readonly number[] = [left, start, count, ...entries.map(({ sequence }) => sequence)];
  return [created, added, written, state?.revoked.map(([from, many]) => from + many), numbers];
}
// @ts-expect-error: whether it outlives the process is a fact of its own
export const partial: IssuerStorage = { ...storage, durable: undefined };
createIssuer({ issuer: 'https://idp.example', storage: { ...storage, durable: true } });
