import { createEmitter } from '../events.ts';
import { errorCode } from '../shared/http.ts';
import { metadataUrls } from '../shared/metadata.ts';
import { createAdminRoutes } from './admin/admin-routes.ts';
import { type IssuerSeed, plantSeed, type SeedReport } from './admin/seed.ts';
import { createClientKeys } from './clients/client-keys.ts';
import { createSecrets } from './clients/secrets.ts';
import type { IssuerContext } from './context.ts';
import { createIntrospectionEndpoint } from './endpoints/introspection.ts';
import { createJwksEndpoint, createMetadataEndpoint } from './endpoints/metadata.ts';
import { createRevocationEndpoint } from './endpoints/revocation.ts';
import { createStatusListEndpoint } from './endpoints/status-lists.ts';
import { createTokenEndpoint } from './endpoints/token-endpoint.ts';
import { createHousekeeping } from './housekeeping.ts';
import { json, problem } from './http/http-answers.ts';
import type { IssuerConnection, IssuerRequest } from './http/incoming.ts';
import { createRouter, type Route } from './http/router.ts';
import type { IssuerOptions } from './issuer-options.ts';
import { type IssuerSettings, resolveIssuerOptions } from './issuer-settings.ts';
import { type RotationOptions, rotateKeys } from './keys/rotate-keys.ts';
import { createSigningKeys } from './keys/signing-keys.ts';
import { limitedRoutes } from './limits/limited-routes.ts';
import { createLimits } from './limits/limits.ts';
import { createResourceRegistry } from './resource-registry.ts';
import { inTime } from './storage/in-time.ts';
import { createAccessTokens } from './tokens/access-tokens.ts';

/** An authorization server for services, as a web-standard handler. Made by {@link createIssuer}. */
export interface Issuer {
  /** The issuer identifier, as configured. */
  readonly issuer: string;
  /**
   * Answers one request; `connection` is what the server knows of where it came from.
   * Never rejects: what fails inside, as the storage may, is a 503 and an event.
   */
  fetch(request: IssuerRequest, connection?: IssuerConnection): Promise<Response>;
  /**
   * Loads the signing keys, and makes the first one, ahead of the first request.
   * Rejects with an Error where the storage is out of reach, or its keys were stored with another `secretKey`.
   */
  ready(): Promise<void>;
  /**
   * Adds a signing key that takes over after `keyPublishAheadSeconds`, or at once with `immediately`.
   * Gives `undefined` where an earlier rotation has not taken effect yet.
   */
  rotateKeys(options?: RotationOptions): Promise<SigningKeyInfo | undefined>;
  /**
   * Creates the services and resources that are not there yet, and leaves those that are as they are.
   * Of several instances that do so at once, one creates each. Rejects with a TypeError for a mistake in the seed,
   * before any service is created.
   */
  seed(seed: IssuerSeed): Promise<SeedReport>;
  /** Answers 503 from now on. Storage that was passed in stays open: it is its maker's to close. */
  close(): Promise<void>;
}

const LONGEST_PATH = 200;
/** Probes ask again soon. */
const READY_MS = 2000;

/** What may be told of a signing key. */
export interface SigningKeyInfo {
  /** Its name in the key set. */
  readonly kid: string;
  readonly algorithm: string;
  /** When the key starts to sign, in epoch milliseconds. */
  readonly activeFrom: number;
}

/**
 * Makes an authorization server for services, as a handler for any server of web-standard requests.
 *
 * Not checked: the size of headers and how slowly they come, which is the server's, and whether certificates of clients
 * were revoked.
 *
 * @throws TypeError for wrong options.
 * @see RFC 6749, RFC 7009, RFC 7662, RFC 8414, RFC 8707, RFC 9068
 *
 * @example
 * ```ts
 * import { createIssuer } from 'service-auth/issuer';
 *
 * const issuer = createIssuer({ issuer: 'https://idp.example', accessTokenSeconds: 600 });
 *
 * export const answer = await issuer.fetch(new Request('https://idp.example/jwks'));
 * ```
 */
export function createIssuer(options: IssuerOptions): Issuer {
  return issuerOf(createIssuerContext(resolveIssuerOptions(options)));
}

/** The handler over rooms that were made before, for those who need to look into them. */
export function issuerOf(context: IssuerContext): Issuer {
  const { settings, keys, housekeeping, emit } = context;
  const route = createRouter(createRoutes(context));
  let closed = false;

  return Object.freeze({
    issuer: settings.issuer,
    async fetch(request: IssuerRequest, connection: IssuerConnection = {}) {
      if (closed) return unavailable('the issuer is closed');
      try {
        housekeeping.tick();
        return await route(request, connection);
      } catch (error) {
        const { pathname: path } = new URL(request.url);
        emit?.({
          type: 'issuer.request_failed',
          method: request.method,
          path: path.slice(0, LONGEST_PATH),
          errorName: error instanceof Error ? error.name : typeof error,
          errorCode: errorCode(error),
        });
        return unavailable('the request could not be answered');
      }
    },
    ready: () => keys.reload(),
    async rotateKeys(rotation: RotationOptions = {}) {
      const rotated = await rotateKeys(context, rotation);
      if (rotated === undefined) return undefined;
      const { kid, algorithm, activeFromMs: activeFrom } = rotated;
      return { kid, algorithm, activeFrom };
    },
    seed: (seed: IssuerSeed) => plantSeed(context, seed),
    async close() {
      closed = true;
      await housekeeping.finish();
    },
  });
}

export function createIssuerContext(settings: IssuerSettings): IssuerContext {
  const { secretKey, now } = settings;
  const emit = createEmitter(settings.onEvent, now);
  const secrets = createSecrets(secretKey, settings.randomBytes);
  const keys = createSigningKeys({
    storage: settings.storage,
    secretKey,
    algorithm: settings.signingAlgorithm,
    tokenSeconds: settings.accessTokenSeconds,
    publishAheadSeconds: settings.keyPublishAheadSeconds,
    rotationSeconds: settings.keyRotationSeconds,
    now,
    emit,
  });
  const tokens = createAccessTokens(settings, keys, secrets);
  const housekeeping = createHousekeeping(settings.storage, now);
  const resources = createResourceRegistry(settings);
  return {
    settings,
    secrets,
    clientKeys: createClientKeys(settings, emit),
    keys,
    tokens,
    resources,
    housekeeping,
    limits: createLimits(settings, emit),
    emit,
  };
}

function createRoutes(context: IssuerContext): readonly Route[] {
  const { issuer, baseUrl } = context.settings;
  const { pathname } = new URL(baseUrl);
  const basePath = pathname === '/' ? '' : pathname;
  const metadata = createMetadataEndpoint(context);
  return [
    { path: `${basePath}/token`, methods: { POST: createTokenEndpoint(context) } },
    { path: `${basePath}/introspect`, methods: { POST: createIntrospectionEndpoint(context) } },
    { path: `${basePath}/revoke`, methods: { POST: createRevocationEndpoint(context) } },
    { path: `${basePath}/jwks`, methods: { GET: createJwksEndpoint(context) } },
    ...limitedRoutes(context.limits, 'status-lists', [
      { path: `${basePath}/status-lists/:id`, methods: { GET: createStatusListEndpoint(context) } },
    ]),
    ...metadataUrls(issuer).map((url) => ({ path: new URL(url).pathname, methods: { GET: metadata } })),
    // Probes ask the process, not the issuer: their paths do not depend on the issuer's.
    { path: '/healthz', methods: { GET: () => json({ status: 'ok' }) } },
    { path: '/readyz', methods: { GET: () => readiness(context) } },
    ...limitedRoutes(context.limits, 'admin', createAdminRoutes(context, basePath)),
  ];
}

/** What a client may try again (RFC 9110 section 15.6.4). */
function unavailable(detail: string): Response {
  return problem(503, detail, { headers: { 'retry-after': '1' } });
}

async function readiness({ keys }: IssuerContext): Promise<Response> {
  try {
    await inTime(READY_MS, keys.reload());
    return json({ status: 'ready' });
  } catch {
    return unavailable('the storage or the signing keys cannot be read');
  }
}
