/** What the issuer keeps, as it is kept. Times are epoch milliseconds, which every database can hold. */
import type { Jwk } from '../../shared/crypto.ts';

/** The ways of client authentication that a service may be registered for, as RFC 8414's registry names them. */
export const authMethods = [
  'client_secret_basic',
  'client_secret_post',
  'client_secret_jwt',
  'private_key_jwt',
  'tls_client_auth',
] as const;

export type AuthMethod = (typeof authMethods)[number];

/** A client secret as it is kept: nothing here gives the secret back without the issuer's `secretKey`. */
export interface StoredSecret {
  readonly id: string;
  /** HMAC of the secret under the issuer's `secretKey`, in base64url. */
  readonly hash: string;
  /** The secret itself, encrypted; for `client_secret_jwt` alone, whose signatures cannot be verified without it. */
  readonly sealed: string | undefined;
  /** The last characters of the secret, which belong to its checksum, so that people can tell secrets apart. */
  readonly hint: string;
  readonly createdAtMs: number;
  /** From then on it opens nothing; `undefined` for never. */
  readonly expiresAtMs: number | undefined;
  /** Written now and then, so it may be a few seconds behind. */
  readonly lastUsedAtMs: number | undefined;
}

/** Which certificate a service authenticates with (RFC 8705 section 2.1.2): exactly one member. */
export interface TlsClientName {
  readonly subjectDn?: string | undefined;
  readonly sanDns?: string | undefined;
  readonly sanUri?: string | undefined;
  readonly sanIp?: string | undefined;
  readonly sanEmail?: string | undefined;
}

/** Whose assertions authenticate a service (RFC 7523 section 3): a workload of another issuer. */
export interface FederatedIdentity {
  /** `iss` of the assertion. */
  readonly issuer: string;
  /** `sub` of the assertion, compared to the byte. */
  readonly subject: string;
  /** `aud` of the assertion; without it this issuer's identifier or token endpoint. */
  readonly audience?: string | undefined;
  /** Where the keys are; without it and `jwks` they are discovered. */
  readonly jwksUri?: string | undefined;
  readonly jwks?: KeySetDocument | undefined;
}

export interface KeySetDocument {
  readonly keys: readonly Jwk[];
}

/** What an administrator decides of a service. */
export interface Registration {
  readonly name: string;
  readonly description: string | undefined;
  readonly scopes: readonly string[];
  /** The resources (RFC 8707) that it may ask tokens for. */
  readonly resources: readonly string[];
  /** The resources that it is itself: it may introspect tokens for them, and exchange them. */
  readonly serves: readonly string[];
  readonly authMethods: readonly AuthMethod[];
  readonly tokenFormat: 'jwt' | 'opaque';
  /** The life of its tokens, if not the issuer's default. */
  readonly accessTokenSeconds: number | undefined;
  /** Whether every token of it must be bound to a DPoP key (RFC 9449 section 5.2). */
  readonly dpopBound: boolean;
  /** Whether every token of it must be bound to its TLS certificate (RFC 8705 section 3.4). */
  readonly certificateBound: boolean;
  readonly jwks: KeySetDocument | undefined;
  readonly jwksUri: string | undefined;
  readonly tlsClientAuth: TlsClientName | undefined;
  readonly federatedIdentities: readonly FederatedIdentity[];
}

/** A registered service: a confidential client (RFC 6749 section 2.1). */
export interface StoredService extends Registration {
  readonly clientId: string;
  readonly secrets: readonly StoredSecret[];
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** Set for good once the service is revoked; its `clientId` is never given to another. */
  readonly revokedAtMs: number | undefined;
  /** 1 at first; each update of the registration adds one, so that no update undoes another unseen. */
  readonly version: number;
}

/** A resource server as the registry knows it (RFC 8707). */
export interface StoredResource {
  /** Absolute URI without fragment. */
  readonly resource: string;
  readonly name: string | undefined;
  /** The scopes that tokens for it may carry; `undefined` for whatever is registered with the service. */
  readonly scopes: readonly string[] | undefined;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
  /** 1 at first; each update adds one, so that no update undoes another unseen. */
  readonly version: number;
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
  /** The longest life of anything that it signs: it grows before anything that lives longer is signed. */
  readonly tokenSeconds: number;
}

/** An opaque token as it is kept. */
export interface StoredToken {
  /** HMAC of the token under the issuer's `secretKey`, in base64url. */
  readonly hash: string;
  readonly tokenId: string;
  readonly clientId: string;
  readonly expiresAtMs: number;
  /** What introspection says of it, as JSON. */
  readonly claims: string;
}

/** The place of a token in a status list. */
export interface StatusPlace {
  readonly listId: string;
  readonly index: number;
}

/** How many places a status list has. */
export const statusListSize = 2 ** 20;

/** Places of one list in a row, set aside for tokens of one service. */
export interface StatusBlock {
  readonly listId: string;
  readonly start: number;
  readonly count: number;
}

/** What a status list has to say. */
export interface StatusListState {
  /** Grows with every revocation that touches the list. */
  readonly revision: number;
  readonly size: number;
  /** The places of tokens that were revoked themselves, or whose service was: `[start, count]`, in no order. */
  readonly revoked: readonly (readonly [start: number, count: number])[];
}

/** A token that was revoked before it expired. */
export interface RevokedToken {
  readonly tokenId: string;
  readonly clientId: string;
  readonly expiresAtMs: number;
  /** Where verifiers look, if the token names a status list. */
  readonly status: StatusPlace | undefined;
}

/** One act of an administrator, without secrets. */
export interface AuditEntry {
  readonly atMs: number;
  /** `admin` for the bootstrap token, `seed` for a seed, else the client id. */
  readonly actor: string;
  /** Such as `service.created`. */
  readonly action: string;
  /** What it was done to: a client id, a resource, a `kid`. */
  readonly target: string;
  /** What is shown of the target before and after; `undefined` where there is nothing. */
  readonly before: unknown;
  readonly after: unknown;
}

export interface StoredAuditEntry extends AuditEntry {
  /** Grows with every entry. */
  readonly sequence: number;
}

/** A create that may be sent again (`Idempotency-Key`): what is needed to give the same answer without keeping it. */
export interface IdempotentCreate {
  /** Keyed hash of who asked, what for and the key itself. */
  readonly key: string;
  /** Keyed hash of the request's content. */
  readonly fingerprint: string;
  /** From which, with the issuer's `secretKey`, the secret of the answer is derived. */
  readonly salt: string;
  /** What was made: a client id and the id of its secret. */
  readonly clientId: string;
  readonly secretId: string | undefined;
  readonly expiresAtMs: number;
}
