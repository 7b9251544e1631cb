/** Where the keys of a trusted issuer come from: discovery, a URL, a fixed set, or a shared secret. */
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
import { createRemoteKeySet, createStaticKeySet, type KeySet, parseKeySet } from '../shared/key-set.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { Discovery } from '../shared/metadata.ts';
import type { OptionChecker } from '../shared/options.ts';
import type { Fetch } from '../shared/transport.ts';
import { checkDiscovery, checkIssuerUrl, checkSecureUrl } from '../shared/url-options.ts';
import { readSecret } from './shared-secret.ts';

/** At most one source of keys; without any they are found by discovery. */
export interface KeyOptions {
  /**
   * The issuer identifier; `iss` of its tokens must equal it to the byte. With `tenants` it holds `{tenant}`, as
   * `https://login.example/{tenant}/v2.0` does.
   */
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

/** `T` with one of these members at most. */
export type AtMostOne<T, K extends keyof T> = Omit<T, K> &
  { [Member in K]: Pick<T, Member> & { readonly [Other in Exclude<K, Member>]?: never } }[K];

export interface KeySource {
  readonly keys: KeySet;
  readonly algorithms: readonly JwsAlgorithm[];
}

export interface KeyEnvironment {
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly emit: Emit | undefined;
  readonly timeoutMs: number;
  readonly discover: () => MaybePromise<string>;
}

/** Resolves the one source of keys that an issuer is given. */
export function resolveKeys(check: OptionChecker, given: KeyOptions, environment: KeyEnvironment): KeySource {
  const { issuer, jwksUri, jwks, secret, discovery } = given;
  const sources = Object.entries({ jwksUri, jwks, secret, discovery }).filter(
    ([, value]) => value !== undefined,
  );
  if (sources.length > 1) {
    const names = sources.map(([name]) => name).join(' and ');
    check.fail('issuer', 'given one source of keys', names, { code: 'options_conflict' });
  }
  if (secret !== undefined) {
    const { bytes, algorithms } = readSecret(check, secret, given.algorithms);
    return { algorithms, keys: secretKeySet(bytes, algorithms) };
  }
  const algorithms = readKeyAlgorithms(check, given.algorithms);
  if (jwks !== undefined) return { algorithms, keys: staticKeys(check, jwks, algorithms) };
  if (jwksUri === undefined) checkIssuerUrl(check, issuer);
  else checkSecureUrl(check, 'jwksUri', jwksUri);
  if (discovery !== undefined) checkDiscovery(check, discovery);
  const { discover, ...rest } = environment;
  const where = jwksUri === undefined ? discover : () => jwksUri;
  const keys = createRemoteKeySet({ ...rest, issuer, algorithms, jwksUri: where });
  return { algorithms, keys };
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
  return {
    find: (algorithm) => keys.get(algorithm) ?? [],
    areUsable: () => true,
    load: () => undefined,
    state: () => undefined,
  };
}

function readKeyAlgorithms(check: OptionChecker, option: unknown): readonly KeyAlgorithm[] {
  if (option === undefined) return keyAlgorithms;
  const algorithms = check.strings('algorithms', option);
  for (const algorithm of algorithms) {
    if ((secretAlgorithms as readonly string[]).includes(algorithm)) {
      check.fail('algorithms', 'of public keys unless secret is given', algorithm, {
        code: 'options_conflict',
      });
    }
    check.oneOf('algorithms', algorithm, keyAlgorithms);
  }
  return algorithms as readonly KeyAlgorithm[];
}
