/** What the admin API takes and gives. Times are ISO 8601 in UTC. */
import type { AuthMethod, FederatedIdentity, KeySetDocument, TlsClientName } from '../storage/records.ts';

/** A service to be registered. */
export interface NewService {
  /**
   * Visible ASCII characters, at most 200; never given to another service again.
   * @default a random one
   */
  readonly clientId?: string | undefined;
  /** One line of text for people. */
  readonly name: string;
  readonly description?: string | undefined;
  /** The scopes that its tokens may carry. */
  readonly scopes: readonly string[];
  /**
   * The resources (RFC 8707) that it may ask tokens for.
   * @default none
   */
  readonly resources?: readonly string[] | undefined;
  /**
   * The resources that it is itself: it may introspect tokens for them, and exchange them.
   * @default none
   */
  readonly serves?: readonly string[] | undefined;
  /**
   * @default 'private_key_jwt' with `jwks` or `jwksUri`, 'tls_client_auth' with `tlsClientAuth`, none with nothing but
   * `federatedIdentities`, else 'client_secret_basic' and 'client_secret_post'
   */
  readonly authMethods?: readonly AuthMethod[] | undefined;
  /** @default 'jwt' */
  readonly tokenFormat?: 'jwt' | 'opaque' | undefined;
  /**
   * The life of its tokens in whole seconds, from 1 to 86400.
   * @default that of the issuer
   */
  readonly accessTokenSeconds?: number | undefined;
  /**
   * Whether all its tokens must be bound to a DPoP key (RFC 9449).
   * @default false
   */
  readonly dpopBound?: boolean | undefined;
  /**
   * Whether all its tokens must be bound to its TLS certificate (RFC 8705 section 3).
   * @default false
   */
  readonly certificateBound?: boolean | undefined;
  /** Its public keys, for `private_key_jwt`. */
  readonly jwks?: KeySetDocument | undefined;
  /** Where its public keys are, for `private_key_jwt`. */
  readonly jwksUri?: string | undefined;
  /** The one name that its certificate must have, for `tls_client_auth` (RFC 8705 section 2.1.2). */
  readonly tlsClientAuth?: TlsClientName | undefined;
  /**
   * Whose assertions authenticate it (RFC 7523).
   * @default none
   */
  readonly federatedIdentities?: readonly FederatedIdentity[] | undefined;
}

/** A change of a service (RFC 7396): what is left out stays, `null` takes away. */
export type ServicePatch = {
  readonly [Member in Exclude<keyof NewService, 'clientId'>]?: NewService[Member] | null;
};

/** A client secret as it is shown: never the secret itself. */
export interface ServiceSecret {
  readonly id: string;
  /** The last characters of the secret. */
  readonly hint: string;
  readonly createdAt: string;
  /** From then on it opens nothing. */
  readonly expiresAt?: string | undefined;
  /** May be a few seconds behind. */
  readonly lastUsedAt?: string | undefined;
}

/** A registered service. */
export interface Service {
  readonly clientId: string;
  readonly name: string;
  readonly description?: string | undefined;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
  readonly serves: readonly string[];
  readonly authMethods: readonly AuthMethod[];
  readonly tokenFormat: 'jwt' | 'opaque';
  readonly accessTokenSeconds?: number | undefined;
  readonly dpopBound: boolean;
  readonly certificateBound: boolean;
  readonly jwks?: KeySetDocument | undefined;
  readonly jwksUri?: string | undefined;
  readonly tlsClientAuth?: TlsClientName | undefined;
  readonly federatedIdentities: readonly FederatedIdentity[];
  readonly secrets: readonly ServiceSecret[];
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Set for good once it is revoked. */
  readonly revokedAt?: string | undefined;
  /** Grows with every update; secrets and revocation do not count. */
  readonly version: number;
}

/** A service that was just registered. */
export interface CreatedService extends Service {
  /** Shown this once; only with a method that needs one. */
  readonly clientSecret?: string | undefined;
}

/** Services in order of registration. */
export interface ServiceList {
  readonly services: readonly Service[];
  /** `after` for the following page; missing on the last. */
  readonly next?: string | undefined;
}

/** How long a new client secret and those before it live. */
export interface SecretOptions {
  /**
   * From 1 second to ten years.
   * @default for ever
   */
  readonly expiresInSeconds?: number | undefined;
  /**
   * When the service's other secrets end, in seconds from now; 0 for at once.
   * @default as they are
   */
  readonly expireOthersInSeconds?: number | undefined;
}

/** A client secret that was just made. */
export interface NewSecret extends ServiceSecret {
  /** Shown this once. */
  readonly clientSecret: string;
}

/** A resource server to be registered (RFC 8707). */
export interface NewResource {
  /** Absolute URI without fragment. */
  readonly resource: string;
  readonly name?: string | undefined;
  /**
   * The scopes that tokens for it may carry.
   * @default whatever is registered with the service
   */
  readonly scopes?: readonly string[] | undefined;
}

/** A change of a resource (RFC 7396): what is left out stays, `null` takes away. */
export interface ResourcePatch {
  readonly name?: string | null | undefined;
  readonly scopes?: readonly string[] | null | undefined;
}

/** A registered resource server. */
export interface Resource extends NewResource {
  readonly createdAt: string;
  readonly updatedAt: string;
  /** Grows with every update. */
  readonly version: number;
}

export interface ResourceList {
  readonly resources: readonly Resource[];
}

/** A signing key whose signatures may have to be verified. */
export interface PublishedKey {
  readonly kid: string;
  readonly algorithm: string;
  /** `upcoming`: published ahead. `active`: signs now. `retiring`: stays until the last token has expired. */
  readonly state: 'upcoming' | 'active' | 'retiring';
  readonly createdAt: string;
  readonly activeFrom: string;
  /** When it is forgotten; not known before another key follows. */
  readonly retiresAt?: string | undefined;
}

export interface KeyList {
  readonly keys: readonly PublishedKey[];
}

/** One act of an administrator. */
export interface AuditRecord {
  /** Grows with every act. */
  readonly sequence: number;
  readonly at: string;
  /** `admin` for the admin token, `seed` for a seed, else the client id of the access token. */
  readonly actor: string;
  /** Such as `service.created`. */
  readonly action: string;
  /** What it was done to: a client id, a resource, a `kid`. */
  readonly target: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** Acts, the newest first. */
export interface AuditList {
  readonly entries: readonly AuditRecord[];
  /** `before` for the following page; missing on the last. */
  readonly next?: number | undefined;
}
