/** Options for verifiers and clients that have a test issuer on the other side. */
import type { AuthedFetchOptions, FetchFunction, TrustedIssuer, VerifierOptions } from '../../src/index.ts';
import { OptionChecker } from '../../src/shared/options.ts';
import { readScopeNames } from '../../src/shared/scope.ts';
import { testCertificateSource } from './certificates.ts';
import type { TestClients } from './clients.ts';

type IntrospectionOptions = Exclude<TrustedIssuer['introspection'], boolean | undefined>;

/** Verifier options, and what else may be said of the issuer. */
export interface TestVerifierOptions extends Omit<VerifierOptions, 'issuer' | 'fetch' | 'now'> {
  /** Asks the issuer about opaque tokens, or about all, as a service of its own. @default false */
  readonly introspection?: boolean | IntrospectionOptions | undefined;
  /** Looks up what was revoked. @default false */
  readonly statusList?: boolean | undefined;
}

/** Options of a token client or an authed fetch, less what a test issuer gives itself. */
export interface TestClientOptions
  extends Omit<AuthedFetchOptions, 'issuer' | 'tokenEndpoint' | 'discovery' | 'fetch' | 'now'> {
  /** @default 'test-client' */
  readonly clientId?: string | undefined;
}

/** Options that are ready for `createTokenClient` and `createAuthedFetch`. */
export type ReadyClientOptions = TestClientOptions & {
  readonly [Member in 'issuer' | 'clientId' | 'fetch' | 'now']: NonNullable<AuthedFetchOptions[Member]>;
};

/** What the variables of the environment are to say. */
export interface TestEnvironmentOptions {
  /** @default that of the test issuer */
  readonly audience?: string | undefined;
  /** @default 'test-client' */
  readonly clientId?: string | undefined;
  /** @default none */
  readonly scope?: string | readonly string[] | undefined;
  /** @default none */
  readonly resource?: string | readonly string[] | undefined;
  /** Origins that may be called. @default none */
  readonly targets?: readonly string[] | undefined;
}

export interface Wiring {
  verifierOptions(options?: TestVerifierOptions): VerifierOptions;
  clientOptions(options?: TestClientOptions): ReadyClientOptions;
  environment(options?: TestEnvironmentOptions): Record<string, string>;
}

export interface WiringParts {
  readonly issuer: string;
  readonly audience: string;
  readonly clients: TestClients;
  readonly fetch: FetchFunction;
  readonly now: () => number;
}

const DEFAULT_CLIENT = 'test-client';
const INTROSPECTING_CLIENT = 'test-resource-server';

export function createWiring({ issuer, audience, clients, fetch, now }: WiringParts): Wiring {
  const check = new OptionChecker('TestIssuer');

  function ownSecret(
    clientId: string,
    wished: Pick<TestClientOptions, 'scope' | 'resource' | 'targets'>,
  ): string {
    return clients.secretOf(clientId, { ...wishesOf(check, wished), serves: [audience] });
  }

  function introspectionOf(
    given: boolean | IntrospectionOptions,
    audiences: readonly string[],
  ): boolean | IntrospectionOptions {
    if (given === false) return false;
    const { clientId = INTROSPECTING_CLIENT, ...rest } = given === true ? {} : given;
    const clientSecret = clients.secretOf(clientId, { serves: audiences });
    return { clientId, ...(rest.clientAuth === undefined && { clientSecret }), ...rest };
  }

  return {
    verifierOptions({ introspection = false, statusList = false, ...options } = {}) {
      const { audience: asked = audience } = options;
      const audiences = asked === null ? [audience] : check.strings('audience', asked);
      return {
        clientCertificate: testCertificateSource,
        ...options,
        audience: asked,
        issuer: { issuer, introspection: introspectionOf(introspection, audiences), statusList },
        fetch,
        now,
      };
    },
    clientOptions(options = {}) {
      const { clientId = DEFAULT_CLIENT, clientSecret, clientAuth } = options;
      const secret = ownSecret(clientId, options);
      const isOwnWay = clientSecret !== undefined || clientAuth !== undefined || secret === '';
      return {
        // What spreads the requests of many instances would only make a test differ from its last run.
        random: () => 0,
        ...options,
        ...(!isOwnWay && { clientSecret: secret }),
        issuer,
        clientId,
        fetch,
        now,
      };
    },
    environment(options = {}) {
      const { clientId = DEFAULT_CLIENT, targets = [] } = options;
      const { scopes = [], resources = [] } = wishesOf(check, options);
      const variables = {
        SERVICE_AUTH_ISSUER: issuer,
        SERVICE_AUTH_AUDIENCE: options.audience ?? audience,
        SERVICE_AUTH_CLIENT_ID: clientId,
        SERVICE_AUTH_CLIENT_SECRET: ownSecret(clientId, options),
        SERVICE_AUTH_SCOPE: scopes.join(' '),
        SERVICE_AUTH_RESOURCE: resources.join(' '),
        SERVICE_AUTH_TARGETS: targets.join(' '),
      };
      return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== ''));
    },
  };
}

/** What a client asks for, that it may be registered for just that. */
function wishesOf(
  check: OptionChecker,
  { scope, resource, targets }: Pick<TestClientOptions, 'scope' | 'resource' | 'targets'>,
): { readonly scopes?: readonly string[]; readonly resources?: readonly string[] } {
  const own = Array.isArray(targets) ? targets.filter((target) => typeof target === 'object') : [];
  const asked = [{ scope, resource }, ...own];
  const resources = asked.flatMap((one) => one.resource ?? []);
  const scopes = asked.flatMap((one) =>
    one.scope === undefined ? [] : readScopeNames(check, 'scope', one.scope),
  );
  return { scopes, resources };
}
