/**
 * What the issuer keeps, by use-case. Small on purpose: an adapter for a database is these few functions, each
 * one statement or one short transaction. Times are epoch milliseconds, which every database can hold.
 */

/** A client secret as it is kept: nothing here gives the secret back. */
export interface StoredSecret {
  readonly id: string;
  /** HMAC of the secret under the issuer's `secretKey`, in base64url. */
  readonly hash: string;
  /** The last characters of the secret, which belong to its checksum, so that people can tell secrets apart. */
  readonly hint: string;
  readonly createdAtMs: number;
}

/** A registered service: a confidential client (RFC 6749 section 2.1). */
export interface StoredService {
  readonly clientId: string;
  readonly name: string;
  readonly description: string | undefined;
  readonly scopes: readonly string[];
  /** The resources (RFC 8707) that it may ask tokens for and introspect tokens of. */
  readonly resources: readonly string[];
  readonly secrets: readonly StoredSecret[];
  readonly createdAtMs: number;
  /** Set for good once the service is revoked; its `clientId` is never given to another. */
  readonly revokedAtMs: number | undefined;
}

/** A signing key as it is kept. */
export interface StoredSigningKey {
  readonly kid: string;
  readonly algorithm: string;
  /** The private key, encrypted under the issuer's `secretKey`. */
  readonly sealedKey: string;
  readonly createdAtMs: number;
  /** When it takes over signing from the key before it. */
  readonly activeFromMs: number;
  /** The longest life of a token that it was made to sign. */
  readonly tokenSeconds: number;
}

/** A token that was revoked before it expired. */
export interface RevokedToken {
  readonly tokenId: string;
  readonly clientId: string;
  readonly expiresAtMs: number;
}

/**
 * Where the issuer keeps services, revoked tokens and signing keys.
 *
 * What a function has acknowledged must be seen by every later call, also from other instances.
 */
export interface IssuerStorage {
  /** Whether what is stored outlives the process; the issuer then insists on a `secretKey` that does too. */
  readonly durable: boolean;

  /** Adds a service; `false` if its `clientId` is taken, also by a revoked one. */
  createService(service: StoredService): Promise<boolean>;
  findService(clientId: string): Promise<StoredService | undefined>;
  /** All services, revoked ones included, in order of creation. */
  listServices(): Promise<readonly StoredService[]>;
  /** Marks a service as revoked, keeping the time of the first revocation; `false` if there is none. */
  revokeService(clientId: string, atMs: number): Promise<boolean>;

  /** Remembers a revoked token; doing so again changes nothing. */
  revokeToken(token: RevokedToken): Promise<void>;
  isTokenRevoked(tokenId: string): Promise<boolean>;
  /** Forgets revoked tokens that have expired by then. */
  deleteExpiredTokens(nowMs: number): Promise<void>;

  /** All signing keys in the order in which they were added. */
  listSigningKeys(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds a signing key, provided that `after` is the `kid` of the one added last (`undefined`: there is none).
   * Gives `false` otherwise: another instance was faster.
   */
  addSigningKey(key: StoredSigningKey, after: string | undefined): Promise<boolean>;
  deleteSigningKey(kid: string): Promise<void>;
}
