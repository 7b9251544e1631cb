/** The keys of one issuer (RFC 7517): which of them may verify what, kept fresh by a remote document. */
import { ServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import { decodeBase64url } from './base64url.ts';
import {
  importPublicKey,
  isImportable,
  type Jwk,
  type KeyAlgorithm,
  keyFitsAlgorithm,
  type VerifySignature,
} from './crypto.ts';
import { printable } from './fault.ts';
import { getJson, withoutQuery } from './http.ts';
import { type JsonObject, own } from './json.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { createRemoteDocument, type DocumentState } from './remote-document.ts';
import type { AnswerHeaders, Fetch } from './transport.ts';

/** One key, tied to its algorithms for good. */
export interface VerificationKey {
  readonly kid: string | undefined;
  readonly verify: VerifySignature;
  /** Set once the issuer no longer publishes the key; tokens verified by it before must not be believed longer. */
  retired: boolean;
}

export interface KeySet {
  /**
   * The keys that may verify a token with this header, none if the issuer publishes none.
   *
   * @throws ServiceAuthError (or rejects) where that cannot be known.
   */
  find(algorithm: string, kid: string | undefined): MaybePromise<readonly VerificationKey[]>;
  /** Whether what was found before may still be believed; keeps the set fresh in the background. */
  areUsable(): boolean;
  load(): MaybePromise<unknown>;
  state(): DocumentState | undefined;
}

/** A token without `kid` is tried with no more keys than this. */
const MOST_CANDIDATES = 4;
const MOST_KEYS = 100;
const LEAST_RSA_BITS = 2048;

export interface ParsedKeySet {
  /** Keys by algorithm. */
  readonly keys: ReadonlyMap<string, readonly VerificationKey[]>;
  readonly usable: number;
  readonly ignored: number;
  /** The text that each key came from, to know it again after a refresh. */
  readonly byText: ReadonlyMap<string, VerificationKey>;
}

/**
 * Reads a JSON Web Key Set. Keys that cannot serve are ignored, since a set may hold keys for other purposes.
 *
 * @throws ServiceAuthError `response_malformed` if it is no key set at all.
 */
export function parseKeySet(
  document: JsonObject,
  algorithms: readonly KeyAlgorithm[],
  previous?: ParsedKeySet,
): ParsedKeySet {
  const members = own(document, 'keys');
  if (!Array.isArray(members)) throw new ServiceAuthError('response_malformed', 'keys is not a list');
  const keys = new Map<string, VerificationKey[]>();
  const byText = new Map<string, VerificationKey>();
  const used = new Set<unknown>();
  for (const member of members.slice(0, MOST_KEYS)) {
    for (const algorithm of isVerificationJwk(member) ? algorithms : []) {
      const key = readKey(member, algorithm, previous, byText);
      if (key === undefined) continue;
      const list = keys.get(algorithm);
      if (list === undefined) keys.set(algorithm, [key]);
      else list.push(key);
      used.add(member);
    }
  }
  return { keys, byText, usable: used.size, ignored: members.length - used.size };
}

function readKey(
  jwk: Jwk,
  algorithm: KeyAlgorithm,
  previous: ParsedKeySet | undefined,
  byText: Map<string, VerificationKey>,
): VerificationKey | undefined {
  if (!keyFitsAlgorithm(jwk, algorithm) || (jwk.alg !== undefined && jwk.alg !== algorithm)) return undefined;
  const { kty, crv, n, e, x, y, kid } = jwk;
  const text = JSON.stringify([algorithm, kid, kty, crv, n, e, x, y]);
  let key = previous?.byText.get(text);
  if (key === undefined) {
    try {
      key = { kid, verify: importPublicKey(jwk, algorithm), retired: false };
    } catch {
      return undefined;
    }
  }
  byText.set(text, key);
  return key;
}

/** Whether a value is a signature key of sufficient strength. Its type decides, never a guess. */
export function isVerificationJwk(value: unknown): value is Jwk {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const { kty, use, key_ops: operations, kid, n, e, x, y } = value as Jwk;
  if (kid !== undefined && typeof kid !== 'string') return false;
  if (use !== undefined && use !== 'sig') return false;
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return false;
  if (kty === 'EC') return typeof x === 'string' && typeof y === 'string';
  if (kty === 'OKP') return typeof x === 'string';
  if (kty !== 'RSA' || typeof n !== 'string' || typeof e !== 'string') return false;
  return modulusBits(n) >= LEAST_RSA_BITS && isPublicExponent(e);
}

/**
 * Odd and at least 3: with 1, every text would be its own signature (NIST FIPS 186-5 section 5.4). And below 2^32: with
 * one as long as the modulus, which a client may choose for its proofs, a signature costs fifty times the work.
 */
function isPublicExponent(e: string): boolean {
  const bytes = decodeBase64url(e) ?? new Uint8Array(0);
  if (bytes.subarray(0, -4).some((byte) => byte !== 0)) return false;
  const last = bytes.at(-1) ?? 0;
  return last % 2 === 1 && (last >= 3 || bytes.subarray(0, -1).some((byte) => byte !== 0));
}

function modulusBits(n: string): number {
  const bytes = decodeBase64url(n) ?? new Uint8Array(0);
  const first = bytes.findIndex((byte) => byte !== 0);
  if (first === -1) return 0;
  return (bytes.length - first) * 8 - Math.clz32(bytes[first] ?? 0) + 24;
}

function select(set: ParsedKeySet, algorithm: string, kid: string | undefined): readonly VerificationKey[] {
  const keys = set.keys.get(algorithm) ?? [];
  if (kid === undefined) return keys.slice(0, MOST_CANDIDATES);
  // The usual set has one key for an algorithm, and needs no new list.
  return keys.every((key) => key.kid === kid) ? keys : keys.filter((key) => key.kid === kid);
}

/** Keys that are configured, not fetched. */
export function createStaticKeySet(set: ParsedKeySet): KeySet {
  return {
    find: (algorithm, kid) => select(set, algorithm, kid),
    load: () => undefined,
    areUsable: () => true,
    state: () => undefined,
  };
}

export interface RemoteKeySetOptions {
  readonly issuer: string;
  /** Where the keys are; asked at each fetch, since discovery may move them. */
  readonly jwksUri: () => MaybePromise<string>;
  readonly algorithms: readonly KeyAlgorithm[];
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly timeoutMs: number;
  readonly emit: Emit | undefined;
}

/** Keys that the issuer publishes at its `jwks_uri`. */
export function createRemoteKeySet(options: RemoteKeySetOptions): KeySet {
  const { issuer, algorithms, fetch, now, timeoutMs, emit } = options;
  let latest: ParsedKeySet | undefined;
  let jwksUri: string | undefined;

  async function load(): Promise<{ value: ParsedKeySet; freshMs: number | undefined }> {
    const url = await options.jwksUri();
    jwksUri = withoutQuery(url);
    const { json, headers } = await getJson(fetch, { url, timeoutMs, now: options.now });
    const set = parseKeySet(await importable(json, algorithms), algorithms, latest);
    if (set.usable === 0) throw new ServiceAuthError('response_malformed', `${jwksUri} has no usable key`);
    for (const [text, key] of latest?.byText ?? []) key.retired = !set.byText.has(text);
    latest = set;
    return { value: set, freshMs: maxAgeMs(headers) };
  }

  const document = createRemoteDocument({
    load,
    now,
    onRefreshed: ({ usable, ignored }, durationMs) =>
      emit?.({ type: 'keys.refreshed', issuer, keys: usable, ignored, jwksUri, durationMs }),
    onFailed: ({ code, message }, retryInMs, durationMs) =>
      emit?.({ type: 'keys.refresh_failed', issuer, code, message, retryInMs, jwksUri, durationMs }),
    onStale: (ageMs) => emit?.({ type: 'keys.stale', issuer, ageMs }),
  });

  function find(algorithm: string, kid: string | undefined): MaybePromise<readonly VerificationKey[]> {
    return andThen(document.read(), (set) => {
      const keys = select(set, algorithm, kid);
      return keys.length > 0 ? keys : refetch(algorithm, kid);
    });
  }

  /** The issuer may have rotated; the cool-down keeps made-up key ids from becoming requests. */
  function refetch(algorithm: string, kid: string | undefined): MaybePromise<readonly VerificationKey[]> {
    return andThen(document.refreshUnlessRecent(), (set) => {
      emit?.({
        type: 'keys.unknown_kid',
        issuer,
        kid: kid === undefined ? undefined : printable(kid),
        refetched: set !== undefined,
      });
      return set === undefined ? [] : select(set, algorithm, kid);
    });
  }

  return { find, areUsable: () => document.peek() !== undefined, load: document.read, state: document.state };
}

/** The document without keys that WebCrypto does not take: a set of such must not replace one that verifies. */
async function importable(document: JsonObject, algorithms: readonly KeyAlgorithm[]): Promise<JsonObject> {
  const members = own(document, 'keys');
  if (!Array.isArray(members)) return document;
  const keys = members.slice(0, MOST_KEYS).map(async (member: unknown) => {
    if (!isVerificationJwk(member)) return null;
    const fitting = algorithms.find((algorithm) => keyFitsAlgorithm(member, algorithm));
    return fitting !== undefined && (await isImportable(member, fitting)) ? member : null;
  });
  return { keys: [...(await Promise.all(keys)), ...members.slice(MOST_KEYS)] };
}

/** `max-age` less `Age` (RFC 9111 section 4.2) in milliseconds; `no-store` and `no-cache` ask for the shortest. */
function maxAgeMs(headers: AnswerHeaders): number | undefined {
  const directives = (headers.get('cache-control') ?? '').toLowerCase().split(',');
  for (const directive of directives) {
    const [name, value] = directive.trim().split('=');
    if (name === 'no-store' || name === 'no-cache') return 0;
    const seconds = Number(value?.replaceAll('"', ''));
    if (name === 'max-age' && value !== undefined && Number.isFinite(seconds)) {
      return Math.max(seconds - (Number(headers.get('age')) || 0), 0) * 1000;
    }
  }
  return undefined;
}
