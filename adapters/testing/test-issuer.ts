import type { FetchFunction, VerifierOptions } from '../../src/index.ts';
import type { RotationOptions, SigningKeyInfo } from '../../src/issuer/index.ts';
import type { TestDuration } from './clock.ts';
import type { TestEndpoint } from './endpoints.ts';
import type { EndpointFault, ScriptedFault } from './faults.ts';
import type { ReplacedFetch } from './global-fetch.ts';
import type { TestRequests } from './ledger.ts';
import type { MintOptions } from './mint.ts';
import type { MintedToken, TokenUse } from './minted-token.ts';
import type { RevocationTarget } from './revocation.ts';
import type {
  ReadyClientOptions,
  TestClientOptions,
  TestEnvironmentOptions,
  TestVerifierOptions,
} from './wiring.ts';

/** An issuer for tests, and all that a test does with it. Made by {@link createTestIssuer}. */
export interface TestIssuer {
  /** Its identifier. */
  readonly issuer: string;
  /** The service under test, for which tokens are unless a test says otherwise. */
  readonly audience: string;
  /** What was asked of it, and of the services that it routes. Never a token or a secret. */
  readonly requests: TestRequests;

  /**
   * Makes a token, good or wrong in one way.
   *
   * Not checked: whether the client may have it. What it may get by itself is asked of `clientOptions`.
   *
   * @throws TypeError (rejects) for wrong options.
   */
  mint(options?: MintOptions): Promise<MintedToken>;
  /** The headers of a new token, for one request: `mint` and `headers` of the token in one. */
  headers(options?: MintOptions, use?: TokenUse): Promise<Record<string, string>>;
  /** Takes a token back, or a service with all its tokens: introspection and status lists say so from now on. */
  revoke(what: RevocationTarget): Promise<void>;

  /** Options for `createVerifier`, `requireServiceAuth` and the like; a policy goes beside them. */
  verifierOptions(options?: TestVerifierOptions): VerifierOptions;
  /**
   * Options for `createAuthedFetch` and `createTokenClient`. The client is registered for the scopes and resources that
   * they name, unless the option `clients` names it.
   */
  clientOptions(options?: TestClientOptions): ReadyClientOptions;
  /** The `SERVICE_AUTH_*` variables for programs that read them; they need `replaceGlobalFetch`, too. */
  environment(options?: TestEnvironmentOptions): Record<string, string>;
  /** Answers for the issuer and its services without a port; refuses what is neither, unless `otherFetch` is given. */
  readonly fetch: FetchFunction;
  /**
   * Puts `fetch` in place of the global one, for programs that take neither options nor a fetch. What is neither for the
   * issuer nor for its services goes to the fetch that was there.
   */
  replaceGlobalFetch(): ReplacedFetch;

  /** The time of all that has its options, in epoch milliseconds. */
  now(): number;
  /** Moves the clock forward, as in `advance({ minutes: 5 })`. */
  advance(by: TestDuration): void;

  /** Makes the next requests to an endpoint fail, one unless `times` says otherwise. Faults take turns in their order. */
  fail(endpoint: TestEndpoint | 'all', fault: EndpointFault, times?: number): ScriptedFault;
  /** Puts an endpoint, or the whole issuer, out of reach until `end()` of what comes back. */
  outage(endpoint?: TestEndpoint | 'all'): ScriptedFault;
  /** Ends all faults. */
  recover(): void;
  /**
   * Adds a signing key, as `Issuer.rotateKeys` does: published ahead, or signing at once with `immediately`.
   */
  rotateKeys(options?: RotationOptions): Promise<SigningKeyInfo | undefined>;

  /** Ends all faults, puts back the global fetch, and answers 503 from now on. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
