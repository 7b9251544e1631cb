/** The options of an issuer, checked and filled in once. */
import type { EventListener } from '../events.ts';
import type { CertificateSource, LimitStore } from '../index.ts';
import { isSecureUrl } from '../shared/http.ts';
import { createIpRanges } from '../shared/ip-range.ts';
import { OptionChecker } from '../shared/options.ts';
import { isScopeName } from '../shared/scope.ts';
import type { Fetch } from '../shared/transport.ts';
import { parseUrl } from '../shared/url.ts';
import {
  type IssuerOptions,
  issuerOptions,
  type LimitOptions,
  type LimitsOptions,
  type RandomBytes,
  type ResourceOptions,
} from './issuer-options.ts';
import { type SigningAlgorithm, signingAlgorithms } from './keys/signing-keys.ts';
import { memoryStorage } from './storage/memory.ts';
import type { IssuerStorage } from './storage/storage.ts';

export interface ResolvedLimits {
  readonly client: LimitOptions | undefined;
  readonly address: LimitOptions | undefined;
  /** Where instances count together. */
  readonly store: LimitStore;
}

export interface IssuerSettings {
  readonly issuer: string;
  /** The issuer without a slash at its end: what endpoints are appended to. */
  readonly baseUrl: string;
  readonly storage: IssuerStorage;
  readonly adminToken: string | undefined;
  /** By URI; `undefined` where whatever the admin registers is a resource. */
  readonly resources: ReadonlyMap<string, ResourceOptions> | undefined;
  readonly accessTokenSeconds: number;
  readonly signingAlgorithm: SigningAlgorithm;
  readonly keyPublishAheadSeconds: number;
  /** `undefined` where keys rotate on command alone. */
  readonly keyRotationSeconds: number | undefined;
  readonly statusLists: boolean;
  readonly statusListTtlSeconds: number;
  readonly dpopNonce: boolean;
  readonly limits: ResolvedLimits;
  /** Whether an address is that of a proxy to be believed. */
  readonly isTrustedProxy: (address: string | undefined) => boolean;
  readonly clientCertificate: CertificateSource | undefined;
  readonly fetch: Fetch;
  readonly secretKey: Uint8Array;
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
  readonly onEvent: EventListener | undefined;
}

const DAY_SECONDS = 86_400;
const LEAST_SECRET_KEY_BYTES = 32;
const LEAST_ADMIN_TOKEN_CHARACTERS = 16;
/** What an admin token must be, in words. */
export const adminTokenRule = `a text of at least ${LEAST_ADMIN_TOKEN_CHARACTERS} visible ASCII characters`;

/**
 * Checks the options and fills in the defaults.
 *
 * @throws TypeError that names the option, the rule and, unless it is secret, the value.
 */
export function resolveIssuerOptions(given: IssuerOptions): IssuerSettings {
  const check = new OptionChecker('createIssuer');
  const options = check.object('options', given, issuerOptions);
  const { storage = memoryStorage(), signingAlgorithm = 'ES256' } = options;
  const { statusLists = true, dpopNonce = false, statusListTtlSeconds = 60 } = options;
  const randomBytes = check.function('randomBytes', options.randomBytes) ?? webRandomBytes;
  const issuer = checkIssuer(check, options.issuer);
  return Object.freeze({
    issuer,
    baseUrl: issuer.endsWith('/') ? issuer.slice(0, -1) : issuer,
    storage: checkStorage(check, storage),
    adminToken: checkAdminToken(check, options.adminToken),
    resources: checkResources(check, options.resources),
    accessTokenSeconds: wholeSeconds(check, 'accessTokenSeconds', options.accessTokenSeconds ?? 900, 1),
    signingAlgorithm: check.oneOf('signingAlgorithm', signingAlgorithm, signingAlgorithms),
    keyPublishAheadSeconds: wholeSeconds(
      check,
      'keyPublishAheadSeconds',
      options.keyPublishAheadSeconds ?? 300,
      0,
    ),
    keyRotationSeconds: checkRotation(check, options.keyRotationSeconds),
    statusLists: check.boolean('statusLists', statusLists),
    statusListTtlSeconds: wholeSeconds(check, 'statusListTtlSeconds', statusListTtlSeconds, 1),
    dpopNonce: check.boolean('dpopNonce', dpopNonce),
    limits: checkLimits(check, options.limits ?? {}, storage),
    isTrustedProxy:
      options.trustProxy === undefined
        ? () => false
        : createIpRanges(check, 'trustProxy', options.trustProxy),
    clientCertificate: check.function('clientCertificate', options.clientCertificate),
    fetch: check.function('fetch', options.fetch) ?? globalFetch,
    secretKey: checkSecretKey(check, options.secretKey, storage) ?? randomBytes(LEAST_SECRET_KEY_BYTES),
    now: check.function('now', options.now) ?? Date.now,
    randomBytes,
    onEvent: check.function('onEvent', options.onEvent),
  });
}

function checkIssuer(check: OptionChecker, value: unknown): string {
  const rule = 'an https URL (http on loopback addresses) without query, fragment and credentials';
  const issuer = check.string('issuer', value, rule);
  const url = parseUrl(issuer);
  if (url === undefined) return check.fail('issuer', rule, issuer, { code: 'issuer_not_url' });
  const { href, username, password, pathname } = url;
  if (username !== '' || password !== '') return check.failSecret('issuer', rule, { code: 'issuer_not_url' });
  if (/[?#]/.test(issuer)) return check.fail('issuer', rule, issuer, { code: 'issuer_not_url' });
  if (!isSecureUrl(issuer)) return check.fail('issuer', rule, issuer, { code: 'issuer_not_https' });
  if (pathname.includes('/:'))
    return check.fail('issuer', 'without a segment that begins with a colon', issuer);
  // Verifiers compare issuers to the byte, so there must be one spelling only.
  const canonical = issuer === href || `${issuer}/` === href;
  return canonical ? issuer : check.fail('issuer', `in its canonical spelling, ${href}`, issuer);
}

function checkStorage(check: OptionChecker, storage: IssuerStorage): IssuerStorage {
  if (typeof storage !== 'object' || storage === null || typeof storage.findService !== 'function') {
    return check.fail('storage', 'a storage such as memoryStorage()', storage);
  }
  return storage;
}

/** Whether a text may be the admin token. */
export function isAdminToken(text: string): boolean {
  return text.length >= LEAST_ADMIN_TOKEN_CHARACTERS && /^[\x21-\x7e]+$/.test(text);
}

function checkAdminToken(check: OptionChecker, value: unknown): string | undefined {
  if (value === undefined) return undefined;
  if (typeof value !== 'string' || !isAdminToken(value))
    return check.failSecret('adminToken', adminTokenRule);
  return value;
}

function checkResources(
  check: OptionChecker,
  value: IssuerOptions['resources'],
): ReadonlyMap<string, ResourceOptions> | undefined {
  if (value === undefined) return undefined;
  if (!Array.isArray(value) || value.length === 0) check.fail('resources', 'a non-empty list', value);
  const resources = new Map<string, ResourceOptions>();
  for (const item of value) {
    const given = typeof item === 'string' ? { resource: item } : item;
    const { resource, name, scopes } = check.object('resources', given, ['resource', 'name', 'scopes']);
    if (typeof resource !== 'string' || !isResourceUri(resource)) {
      check.fail('resources', 'absolute URIs without fragment', resource);
    }
    for (const scope of scopes === undefined ? [] : check.strings('resources.scopes', scopes)) {
      if (!isScopeName(scope)) check.fail('resources.scopes', 'scope names', scope);
    }
    resources.set(resource, Object.freeze({ resource, name, scopes: scopes && Object.freeze([...scopes]) }));
  }
  return resources;
}

const LONGEST_ROTATION_SECONDS = 10 * 365 * DAY_SECONDS;

function checkRotation(check: OptionChecker, value: unknown = 90 * DAY_SECONDS): number | undefined {
  if (value === false) return undefined;
  return check.number('keyRotationSeconds', value, 60, LONGEST_ROTATION_SECONDS, 'seconds');
}

function checkLimits(
  check: OptionChecker,
  value: LimitsOptions | false,
  storage: IssuerStorage,
): ResolvedLimits {
  if (value === false) return Object.freeze({ client: undefined, address: undefined, store: storage });
  const given = check.object('limits', value, ['client', 'address', 'store']);
  const { store = storage } = given;
  if (typeof store !== 'object' || store === null || typeof store.takeFromLimit !== 'function') {
    check.fail('limits.store', 'a store such as that of createRedisLimits()', store);
  }
  const limit = (name: 'client' | 'address', fallback: number): LimitOptions | undefined => {
    const option = given[name] ?? { requests: fallback, windowSeconds: 60 };
    if (option === false) return undefined;
    const { requests, windowSeconds } = check.object(`limits.${name}`, option, ['requests', 'windowSeconds']);
    check.number(`limits.${name}.requests`, requests, 1, 1e9, 'requests');
    wholeSeconds(check, `limits.${name}.windowSeconds`, windowSeconds, 1);
    return Object.freeze({ requests: Math.floor(requests), windowSeconds });
  };
  return Object.freeze({ client: limit('client', 6000), address: limit('address', 30_000), store });
}

/** RFC 8707 section 2: an absolute URI without fragment. */
export function isResourceUri(text: string): boolean {
  return parseUrl(text) !== undefined && !text.includes('#') && /^[\x21-\x7e]+$/.test(text);
}

function wholeSeconds(check: OptionChecker, option: string, value: unknown, least: number): number {
  return check.wholeNumber(option, value, least, DAY_SECONDS, 'seconds');
}

function checkSecretKey(
  check: OptionChecker,
  value: unknown,
  storage: IssuerStorage,
): Uint8Array | undefined {
  if (value === undefined) {
    if (storage.durable)
      check.failSecret('secretKey', 'given with durable storage', { code: 'options_conflict' });
    return undefined;
  }
  const key = typeof value === 'string' ? new TextEncoder().encode(value) : value;
  if (!(key instanceof Uint8Array) || key.length < LEAST_SECRET_KEY_BYTES) {
    return check.failSecret(
      'secretKey',
      `a string or Uint8Array of at least ${LEAST_SECRET_KEY_BYTES} bytes`,
    );
  }
  return key.slice();
}

function webRandomBytes(length: number): Uint8Array {
  return crypto.getRandomValues(new Uint8Array(length));
}

const globalFetch: Fetch = (input, init) => fetch(input, init);
