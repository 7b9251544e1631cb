import type {
  AuditEntry,
  IdempotentCreate,
  IssuerStorage,
  RevokedToken,
  StoredResource,
  StoredSecret,
  StoredService,
  StoredSigningKey,
  StoredToken,
} from '../../../../src/issuer/index.ts';
import { serviceRecord } from '../service-records.ts';

/** Gives the storage of the test that runs. */
export type StorageOfTest = () => IssuerStorage;

export const secret = (id: string, members: Partial<StoredSecret> = {}): StoredSecret => ({
  id,
  hash: `hash of ${id}`,
  sealed: undefined,
  hint: 'abcd',
  createdAtMs: 1,
  expiresAtMs: undefined,
  lastUsedAtMs: undefined,
  ...members,
});

export const service = (clientId: string, members: Partial<StoredService> = {}): StoredService =>
  serviceRecord({ clientId, secrets: [secret(`${clientId}-1`)], ...members });

export const audit = (target = 'a', members: Partial<AuditEntry> = {}): AuditEntry => ({
  atMs: 100,
  actor: 'admin',
  action: 'service.created',
  target,
  before: undefined,
  after: { name: 'a service' },
  ...members,
});

export const create = (key: string, members: Partial<IdempotentCreate> = {}): IdempotentCreate => ({
  key,
  fingerprint: 'f',
  salt: 's',
  clientId: 'a',
  secretId: 'a-1',
  expiresAtMs: 1000,
  ...members,
});

export const resource = (name: string, members: Partial<StoredResource> = {}): StoredResource => ({
  resource: name,
  name: undefined,
  scopes: undefined,
  createdAtMs: 1,
  updatedAtMs: 1,
  version: 1,
  ...members,
});

export const signingKey = (kid: string, members: Partial<StoredSigningKey> = {}): StoredSigningKey => ({
  kid,
  algorithm: 'ES256',
  sealedKey: 'sealed',
  createdAtMs: 1,
  activeFromMs: 1,
  tokenSeconds: 900,
  ...members,
});

export const token = (hash: string, members: Partial<StoredToken> = {}): StoredToken => ({
  hash,
  tokenId: `id of ${hash}`,
  clientId: 'a',
  expiresAtMs: 10,
  claims: '{"scope":"read"}',
  ...members,
});

export const revoked = (tokenId: string, members: Partial<RevokedToken> = {}): RevokedToken => ({
  tokenId,
  clientId: 'a',
  expiresAtMs: 10,
  status: undefined,
  ...members,
});

/** Calls a function so many times at once. */
export function inParallel<T>(times: number, call: (turn: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, turn) => call(turn)));
}
