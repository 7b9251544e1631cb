/** A typed client of the admin API. */
import { ServiceAuthError } from '../../errors.ts';
import { encodeBase64url } from '../../shared/base64url.ts';
import type { MaybePromise } from '../../shared/maybe-async.ts';
import { OptionChecker } from '../../shared/options.ts';
import type { Fetch } from '../../shared/transport.ts';
import { checkIssuerUrl } from '../../shared/url-options.ts';
import { type AdminCall, createAdminCaller } from './admin-call.ts';
import type {
  AuditList,
  CreatedService,
  KeyList,
  NewResource,
  NewSecret,
  NewService,
  PublishedKey,
  Resource,
  ResourceList,
  ResourcePatch,
  SecretOptions,
  Service,
  ServiceList,
  ServicePatch,
} from './admin-types.ts';
import * as answers from './answers.ts';

export interface AdminClientOptions {
  /** The issuer identifier: what the paths of the admin API are appended to. */
  readonly issuer: string;
  /**
   * The token of the issuer's options, or an access token with the scope `services:admin`; a function is asked for
   * every request.
   * @default none: `fetch` authenticates, as one of `createAuthedFetch` does
   */
  readonly adminToken?: string | (() => MaybePromise<string>) | undefined;
  /** @default fetch */
  readonly fetch?: Fetch | undefined;
  /**
   * For one request with its answer, in milliseconds, from 1 to 600000.
   * @default 10000
   */
  readonly timeoutMs?: number | undefined;
}

export interface CreateOptions {
  /**
   * 1 to 255 visible ASCII characters; a create that is sent again with it within 24 hours gives the same answer.
   * @default a random one
   */
  readonly idempotencyKey?: string | undefined;
}

export interface PageOptions {
  /** `next` of the page before. */
  readonly after?: string | undefined;
  /** From 1 to 200. @default 50 */
  readonly limit?: number | undefined;
}

export interface UpdateOptions {
  /** Updates this version and no other: it fails with status 412 if somebody else was faster. */
  readonly ifVersion?: number | undefined;
}

export interface AuditOptions {
  /** `next` of the page before. */
  readonly before?: number | undefined;
  /** From 1 to 200. @default 50 */
  readonly limit?: number | undefined;
  /** Only what was done to this client id, resource or `kid`. */
  readonly target?: string | undefined;
}

/** The admin API of an issuer. Made by {@link createAdminClient}; all functions reject as told there. */
export interface AdminClient {
  readonly services: {
    create(input: NewService, options?: CreateOptions): Promise<CreatedService>;
    list(options?: PageOptions): Promise<ServiceList>;
    /** All services, page by page. */
    all(): AsyncIterableIterator<Service>;
    get(clientId: string): Promise<Service>;
    update(clientId: string, patch: ServicePatch, options?: UpdateOptions): Promise<Service>;
    /** For good: its tokens stop working, and its client id is never given again. */
    revoke(clientId: string): Promise<void>;
  };
  readonly secrets: {
    create(clientId: string, input?: SecretOptions, options?: CreateOptions): Promise<NewSecret>;
    remove(clientId: string, secretId: string): Promise<void>;
  };
  readonly resources: {
    create(input: NewResource): Promise<Resource>;
    list(): Promise<ResourceList>;
    get(resource: string): Promise<Resource>;
    update(resource: string, patch: ResourcePatch, options?: UpdateOptions): Promise<Resource>;
    remove(resource: string): Promise<void>;
  };
  readonly keys: {
    list(): Promise<KeyList>;
    /** Adds a signing key that takes over once verifiers know it, or at once. */
    rotate(options?: { readonly immediately?: boolean | undefined }): Promise<PublishedKey>;
  };
  readonly audit: {
    list(options?: AuditOptions): Promise<AuditList>;
  };
}

const KEY_BYTES = 16;
const LONGEST_TIMEOUT_MS = 600_000;

/**
 * Makes a client of the admin API of a service-auth issuer.
 *
 * What is sent is judged by the issuer, not here. Its functions reject with `ServiceAuthError`: `admin_refused` with
 * the status and the problem that the issuer answered (RFC 9457), `client_auth_failed`, `network_failed`, `timeout`,
 * `redirect_refused`, `response_too_large`, `response_malformed`. A service or secret whose creation fails on the
 * network is asked for once more under the same `Idempotency-Key`, and made once.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createAdminClient } from 'service-auth/issuer';
 *
 * const admin = createAdminClient({
 *   issuer: 'https://idp.example',
 *   adminToken: () => process.env.ADMIN_TOKEN ?? '',
 * });
 *
 * export async function register(): Promise<string | undefined> {
 *   const { clientSecret } = await admin.services.create({ name: 'Billing', scopes: ['orders:read'] });
 *   return clientSecret;
 * }
 * ```
 */
export function createAdminClient(options: AdminClientOptions): AdminClient {
  const check = new OptionChecker('createAdminClient');
  const given = check.object('options', options, ['issuer', 'adminToken', 'fetch', 'timeoutMs']);
  const issuer = checkIssuerUrl(check, given.issuer);
  const call = createAdminCaller({
    baseUrl: `${issuer.replace(/\/$/, '')}/admin`,
    adminToken: checkToken(check, given.adminToken),
    fetch: check.function('fetch', given.fetch) ?? ((url, init) => fetch(url, init)),
    timeoutMs: check.number('timeoutMs', given.timeoutMs ?? 10_000, 1, LONGEST_TIMEOUT_MS, 'milliseconds'),
  });

  /** The answer to the first try may be what was lost: the key keeps the second from making another one. */
  async function create<T>(request: AdminCall<T>, { idempotencyKey = randomKey() }: CreateOptions = {}) {
    const keyed = { ...request, headers: { 'idempotency-key': idempotencyKey } };
    try {
      return await call(keyed);
    } catch (error) {
      if (!isLost(error)) throw error;
      return call(keyed);
    }
  }

  const list = ({ after, limit }: PageOptions = {}): Promise<ServiceList> =>
    call({ method: 'GET', path: ['services'], query: { after, limit }, answer: answers.serviceList });

  return Object.freeze({
    services: Object.freeze({
      create: (body: NewService, more?: CreateOptions) =>
        create({ method: 'POST', path: ['services'], body, answer: answers.createdService }, more),
      list,
      async *all() {
        for (let after: string | undefined; ; ) {
          const { services, next } = await list({ after, limit: 200 });
          yield* services;
          if (next === undefined) return;
          if (services.length === 0 || next === after) {
            throw new ServiceAuthError(
              'response_malformed',
              `${issuer} answered with a page that leads nowhere`,
            );
          }
          after = next;
        }
      },
      get: (clientId: string) =>
        call({ method: 'GET', path: ['services', clientId], answer: answers.service }),
      update: (clientId: string, body: ServicePatch, { ifVersion }: UpdateOptions = {}) =>
        call({
          method: 'PATCH',
          path: ['services', clientId],
          body,
          headers: ifMatch(ifVersion),
          answer: answers.service,
        }),
      revoke: (clientId: string) =>
        call({
          method: 'DELETE',
          path: ['services', clientId],
          answer: answers.nothing,
        }),
    }),
    secrets: Object.freeze({
      create: (clientId: string, body: SecretOptions = {}, more?: CreateOptions) =>
        create(
          {
            method: 'POST',
            path: ['services', clientId, 'secrets'],
            body,
            answer: answers.newSecret,
          },
          more,
        ),
      remove: (clientId: string, secretId: string) =>
        call({
          method: 'DELETE',
          path: ['services', clientId, 'secrets', secretId],
          answer: answers.nothing,
        }),
    }),
    resources: Object.freeze({
      create: (body: NewResource) =>
        call({ method: 'POST', path: ['resources'], body, answer: answers.resource }),
      list: () => call({ method: 'GET', path: ['resources'], answer: answers.resourceList }),
      get: (resource: string) =>
        call({ method: 'GET', path: ['resources', resource], answer: answers.resource }),
      update: (resource: string, body: ResourcePatch, { ifVersion }: UpdateOptions = {}) =>
        call({
          method: 'PATCH',
          path: ['resources', resource],
          body,
          headers: ifMatch(ifVersion),
          answer: answers.resource,
        }),
      remove: (resource: string) =>
        call({
          method: 'DELETE',
          path: ['resources', resource],
          answer: answers.nothing,
        }),
    }),
    keys: Object.freeze({
      list: () => call({ method: 'GET', path: ['keys'], answer: answers.keyList }),
      rotate: (body: { readonly immediately?: boolean | undefined } = {}) =>
        call({ method: 'POST', path: ['keys', 'rotate'], body, answer: answers.publishedKey }),
    }),
    audit: Object.freeze({
      list: ({ before, limit, target }: AuditOptions = {}) =>
        call({ method: 'GET', path: ['audit'], query: { before, limit, target }, answer: answers.auditList }),
    }),
  });
}

function checkToken(
  check: OptionChecker,
  value: AdminClientOptions['adminToken'],
): AdminClientOptions['adminToken'] {
  if (value === undefined || typeof value === 'function') return value;
  const isToken = typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
  return isToken ? value : check.failSecret('adminToken', 'a token or a function that gives one');
}

function ifMatch(version: number | undefined): Record<string, string> {
  return version === undefined ? {} : { 'if-match': `"${version}"` };
}

function randomKey(): string {
  return encodeBase64url(crypto.getRandomValues(new Uint8Array(KEY_BYTES)));
}

function isLost(error: unknown): boolean {
  return error instanceof ServiceAuthError && (error.code === 'network_failed' || error.code === 'timeout');
}
