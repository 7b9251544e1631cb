export type {
  EventListener,
  ServiceAuthEvent,
} from '../events.ts';
export {
  type AdminClient,
  type AdminClientOptions,
  type AuditOptions,
  type CreateOptions,
  createAdminClient,
  type PageOptions,
  type UpdateOptions,
} from './admin/admin-client.ts';
export type * from './admin/admin-types.ts';
export type {
  IssuerSeed,
  SeededResource,
  SeededService,
  SeedOutcome,
  SeedReport,
  SeedService,
} from './admin/seed.ts';
export { createEventLog, type EventLogOptions } from './http/event-log.ts';
export type { IssuerConnection, IssuerRequest } from './http/incoming.ts';
export type { ServerTls } from './http/node-server.ts';
export { createIssuer, type Issuer, type SigningKeyInfo } from './issuer.ts';
export type {
  IssuerOptions,
  LimitOptions,
  LimitsOptions,
  RandomBytes,
  ResourceOptions,
} from './issuer-options.ts';
export { adminTokenRule, isAdminToken } from './issuer-settings.ts';
export type { RotationOptions } from './keys/rotate-keys.ts';
export { type SigningAlgorithm, signingAlgorithms } from './keys/signing-keys.ts';
export { type IssuerServer, type ServeIssuerOptions, serveIssuer } from './serve-issuer.ts';
export { type LibsqlStorageOptions, libsqlStorage } from './storage/libsql.ts';
export { memoryStorage } from './storage/memory.ts';
export { type PostgresStorageOptions, postgresStorage } from './storage/postgres.ts';
export type * from './storage/records.ts';
export { authMethods, statusListSize } from './storage/records.ts';
export type { IssuerStorage } from './storage/storage.ts';
