/**
 * What a database has to do for the issuer. Small on purpose: each function is one statement or one short transaction.
 */
import type { LimitStore } from '../../shared/stores.ts';
import type {
  AuditEntry,
  IdempotentCreate,
  RevokedToken,
  StatusBlock,
  StatusListState,
  StoredAuditEntry,
  StoredResource,
  StoredSecret,
  StoredService,
  StoredSigningKey,
  StoredToken,
} from './records.ts';

/** A position in a list: the last entry that was shown. */
export interface ServicePage {
  /** The client id after which to go on; from the beginning without it. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export interface AuditPage {
  /** Only entries older than this sequence number; from the newest without it. */
  readonly before?: number | undefined;
  readonly limit: number;
  /** Only entries of this target. */
  readonly target?: string | undefined;
}

/**
 * `created`: done. `taken`: the name is in use. `full`: there are as many as there may be. `repeated`: the same
 * `Idempotency-Key` was used before.
 */
export type CreateResult = 'created' | 'taken' | 'full' | 'repeated';

export interface SecretAddition {
  readonly clientId: string;
  readonly secret: StoredSecret;
  /** When the service's other secrets end, unless they end before; `undefined` leaves them as they are. */
  readonly expireOthersAtMs: number | undefined;
  /** How many secrets the service may have with this one; without it as many as are added. */
  readonly most?: number | undefined;
}

export interface StatusReservation {
  readonly clientId: string;
  /** At most as many as a list has. */
  readonly count: number;
  /** When the last token that gets a place of the block will have expired. */
  readonly expiresAtMs: number;
}

/**
 * Where the issuer keeps what must outlive a request.
 *
 * What a function has acknowledged is durable and seen by every later call, also of other instances. A change and its
 * audit entry are made together or not at all.
 */
export interface IssuerStorage extends LimitStore {
  /** Whether what is stored outlives the process; the issuer then insists on a `secretKey` that does too. */
  readonly durable: boolean;

  /** Adds a service with its secrets; `taken` if its `clientId` is in use, also by a revoked one. */
  createService(service: StoredService, audit: AuditEntry, request?: IdempotentCreate): Promise<CreateResult>;
  /** The service with its secrets, revoked or not. Takes as long where there is none. */
  findService(clientId: string): Promise<StoredService | undefined>;
  /** Services, revoked ones included, in order of creation. */
  listServices(page: ServicePage): Promise<readonly StoredService[]>;
  /**
   * Writes the registration of a service, save for its secrets and its revocation, provided that the stored version is
   * the one before `service.version`; `false` otherwise. Forgets `sealed` of its secrets where `client_secret_jwt` is
   * not among its methods.
   */
  updateService(service: StoredService, audit: AuditEntry): Promise<boolean>;
  /**
   * Marks a service as revoked, keeping the time of the first revocation, and with it all its places in status lists;
   * `false` if there is none.
   */
  revokeService(clientId: string, atMs: number, audit: AuditEntry): Promise<boolean>;

  /**
   * Adds a secret to a service; `taken` if there is no such service or it is revoked, `full` if it has as many as it may
   * have. Does not keep `sealed` where `client_secret_jwt` is not among the methods of the service by then.
   */
  addSecret(addition: SecretAddition, audit: AuditEntry, request?: IdempotentCreate): Promise<CreateResult>;
  /** `false` if there is none. */
  removeSecret(clientId: string, secretId: string, audit: AuditEntry): Promise<boolean>;
  /** Notes when secrets were last used; the latest time stays. */
  touchSecrets(uses: ReadonlyMap<string, number>): Promise<void>;

  /** A create that was made with this key and has not expired by then. */
  findIdempotentCreate(key: string, nowMs: number): Promise<IdempotentCreate | undefined>;

  /** `false` if it is there already. */
  createResource(resource: StoredResource, audit: AuditEntry): Promise<boolean>;
  findResource(resource: string): Promise<StoredResource | undefined>;
  /** All of the registry, in order of creation. */
  listResources(): Promise<readonly StoredResource[]>;
  /** Writes a resource, provided that the stored version is the one before `resource.version`; `false` otherwise. */
  updateResource(resource: StoredResource, audit: AuditEntry): Promise<boolean>;
  /** `false` if there is none. */
  deleteResource(resource: string, audit: AuditEntry): Promise<boolean>;

  /** Keeps an opaque token. */
  saveToken(token: StoredToken): Promise<void>;
  findToken(hash: string): Promise<StoredToken | undefined>;
  /** Remembers a revoked token, and in its status list; doing so again changes nothing. */
  revokeToken(token: RevokedToken): Promise<void>;
  isTokenRevoked(tokenId: string): Promise<boolean>;

  /** Sets places of a status list aside that no other reservation gets; a new list is begun where one is full. */
  reserveStatuses(reservation: StatusReservation): Promise<StatusBlock>;
  /** The revision alone, which is cheap to ask for; `undefined` if there is no such list. */
  statusListRevision(listId: string): Promise<number | undefined>;
  /** Leaves out what has expired by then. */
  statusList(listId: string, nowMs: number): Promise<StatusListState | undefined>;

  /**
   * Notes a name that may be used once until it expires; `false` if it was noted before, and what has expired counts
   * until it is deleted. Atomic.
   */
  useOnce(name: string, expiresAtMs: number): Promise<boolean>;

  /** All signing keys in the order in which they were added. */
  listSigningKeys(): Promise<readonly StoredSigningKey[]>;
  /**
   * Adds a signing key, provided that `after` is the `kid` of the one added last (`undefined`: there is none).
   * Gives `false` otherwise: another instance was faster. Without an audit entry where nobody asked for it.
   */
  addSigningKey(key: StoredSigningKey, after: string | undefined, audit?: AuditEntry): Promise<boolean>;
  /** Raises the `tokenSeconds` of a signing key; what is as long already stays. */
  extendSigningKey(kid: string, tokenSeconds: number): Promise<void>;
  deleteSigningKey(kid: string): Promise<void>;

  /** The newest first. */
  listAudit(page: AuditPage): Promise<readonly StoredAuditEntry[]>;

  /** Forgets what has expired by then: tokens, revocations, places, names, limits, idempotent creates. */
  deleteExpired(nowMs: number): Promise<void>;
  /** Closes what it opened. Functions reject from then on. */
  close(): Promise<void>;
}
