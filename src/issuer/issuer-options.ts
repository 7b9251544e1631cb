import type { EventListener } from '../events.ts';
import type { CertificateSource, LimitStore } from '../index.ts';
import type { Fetch } from '../shared/transport.ts';
import type { SigningAlgorithm } from './keys/signing-keys.ts';
import type { IssuerStorage } from './storage/storage.ts';

export type RandomBytes = (length: number) => Uint8Array;

/** A resource server of the registry (RFC 8707). */
export interface ResourceOptions {
  /** Absolute URI without fragment. */
  readonly resource: string;
  /** For people. */
  readonly name?: string | undefined;
  /**
   * The scopes that tokens for it may carry.
   * @default whatever is registered with the service
   */
  readonly scopes?: readonly string[] | undefined;
}

/** So many requests in so many seconds. */
export interface LimitOptions {
  readonly requests: number;
  /** Windows follow one another without a gap, and begin for all at the same time. */
  readonly windowSeconds: number;
}

/** How often clients and addresses may ask; what asks more often is answered 429. */
export interface LimitsOptions {
  /** For each client, once it has authenticated. @default 6,000 in 60 seconds */
  readonly client?: LimitOptions | false | undefined;
  /** For each address, authenticated or not. @default 30,000 in 60 seconds */
  readonly address?: LimitOptions | false | undefined;
  /**
   * Where instances count together; `createRedisLimits` of `service-auth/redis` makes one.
   * @default the storage
   */
  readonly store?: LimitStore | undefined;
}

/** What an issuer calls itself, where it keeps things, and how its tokens are made. */
export interface IssuerOptions {
  /**
   * The issuer identifier (RFC 8414 section 2): an https URL without query and fragment, in its canonical
   * spelling. It may have a path. Plain http serves loopback addresses alone.
   */
  readonly issuer: string;
  /**
   * Where services, keys and revocations are kept. The caller closes what the caller made.
   * @default memoryStorage()
   */
  readonly storage?: IssuerStorage | undefined;
  /**
   * Opens the admin API, as a Bearer token of at least 16 visible ASCII characters; access tokens of this issuer with
   * the scope `services:admin` do so, too.
   * @default none: access tokens alone
   */
  readonly adminToken?: string | undefined;
  /**
   * The resources (RFC 8707) that services may be registered for, besides those of the admin API's registry.
   * @default whatever the admin registers
   */
  readonly resources?: readonly (string | ResourceOptions)[] | undefined;
  /**
   * The life of access tokens in whole seconds, from 1 to 86400.
   * @default 900
   */
  readonly accessTokenSeconds?: number | undefined;
  /**
   * What signing keys that are made from now on sign with.
   * @default 'ES256'
   */
  readonly signingAlgorithm?: SigningAlgorithm | undefined;
  /**
   * How long a new signing key is published before it signs, in seconds. Key sets may be cached for half of it.
   * @default 300
   */
  readonly keyPublishAheadSeconds?: number | undefined;
  /**
   * How long a signing key signs before another one takes over, in seconds; `false` leaves it to commands.
   * @default 7776000 (90 days)
   */
  readonly keyRotationSeconds?: number | false | undefined;
  /**
   * Whether JWTs name their place in a status list, by which verifiers learn of revocations without asking for each
   * token.
   * @default true
   */
  readonly statusLists?: boolean | undefined;
  /**
   * How long verifiers may go by a status list before they fetch it again, in seconds.
   * @default 60
   */
  readonly statusListTtlSeconds?: number | undefined;
  /**
   * Whether DPoP proofs need a nonce of this issuer (RFC 9449 section 8).
   * @default false
   */
  readonly dpopNonce?: boolean | undefined;
  /**
   * How often clients and addresses may ask; `false` for as often as they like.
   * @default 6,000 requests in 60 seconds for each client, 30,000 for each address
   */
  readonly limits?: LimitsOptions | false | undefined;
  /**
   * IP addresses or CIDR ranges of the proxies whose `X-Forwarded-For` or `Forwarded` names the address that asks.
   * @default none
   */
  readonly trustProxy?: readonly string[] | undefined;
  /**
   * Gives the TLS client certificate of a request, where a proxy ended TLS and verified it; see
   * `forwardedClientCertificate`.
   * @default that of the connection
   */
  readonly clientCertificate?: CertificateSource | undefined;
  /**
   * Fetches the keys of services (`jwksUri`) and of the issuers of federated identities.
   * @default fetch
   */
  readonly fetch?: Fetch | undefined;
  /**
   * At least 32 bytes (of UTF-8, if a string) from which the keys are derived that hash client secrets and
   * encrypt signing keys. Required for durable storage: with another one nothing stored can be used.
   * @default random
   */
  readonly secretKey?: string | Uint8Array | undefined;
  /**
   * The clock, in epoch milliseconds.
   * @default Date.now
   */
  readonly now?: (() => number) | undefined;
  /**
   * Makes that many random bytes, for secrets and identifiers; signing keys are the runtime's own.
   * @default crypto.getRandomValues
   */
  readonly randomBytes?: RandomBytes | undefined;
  /**
   * Receives what happens; see `ServiceAuthEvent`, and `createEventLog` for one that writes it down.
   * @default none
   */
  readonly onEvent?: EventListener | undefined;
}

/** The names of all issuer options. */
export const issuerOptions: readonly (keyof IssuerOptions)[] = [
  'issuer',
  'storage',
  'adminToken',
  'resources',
  'accessTokenSeconds',
  'signingAlgorithm',
  'keyPublishAheadSeconds',
  'keyRotationSeconds',
  'statusLists',
  'statusListTtlSeconds',
  'dpopNonce',
  'limits',
  'trustProxy',
  'clientCertificate',
  'fetch',
  'secretKey',
  'now',
  'randomBytes',
  'onEvent',
];
