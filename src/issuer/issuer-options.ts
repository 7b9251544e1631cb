import type { EventListener } from '../events.ts';
import { isSecureUrl } from '../shared/http.ts';
import { OptionChecker } from '../shared/options.ts';
import type { RandomBytes } from './secrets.ts';
import { type SigningAlgorithm, signingAlgorithms } from './signing-keys.ts';
import { memoryStorage } from './storage/memory.ts';
import type { IssuerStorage } from './storage/storage.ts';

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
   * Opens the admin API, as a Bearer token of at least 16 characters. Without it there is no admin API.
   * @default none
   */
  readonly adminToken?: string | undefined;
  /**
   * The resources (RFC 8707) that services may be registered for: absolute URIs without fragment.
   * @default whatever the admin registers
   */
  readonly resources?: readonly string[] | undefined;
  /**
   * The life of access tokens in whole seconds, from 1 to 86400.
   * @default 900
   */
  readonly accessTokenSeconds?: number | undefined;
  /** @default 'ES256' */
  readonly signingAlgorithm?: SigningAlgorithm | undefined;
  /**
   * How long a new signing key is published before it signs, in seconds. Key sets may be cached for half of it.
   * @default 300
   */
  readonly keyPublishAheadSeconds?: number | undefined;
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
  /** Receives what happens; see `ServiceAuthEvent`. */
  readonly onEvent?: EventListener | undefined;
}

export interface IssuerSettings {
  readonly issuer: string;
  /** The issuer without a slash at its end: what endpoints are appended to. */
  readonly baseUrl: string;
  readonly storage: IssuerStorage;
  readonly adminToken: string | undefined;
  readonly resources: ReadonlySet<string> | undefined;
  readonly accessTokenSeconds: number;
  readonly signingAlgorithm: SigningAlgorithm;
  readonly keyPublishAheadSeconds: number;
  readonly secretKey: Uint8Array;
  readonly now: () => number;
  readonly randomBytes: RandomBytes;
  readonly onEvent: EventListener | undefined;
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
  'secretKey',
  'now',
  'randomBytes',
  'onEvent',
];

const DAY_SECONDS = 86_400;
const LEAST_SECRET_KEY_BYTES = 32;
const LEAST_ADMIN_TOKEN_CHARACTERS = 16;
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
    secretKey: checkSecretKey(check, options.secretKey, storage) ?? randomBytes(LEAST_SECRET_KEY_BYTES),
    now: check.function('now', options.now) ?? Date.now,
    randomBytes,
    onEvent: check.function('onEvent', options.onEvent),
  });
}

function checkIssuer(check: OptionChecker, value: unknown): string {
  const rule = 'an https URL (http on loopback addresses) without query, fragment and credentials';
  const issuer = check.string('issuer', value, rule);
  if (!URL.canParse(issuer)) return check.fail('issuer', rule, issuer);
  const { href, username, password } = new URL(issuer);
  if (username !== '' || password !== '') return check.failSecret('issuer', rule);
  if (/[?#]/.test(issuer) || !isSecureUrl(issuer)) return check.fail('issuer', rule, issuer);
  if (new URL(issuer).pathname.includes('/:'))
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

function checkResources(check: OptionChecker, value: unknown): ReadonlySet<string> | undefined {
  if (value === undefined) return undefined;
  const resources = check.strings('resources', value);
  for (const resource of resources) {
    if (!isResourceUri(resource)) check.fail('resources', 'absolute URIs without fragment', resource);
  }
  return new Set(resources);
}

/** RFC 8707 section 2: an absolute URI without fragment. */
export function isResourceUri(text: string): boolean {
  return URL.canParse(text) && !text.includes('#') && /^[\x21-\x7e]+$/.test(text);
}

function wholeSeconds(check: OptionChecker, option: string, value: unknown, least: number): number {
  const seconds = check.number(option, value, least, DAY_SECONDS, 'seconds');
  return Number.isInteger(seconds) ? seconds : check.fail(option, 'a whole number of seconds', seconds);
}

function checkSecretKey(
  check: OptionChecker,
  value: unknown,
  storage: IssuerStorage,
): Uint8Array | undefined {
  if (value === undefined) {
    if (storage.durable) check.failSecret('secretKey', 'given with durable storage');
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
