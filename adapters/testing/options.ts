/** The options of a test issuer. */
import type { FetchFunction } from '../../src/index.ts';
import type { IssuerOptions } from '../../src/issuer/index.ts';
import type { TestClient } from './clients.ts';
import type { TestService } from './network.ts';

type OfIssuer = Omit<IssuerOptions, 'issuer' | 'storage' | 'secretKey' | 'now' | 'fetch' | 'trustProxy'>;

/** Those of an issuer, which all have a default here, and those of the test around it. */
export interface TestIssuerOptions extends OfIssuer {
  /** Its identifier. @default 'https://issuer.test' */
  readonly issuer?: string | undefined;
  /** The service under test: whom tokens are for, and what verifiers ask for. @default 'https://service.test' */
  readonly audience?: string | undefined;
  /**
   * Services that are registered just so. All others are registered as they appear, for whatever they ask.
   * @default none
   */
  readonly clients?: readonly TestClient[] | undefined;
  /** Who answers the calls of `clientOptions`, by origin: web handlers, or apps with `fetch`. @default none */
  readonly services?: Readonly<Record<string, TestService>> | undefined;
  /** Sends what is neither for the issuer nor for a service. @default none: such calls are refused */
  readonly otherFetch?: FetchFunction | undefined;
  /** The time at which the clock stands at first. @default now */
  readonly startAt?: number | Date | undefined;
  /** A clock of the test's own, in epoch milliseconds, such as `Date.now` under fake timers. @default one that stands */
  readonly now?: (() => number) | undefined;
}

/** The names of the options that are not the issuer's. */
export const ownOptions = [
  'audience',
  'clients',
  'services',
  'otherFetch',
  'startAt',
  'now',
] as const satisfies readonly (keyof TestIssuerOptions)[];

/** The names of those that are. */
export const optionsOfIssuer = [
  'issuer',
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
  'clientCertificate',
  'randomBytes',
  'onEvent',
] as const satisfies readonly (keyof TestIssuerOptions)[];
