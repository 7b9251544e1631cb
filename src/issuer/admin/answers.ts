/** The answers of the admin API as schemas: what its document says of them, and what its client takes. */
import * as z from 'zod';
import { authMethods } from '../storage/records.ts';
import type {
  AuditList,
  AuditRecord,
  CreatedService,
  KeyList,
  NewSecret,
  PublishedKey,
  Resource,
  ResourceList,
  Service,
  ServiceList,
  ServiceSecret,
} from './admin-types.ts';

/** An answer without a body. */
export const nothing = z.void();

const time = z.iso.datetime();
const texts = z.array(z.string());

const jwk = z.object({
  kty: z.string(),
  kid: z.string().exactOptional(),
  alg: z.string().exactOptional(),
  use: z.string().exactOptional(),
  key_ops: texts.exactOptional(),
  crv: z.string().exactOptional(),
  x: z.string().exactOptional(),
  y: z.string().exactOptional(),
  n: z.string().exactOptional(),
  e: z.string().exactOptional(),
});
const keySet = z.object({ keys: z.array(jwk) });

const tlsClientName = z.object({
  subjectDn: z.string().optional(),
  sanDns: z.string().optional(),
  sanUri: z.string().optional(),
  sanIp: z.string().optional(),
  sanEmail: z.string().optional(),
});

const federatedIdentity = z.object({
  issuer: z.string(),
  subject: z.string(),
  audience: z.string().optional(),
  jwksUri: z.string().optional(),
  jwks: keySet.optional(),
});

const secretMembers = {
  id: z.string(),
  hint: z.string(),
  createdAt: time,
  expiresAt: time.optional(),
  lastUsedAt: time.optional(),
};
const serviceSecret: z.ZodType<ServiceSecret> = z.object(secretMembers);

const serviceMembers = {
  clientId: z.string(),
  name: z.string(),
  description: z.string().optional(),
  scopes: texts,
  resources: texts,
  serves: texts,
  authMethods: z.array(z.enum(authMethods)),
  tokenFormat: z.enum(['jwt', 'opaque']),
  accessTokenSeconds: z.int().optional(),
  dpopBound: z.boolean(),
  certificateBound: z.boolean(),
  jwks: keySet.optional(),
  jwksUri: z.string().optional(),
  tlsClientAuth: tlsClientName.optional(),
  federatedIdentities: z.array(federatedIdentity),
  secrets: z.array(serviceSecret),
  createdAt: time,
  updatedAt: time,
  revokedAt: time.optional(),
  version: z.int(),
};

export const service: z.ZodType<Service> = z.object(serviceMembers);
export const createdService: z.ZodType<CreatedService> = z.object({
  ...serviceMembers,
  clientSecret: z.string().optional(),
});
export const serviceList: z.ZodType<ServiceList> = z.object({
  services: z.array(service),
  next: z.string().optional(),
});

export const newSecret: z.ZodType<NewSecret> = z.object({ ...secretMembers, clientSecret: z.string() });

export const resource: z.ZodType<Resource> = z.object({
  resource: z.string(),
  name: z.string().optional(),
  scopes: texts.optional(),
  createdAt: time,
  updatedAt: time,
  version: z.int(),
});
export const resourceList: z.ZodType<ResourceList> = z.object({ resources: z.array(resource) });

export const publishedKey: z.ZodType<PublishedKey> = z.object({
  kid: z.string(),
  algorithm: z.string(),
  state: z.enum(['upcoming', 'active', 'retiring']),
  createdAt: time,
  activeFrom: time,
  retiresAt: time.optional(),
});
export const keyList: z.ZodType<KeyList> = z.object({ keys: z.array(publishedKey) });

const auditRecord: z.ZodType<AuditRecord> = z.object({
  sequence: z.int(),
  at: time,
  actor: z.string(),
  action: z.string(),
  target: z.string(),
  before: z.unknown().optional(),
  after: z.unknown().optional(),
});
export const auditList: z.ZodType<AuditList> = z.object({
  entries: z.array(auditRecord),
  next: z.int().optional(),
});

/** Problem details (RFC 9457), with `code` for programs. */
export const problemDetails = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string().optional(),
  errors: z.array(z.object({ path: z.string(), message: z.string() })).optional(),
});

/** By the names that the OpenAPI document gives them. */
export const answerSchemas: Readonly<Record<string, z.ZodType>> = {
  Service: service,
  CreatedService: createdService,
  ServiceList: serviceList,
  ServiceSecret: serviceSecret,
  NewSecret: newSecret,
  Resource: resource,
  ResourceList: resourceList,
  PublishedKey: publishedKey,
  KeyList: keyList,
  AuditRecord: auditRecord,
  AuditList: auditList,
  Problem: problemDetails,
  Document: z.record(z.string(), z.unknown()),
};
