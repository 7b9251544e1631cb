/** The `issuer` option of a verifier, checked and resolved to keys and algorithms. */

import { ServiceAuthError } from '../errors.ts';
import type { Emit } from '../events.ts';
import {
  importSecret,
  type Jwk,
  type JwsAlgorithm,
  type KeyAlgorithm,
  keyAlgorithms,
  type SecretAlgorithm,
  secretAlgorithms,
} from '../shared/crypto.ts';
import { assertSecureUrl } from '../shared/http.ts';
import { createRemoteKeySet, createStaticKeySet, type KeySet, parseKeySet } from '../shared/key-set.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { createMetadataDocument, type Discovery } from '../shared/metadata.ts';
import type { OptionChecker } from '../shared/options.ts';
import type { Fetch } from '../shared/transport.ts';
import type { JwtIssuer } from './jwt.ts';
import { readSecret } from './shared-secret.ts';

/** An authorization server whose tokens are accepted, and where its keys come from. At most one source of keys. */
export interface TrustedIssuer {
  /** The issuer identifier; `iss` of its tokens must equal it to the byte. */
  readonly issuer: string;
  /** Where its JSON Web Key Set is. @default found by discovery */
  readonly jwksUri?: string;
  /** Its JSON Web Key Set, fixed. */
  readonly jwks?: { readonly keys: readonly Jwk[] };
  /** A secret shared with it, for HS256, HS384 and HS512; at least as long as the hash (RFC 7518 section 3.2). */
  readonly secret?: string | Uint8Array;
  /** @default every asymmetric algorithm known; with `secret` those of the HS family that it is long enough for */
  readonly algorithms?: readonly JwsAlgorithm[];
  /** Where its metadata is. @default both well-known places are tried, RFC 8414 first */
  readonly discovery?: Discovery;
}

export interface IssuerEnvironment {
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly emit: Emit | undefined;
}

const known = ['issuer', 'jwksUri', 'jwks', 'secret', 'algorithms', 'discovery'] as const;
const DEADLINE_MS = 5000;

/** Resolves the option; every mistake is a `TypeError` that names it. Nothing is fetched yet. */
export function resolveIssuers(
  check: OptionChecker,
  option: unknown,
  environment: IssuerEnvironment,
): ReadonlyMap<string, JwtIssuer> {
  const list = Array.isArray(option) ? option : [option];
  if (list.length === 0) check.fail('issuer', 'an issuer or a non-empty list of them', option);
  const issuers = new Map<string, JwtIssuer>();
  for (const item of list) {
    const resolved = resolveIssuer(check, typeof item === 'string' ? { issuer: item } : item, environment);
    if (issuers.has(resolved.issuer)) check.fail('issuer', 'named once', resolved.issuer);
    issuers.set(resolved.issuer, resolved);
  }
  return issuers;
}

function resolveIssuer(check: OptionChecker, option: unknown, environment: IssuerEnvironment): JwtIssuer {
  check.object('issuer', option, known);
  const { jwksUri, jwks, secret, discovery, ...rest } = option as TrustedIssuer;
  const issuer = check.string('issuer', rest.issuer);
  const sources = Object.entries({ jwksUri, jwks, secret, discovery }).filter(
    ([, value]) => value !== undefined,
  );
  if (sources.length > 1) {
    const names = sources.map(([name]) => name).join(' and ');
    check.fail('issuer', 'given one source of keys', names);
  }
  if (secret !== undefined) {
    const { bytes, algorithms } = readSecret(check, secret, rest.algorithms);
    return { issuer, algorithms: new Set(algorithms), keys: secretKeySet(bytes, algorithms) };
  }
  const algorithms = readKeyAlgorithms(check, rest.algorithms);
  const keys = jwks === undefined ? remoteKeys() : staticKeys(check, jwks, algorithms);
  return { issuer, algorithms: new Set(algorithms), keys };

  function remoteKeys(): KeySet {
    if (jwksUri === undefined) checkIssuerUrl(check, issuer);
    else checkSecureUrl(check, 'jwksUri', jwksUri);
    if (discovery?.includes(':')) checkSecureUrl(check, 'discovery', discovery);
    return createRemoteKeySet({
      ...environment,
      issuer,
      algorithms,
      timeoutMs: DEADLINE_MS,
      jwksUri: jwksUri === undefined ? discoverJwksUri(issuer, discovery, environment) : () => jwksUri,
    });
  }
}

function discoverJwksUri(
  issuer: string,
  discovery: Discovery | undefined,
  { fetch, now }: IssuerEnvironment,
): () => MaybePromise<string> {
  const metadata = createMetadataDocument({ issuer, discovery, fetch, now, timeoutMs: DEADLINE_MS });
  return () =>
    andThen(metadata.read(), ({ jwksUri }) => {
      if (jwksUri === undefined) {
        throw new ServiceAuthError('response_malformed', `the metadata of ${issuer} has no jwks_uri`);
      }
      return jwksUri;
    });
}

function staticKeys(check: OptionChecker, jwks: unknown, algorithms: readonly KeyAlgorithm[]): KeySet {
  const document = check.object('jwks', jwks, ['keys']);
  if (!Array.isArray(document.keys)) check.fail('jwks', 'a JSON Web Key Set: { keys: [...] }', jwks);
  const set = parseKeySet(document, algorithms);
  if (set.usable === 0) {
    check.failSecret(
      'jwks',
      'a key set with a public signature key (RSA of 2048 bits or more, EC or Ed25519)',
    );
  }
  return createStaticKeySet(set);
}

/** A shared secret has no `kid`: it is the one key, whatever the token calls it. */
function secretKeySet(secret: Uint8Array<ArrayBuffer>, algorithms: readonly SecretAlgorithm[]): KeySet {
  const keys = new Map(
    algorithms.map((algorithm) => [
      algorithm as string,
      [{ kid: undefined, verify: importSecret(secret, algorithm), retired: false }],
    ]),
  );
  return { find: (algorithm) => keys.get(algorithm) ?? [], load: () => undefined, state: () => undefined };
}

function readKeyAlgorithms(check: OptionChecker, option: unknown): readonly KeyAlgorithm[] {
  if (option === undefined) return keyAlgorithms;
  const algorithms = check.strings('algorithms', option);
  for (const algorithm of algorithms) {
    if ((secretAlgorithms as readonly string[]).includes(algorithm)) {
      check.fail('algorithms', 'of public keys unless secret is given', algorithm);
    }
    check.oneOf('algorithms', algorithm, keyAlgorithms);
  }
  return algorithms as readonly KeyAlgorithm[];
}

/** RFC 8414 section 2: an https URL without query and fragment. */
function checkIssuerUrl(check: OptionChecker, issuer: string): void {
  checkSecureUrl(check, 'issuer', issuer);
  const { search, hash, username } = new URL(issuer);
  if (search !== '' || hash !== '' || username !== '') {
    check.fail('issuer', 'a URL without query, fragment and user', issuer);
  }
}

function checkSecureUrl(check: OptionChecker, option: string, value: unknown): void {
  const rule = 'an https URL (plain http only on loopback addresses)';
  const url = check.string(option, value, rule);
  try {
    assertSecureUrl(url);
  } catch {
    check.fail(option, rule, url);
  }
}
