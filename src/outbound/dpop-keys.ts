/** The keys that tokens are bound to, and the proofs that they are held (RFC 9449). */
import { encodeBase64url, encodeJson } from '../shared/base64url.ts';
import {
  algorithmsOfCryptoKey,
  type Jwk,
  type KeyAlgorithm,
  nodeSigner,
  type Sign,
  webSigner,
} from '../shared/crypto.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import type { OptionChecker } from '../shared/options.ts';
import { keepsKeysHidden, nodeCrypto } from '../shared/runtime.ts';
import { createSingleFlight } from '../shared/single-flight.ts';
import { thumbprint } from '../shared/thumbprint.ts';

/** Binding of tokens to a key of the client. */
export interface DpopKeyOptions {
  /** @default 'ES256' */
  readonly algorithm?: 'ES256' | 'EdDSA' | undefined;
  /** The client's own key, which instances may share. @default made at first use, not extractable */
  readonly keyPair?: CryptoKeyPair | undefined;
  /** Makes a new key for every new token. @default false */
  readonly rotate?: boolean | undefined;
}

/** What a proof is for. */
export interface ProofClaims {
  readonly method: string;
  readonly url: string;
  /** `ath` of the access token that is sent with it. */
  readonly accessTokenHash?: string | undefined;
  readonly nonce?: string | undefined;
  /** In epoch milliseconds. */
  readonly now: number;
}

/** One key, and the proofs that it makes: synchronously where the runtime can. */
export interface DpopSigner {
  /** The thumbprint of the key (RFC 7638). */
  readonly jkt: string;
  prove(claims: ProofClaims): MaybePromise<string>;
}

export interface DpopKeys {
  /** Whether all instances of the client have the same key. */
  readonly shared: boolean;
  /** The key for a new token. */
  signer(): MaybePromise<DpopSigner>;
}

type ProofAlgorithm = 'ES256' | 'EdDSA';

const generation = {
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
} as const;

/** Checks the option; no key is made before it is needed, which may be never. */
export function createDpopKeys(check: OptionChecker, option: unknown): DpopKeys {
  const isPlain = option === undefined || typeof option === 'boolean';
  const given = check.object('dpop', isPlain ? {} : option, ['algorithm', 'keyPair', 'rotate']);
  const { algorithm: wished = 'ES256', keyPair, rotate = false } = given;
  const algorithm: ProofAlgorithm = check.oneOf('dpop.algorithm', wished, ['ES256', 'EdDSA']);
  check.boolean('dpop.rotate', rotate);
  if (keyPair !== undefined) {
    if (rotate)
      check.fail('dpop.rotate', 'absent where keyPair is given', rotate, { code: 'options_conflict' });
    const pair = isKeyPair(keyPair, algorithm)
      ? keyPair
      : check.failKind('dpop.keyPair', `a CryptoKeyPair that signs with ${algorithm}`, keyPair);
    return { shared: true, signer: once(() => signerOf(pair, algorithm)) };
  }
  const make = async (): Promise<DpopSigner> => signerOf(await generate(algorithm), algorithm);
  return { shared: false, signer: rotate ? make : once(make) };
}

/** The value of the first call for all later ones, at once as soon as it is there. */
function once<T>(make: () => Promise<T>): () => MaybePromise<T> {
  const flight = createSingleFlight<T>();
  let made: T | undefined;
  return () =>
    made ??
    flight.run(async () => {
      const value = await make();
      made ??= value;
      return made;
    });
}

async function generate(algorithm: ProofAlgorithm): Promise<CryptoKeyPair> {
  const pair = await crypto.subtle.generateKey(generation[algorithm], false, ['sign', 'verify']);
  if (!('privateKey' in pair)) throw new Error('the runtime made no pair of keys');
  return pair;
}

function isKeyPair(value: unknown, algorithm: ProofAlgorithm): value is CryptoKeyPair {
  if (typeof value !== 'object' || value === null || !('privateKey' in value) || !('publicKey' in value)) {
    return false;
  }
  const { privateKey, publicKey } = value;
  return (
    privateKey instanceof CryptoKey &&
    publicKey instanceof CryptoKey &&
    privateKey.type === 'private' &&
    privateKey.usages.includes('sign') &&
    publicKey.type === 'public' &&
    publicKey.extractable &&
    [privateKey, publicKey].every((key) => algorithmsOfCryptoKey(key).includes(algorithm))
  );
}

async function signerOf(
  { privateKey, publicKey }: CryptoKeyPair,
  algorithm: ProofAlgorithm,
): Promise<DpopSigner> {
  const { kty = '', crv = '', x = '', y } = await crypto.subtle.exportKey('jwk', publicKey);
  const jwk: Jwk = y === undefined ? { kty, crv, x } : { kty, crv, x, y };
  const jkt = (await thumbprint(jwk)) ?? '';
  const header = encodeJson({ typ: 'dpop+jwt', alg: algorithm, jwk });
  const sign = signWith(privateKey, algorithm);
  return Object.freeze({
    jkt,
    prove({ method, url, accessTokenHash: ath, nonce, now }: ProofClaims) {
      const iat = Math.floor(now / 1000);
      const htu = targetUri(url);
      const claims = encodeJson({ jti: crypto.randomUUID(), htm: method, htu, iat, ath, nonce });
      const input = `${header}.${claims}`;
      return andThen(sign(input), (signature) => `${input}.${encodeBase64url(signature)}`);
    },
  });
}

/** As it is sent, without query and fragment: some servers compare it to the byte (RFC 9449 section 4.2). */
function targetUri(url: string): string {
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** A hand-over to a thread for each signature would cost more than the signature itself. */
function signWith(key: CryptoKey, algorithm: KeyAlgorithm): Sign {
  try {
    const isHidden = keepsKeysHidden && !key.extractable;
    const nodeKey = isHidden ? undefined : nodeCrypto?.KeyObject?.from(key);
    if (nodeCrypto !== undefined && nodeKey !== undefined) return nodeSigner(nodeCrypto, nodeKey, algorithm);
  } catch {
    // Runtimes that have `node:crypto` but not this part of it sign with WebCrypto.
  }
  return webSigner(algorithm, () => key);
}
