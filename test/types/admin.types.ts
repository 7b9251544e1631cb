/** Compiled, never run: the admin API of issuers, what is given to it and what it answers. */
import { authedFetch, isServiceAuthError } from 'service-auth';
import {
  type AdminClient,
  type AdminClientOptions,
  type AuditList,
  type AuditOptions,
  type AuditRecord,
  type CreatedService,
  type CreateOptions,
  createAdminClient,
  type KeyList,
  type NewResource,
  type NewSecret,
  type NewService,
  type PageOptions,
  type PublishedKey,
  type Resource,
  type ResourceList,
  type ResourcePatch,
  type SecretOptions,
  type Service,
  type ServiceList,
  type ServicePatch,
  type ServiceSecret,
  type UpdateOptions,
} from 'service-auth/issuer';
import type { Equal } from './equal.ts';

// A literal needs every option, and may have no other.
const options: Required<AdminClientOptions> = {
  issuer: 'https://idp.example',
  adminToken: async () => 'a token of an admin',
  fetch: authedFetch,
  timeoutMs: 10_000,
};
const admin: AdminClient = createAdminClient(options);
createAdminClient({ issuer: 'https://idp.example', adminToken: process.env.ADMIN_TOKEN });
// @ts-expect-error: the issuer must be said
createAdminClient({ adminToken: 'a token of an admin' });
// @ts-expect-error: a misspelt option
createAdminClient({ issuer: 'https://idp.example', token: 'a token of an admin' });

// Services
const input: Required<NewService> = {
  clientId: 'billing',
  name: 'Billing',
  description: undefined,
  scopes: ['orders:read'],
  resources: ['https://orders.example'],
  serves: ['https://billing.example'],
  authMethods: ['private_key_jwt', 'tls_client_auth'],
  tokenFormat: 'opaque',
  accessTokenSeconds: 600,
  dpopBound: true,
  certificateBound: false,
  jwks: { keys: [{ kty: 'OKP' }] },
  jwksUri: undefined,
  tlsClientAuth: { sanDns: 'billing.internal' },
  federatedIdentities: [{ issuer: 'https://cluster.example', subject: 'system:serviceaccount:a:b' }],
};
const create: Required<CreateOptions> = { idempotencyKey: 'once' };
const update: Required<UpdateOptions> = { ifVersion: 1 };
const page: Required<PageOptions> = { after: 'billing', limit: 50 };
// @ts-expect-error: a service has a name
admin.services.create({ scopes: [] });
// @ts-expect-error: scopes are a list
admin.services.create({ name: 'Billing', scopes: 'orders:read' });
// @ts-expect-error: no such method
admin.services.create({ name: 'Billing', scopes: [], authMethods: ['none'] });
// @ts-expect-error: no such format
admin.services.create({ name: 'Billing', scopes: [], tokenFormat: 'reference' });
// @ts-expect-error: pages are asked by client id
admin.services.list({ after: 50 });

export async function createService(): Promise<string> {
  const created: CreatedService = await admin.services.create(input, create);
  // @ts-expect-error: a service with keys of its own has no secret
  created.clientSecret.length;
  return created.clientSecret ?? created.clientId;
}

const patch: ServicePatch = { description: null, scopes: ['orders:read'], dpopBound: undefined };
export const patched: Promise<Service> = admin.services.update('billing', patch, update);
export const members: Equal<keyof ServicePatch, Exclude<keyof NewService, 'clientId'>> = true;
// @ts-expect-error: a client id stays what it is
admin.services.update('billing', { clientId: 'other' });
// @ts-expect-error: the version is an option, no member
admin.services.update('billing', { ifVersion: 1 });

export const service: Required<Service> = {
  clientId: 'billing',
  name: 'Billing',
  description: undefined,
  scopes: ['orders:read'],
  resources: [],
  serves: [],
  authMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'],
  tokenFormat: 'jwt',
  accessTokenSeconds: undefined,
  dpopBound: false,
  certificateBound: false,
  jwks: undefined,
  jwksUri: undefined,
  tlsClientAuth: undefined,
  federatedIdentities: [],
  secrets: [{ id: 'id', hint: 'abcd', createdAt: '' }],
  createdAt: '',
  updatedAt: '',
  revokedAt: undefined,
  version: 1,
};
export async function listServices(): Promise<readonly string[]> {
  const { services, next }: ServiceList = await admin.services.list(page);
  // @ts-expect-error: the last page has no next one
  next.length;
  const names = services.map(({ name, scopes, resources, serves }) => [
    name,
    ...scopes,
    ...resources,
    ...serves,
  ]);
  for await (const { version, revokedAt } of admin.services.all()) {
    // @ts-expect-error: most services are not revoked
    revokedAt.length;
    names.push([version.toFixed()]);
  }
  // @ts-expect-error: pages come one after another
  for (const each of admin.services.all()) names.push([each.name]);
  return [...names.flat(), next ?? ''];
}
export function change(one: Service): void {
  // @ts-expect-error: an answer cannot be changed
  one.name = 'Other';
  // @ts-expect-error: nor its scopes
  one.scopes.push('admin');
}

// Secrets
const secretOptions: Required<SecretOptions> = { expiresInSeconds: 3600, expireOthersInSeconds: 60 };
export async function renewSecret(): Promise<string> {
  const { clientSecret, id }: NewSecret = await admin.secrets.create('billing', secretOptions, create);
  await admin.secrets.remove('billing', id);
  return clientSecret;
}
export const secret: Required<ServiceSecret> = {
  id: 'id',
  hint: 'abcd',
  createdAt: '',
  expiresAt: undefined,
  lastUsedAt: undefined,
};
// @ts-expect-error: a secret is shown once
secret.clientSecret;
// @ts-expect-error: durations carry their unit
admin.secrets.create('billing', { expiresIn: 3600 });
// @ts-expect-error: which secret must be said
admin.secrets.remove('billing');

// Resources
const newResource: Required<NewResource> = {
  resource: 'https://orders.example',
  name: undefined,
  scopes: undefined,
};
const resourcePatch: Required<ResourcePatch> = { name: null, scopes: ['orders:read'] };
export async function manageResources(): Promise<readonly string[]> {
  const { resource, version }: Resource = await admin.resources.create(newResource);
  await admin.resources.update(resource, resourcePatch, { ifVersion: version });
  const { resources }: ResourceList = await admin.resources.list();
  // @ts-expect-error: a resource may leave scopes to its services
  for (const each of resources) each.scopes.length;
  return resources.map(({ createdAt, updatedAt }) => createdAt + updatedAt);
}
// @ts-expect-error: its name is a URI, which stays
admin.resources.update('https://orders.example', { resource: 'https://other.example' });

// Keys
export const key: Required<PublishedKey> = {
  kid: 'kid',
  algorithm: 'ES256',
  state: 'upcoming',
  createdAt: '',
  activeFrom: '',
  retiresAt: undefined,
};
export async function countKeys(): Promise<number> {
  const { keys }: KeyList = await admin.keys.list();
  const { state } = await admin.keys.rotate({ immediately: true });
  return keys.filter((each) => each.state === state).length;
}

/** Every state of a key. */
export function isTrusted({ state }: PublishedKey): boolean {
  switch (state) {
    case 'upcoming':
    case 'active':
    case 'retiring':
      return true;
    default:
      return state satisfies never;
  }
}

// Audit
const auditOptions: Required<AuditOptions> = { before: 10, limit: 50, target: 'billing' };
export const record: Required<AuditRecord> = {
  sequence: 1,
  at: '',
  actor: 'admin',
  action: 'service.created',
  target: 'billing',
  before: undefined,
  after: {},
};
export async function readAudit(): Promise<number | undefined> {
  const { entries, next }: AuditList = await admin.audit.list(auditOptions);
  // @ts-expect-error: what was changed depends on the action
  for (const { after } of entries) after.name;
  return next ?? entries.at(-1)?.sequence;
}
// @ts-expect-error: pages of the audit are asked by number
admin.audit.list({ before: 'yesterday' });

admin.services.revoke('billing').catch((error: unknown) => {
  if (isServiceAuthError(error) && error.code === 'admin_refused') return error.problem?.detail;
  throw error;
});
