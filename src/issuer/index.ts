export type {
  EventListener,
  ServiceAuthEvent,
} from '../events.ts';
export { createIssuer, type Issuer, type SigningKeyInfo } from './issuer.ts';
export type { IssuerOptions } from './issuer-options.ts';
export type { RotationOptions } from './rotate-keys.ts';
export type { RandomBytes } from './secrets.ts';
export { type IssuerServer, type ServeIssuerOptions, serveIssuer } from './serve-issuer.ts';
export type { SigningAlgorithm } from './signing-keys.ts';
export { memoryStorage } from './storage/memory.ts';
export type {
  IssuerStorage,
  RevokedToken,
  StoredSecret,
  StoredService,
  StoredSigningKey,
} from './storage/storage.ts';
