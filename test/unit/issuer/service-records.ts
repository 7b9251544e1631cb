/** Services put straight into the storage, as complete as the storage keeps them. */
import { randomBytes } from 'node:crypto';
import { createSecrets, type SealOptions } from '../../../src/issuer/clients/secrets.ts';
import type { IssuerStorage, StoredService } from '../../../src/issuer/index.ts';
import { BILLING, ORDERS, START_MS } from './harness.ts';

/** What the issuer must be given for secrets that are sealed here. */
export const SECRET_KEY = 'a secret key of the issuer, for tests';

export const secrets = createSecrets(new TextEncoder().encode(SECRET_KEY), randomBytes);

export function serviceRecord(changes: Partial<StoredService> = {}): StoredService {
  return {
    clientId: 'billing',
    name: 'a service',
    description: undefined,
    scopes: ['read', 'write'],
    resources: [ORDERS],
    serves: [BILLING],
    authMethods: ['client_secret_basic', 'client_secret_post'],
    tokenFormat: 'jwt',
    accessTokenSeconds: undefined,
    dpopBound: false,
    certificateBound: false,
    jwks: undefined,
    jwksUri: undefined,
    tlsClientAuth: undefined,
    federatedIdentities: [],
    secrets: [],
    createdAtMs: START_MS,
    updatedAtMs: START_MS,
    revokedAtMs: undefined,
    version: 1,
    ...changes,
  };
}

/** Stores a service and gives its client id. */
export async function addService(
  storage: IssuerStorage,
  changes: Partial<StoredService> = {},
): Promise<string> {
  const service = serviceRecord(changes);
  const { clientId } = service;
  const audit = { atMs: START_MS, actor: 'admin', action: 'service.created', target: clientId };
  const result = await storage.createService(service, { ...audit, before: undefined, after: undefined });
  if (result !== 'created') throw new Error(`${clientId} is ${result}`);
  return clientId;
}

/** Stores a service with one secret, and gives the secret. */
export async function addSecretService(
  storage: IssuerStorage,
  changes: Partial<StoredService> = {},
  options: Partial<SealOptions> = {},
): Promise<string> {
  const { clientId = 'billing' } = changes;
  const secret = secrets.generate();
  const sealed = secrets.seal(clientId, secret, { nowMs: START_MS, ...options });
  await addService(storage, { ...changes, secrets: [sealed] });
  return secret;
}
