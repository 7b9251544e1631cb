/** Private keys that sign, in every form they come in, each tied to one algorithm. */
import { ServiceAuthError } from '../errors.ts';
import {
  algorithmsOfCryptoKey,
  type Jwk,
  type KeyAlgorithm,
  keyAlgorithms,
  keyFitsAlgorithm,
  nodeSigner,
  type Sign,
  webSigner,
} from './crypto.ts';
import { isObject } from './json.ts';
import { isVerificationJwk } from './key-set.ts';
import type { OptionChecker } from './options.ts';
import { type Bytes, type NodeCrypto, type NodeKey, nodeCrypto } from './runtime.ts';

/** A private key: a JSON Web Key, PKCS#8 as PEM, a `CryptoKey` that may sign, or a `KeyObject` of Node. */
export type PrivateKey = Jwk | string | CryptoKey | NodeKey;

export interface SigningKey {
  readonly alg: KeyAlgorithm;
  /** That of the JSON Web Key, where it has one. */
  readonly kid: string | undefined;
  /** The public half as text, the same for each form of one key; not known of every form. */
  readonly publicKey: string | undefined;
  readonly sign: Sign;
}

/** A key that was understood, before it is known for which of its algorithms it is to serve. */
interface Source {
  readonly algorithms: readonly KeyAlgorithm[];
  readonly kid?: string | undefined;
  readonly publicKey?: string | undefined;
  readonly signer: (algorithm: KeyAlgorithm) => Sign;
}

const RULE =
  'a private key that may sign (RSA from 2048 bits, P-256, P-384, P-521, Ed25519): JWK, PKCS#8 as PEM, CryptoKey, KeyObject';
const LEAST_RSA_BITS = 2048;

/**
 * Reads a private key and ties it to the algorithm that was asked for, or to the first that its type serves.
 *
 * Synchronous signatures where the runtime gives `node:crypto`, save for a `CryptoKey`, which is used as it is.
 *
 * @throws TypeError that never shows the key.
 */
export function importPrivateKey(check: OptionChecker, key: unknown, wished: unknown): SigningKey {
  const alg = wished === undefined ? undefined : check.oneOf('alg', wished, keyAlgorithms);
  const source = readKey(key);
  const [first] = source?.algorithms ?? [];
  if (source === undefined || first === undefined) return check.failSecret('key', RULE);
  const { algorithms, kid, publicKey, signer } = source;
  if (alg !== undefined && !algorithms.includes(alg)) {
    return check.fail('alg', `one that the key may serve (${algorithms.join(', ')})`, alg);
  }
  const chosen = alg ?? first;
  return { alg: chosen, kid, publicKey, sign: signer(chosen) };
}

function readKey(key: unknown): Source | undefined {
  if (key instanceof CryptoKey) return fromCryptoKey(key);
  const jwk = isSigningJwk(key) ? key : undefined;
  const pem = typeof key === 'string' ? decodePem(key) : undefined;
  const object = isNodeKey(key) ? key : undefined;
  if (nodeCrypto !== undefined) return fromNode(nodeCrypto, jwk, pem && String(key), object);
  return jwk !== undefined ? fromJwk(jwk) : pem && fromPkcs8(pem);
}

function fromCryptoKey(key: CryptoKey): Source | undefined {
  if (key.type !== 'private' || !key.usages.includes('sign') || isWeak(key)) return undefined;
  return { algorithms: algorithmsOfCryptoKey(key), signer: (algorithm) => webSigner(algorithm, () => key) };
}

function fromNode(
  node: NodeCrypto,
  jwk: Jwk | undefined,
  pem: string | undefined,
  object: NodeKey | undefined,
): Source | undefined {
  try {
    const input = jwk === undefined ? pem : ({ key: { ...jwk }, format: 'jwk' } as const);
    const key = object ?? (input === undefined ? undefined : node.createPrivateKey(input));
    const publicJwk = key && node.createPublicKey(key).export({ format: 'jwk' });
    if (key === undefined || !isVerificationJwk(publicJwk)) return undefined;
    const algorithms = algorithmsOf({ ...publicJwk, ...(jwk?.alg !== undefined && { alg: jwk.alg }) });
    return {
      algorithms,
      kid: jwk?.kid,
      publicKey: publicText(publicJwk),
      signer: (algorithm) => nodeSigner(node, key, algorithm),
    };
  } catch {
    // What the runtime says of a key may quote it.
    return undefined;
  }
}

function fromJwk(jwk: Jwk): Source {
  const { kty, crv, n, e, d, p, q, dp, dq, qi, x, y } = jwk;
  const members =
    kty === 'RSA'
      ? { kty, n, e, d, p, q, dp, dq, qi }
      : kty === 'EC'
        ? { kty, crv, x, y, d }
        : { kty, crv, x, d };
  return {
    algorithms: algorithmsOf(jwk),
    kid: jwk.kid,
    publicKey: publicText(jwk),
    signer: (algorithm) =>
      webSigner(algorithm, (use) =>
        crypto.subtle.importKey('jwk', members as JsonWebKey, use, false, ['sign']),
      ),
  };
}

/** Where PKCS#8 names its key's type (RFC 5958 section 2), as hexadecimal text: version, then these. */
const KINDS: readonly (readonly [identifiers: string, jwk: Jwk])[] = [
  ['06092a864886f70d010101', { kty: 'RSA' }],
  ['06072a8648ce3d020106082a8648ce3d030107', { kty: 'EC', crv: 'P-256' }],
  ['06072a8648ce3d020106052b81040022', { kty: 'EC', crv: 'P-384' }],
  ['06072a8648ce3d020106052b81040023', { kty: 'EC', crv: 'P-521' }],
  ['06032b6570', { kty: 'OKP', crv: 'Ed25519' }],
];
const HEAD_BYTES = 32;

function fromPkcs8(der: Bytes): Source | undefined {
  const head = Array.from(der.subarray(0, HEAD_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
  const kind = KINDS.find(([identifiers]) => head.includes(identifiers));
  if (kind === undefined) return undefined;
  return {
    algorithms: algorithmsOf(kind[1]),
    signer: (algorithm) =>
      webSigner(algorithm, async (use) => {
        const key = await crypto.subtle.importKey('pkcs8', der, use, false, ['sign']);
        if (isWeak(key)) throw new ServiceAuthError('client_auth_failed', `the key must be ${RULE}`);
        return key;
      }),
  };
}

function publicText({ kty, crv, x, y, n, e }: Jwk): string {
  return JSON.stringify({ kty, crv, x, y, n, e });
}

function algorithmsOf(jwk: Jwk): readonly KeyAlgorithm[] {
  return keyAlgorithms.filter(
    (algorithm) => keyFitsAlgorithm(jwk, algorithm) && (jwk.alg === undefined || jwk.alg === algorithm),
  );
}

function isSigningJwk(value: unknown): value is Jwk {
  if (!isObject(value) || typeof value.d !== 'string') return false;
  const { key_ops: operations, ...jwk } = value;
  const maySign = operations === undefined || (Array.isArray(operations) && operations.includes('sign'));
  return maySign && isVerificationJwk(jwk);
}

function isNodeKey(value: unknown): value is NodeKey {
  return isObject(value) && value.type === 'private' && typeof value.export === 'function';
}

function isWeak({ algorithm }: CryptoKey): boolean {
  return 'modulusLength' in algorithm && Number(algorithm.modulusLength) < LEAST_RSA_BITS;
}

const PEM_START = '-----BEGIN PRIVATE KEY-----';
const PEM_END = '-----END PRIVATE KEY-----';

function decodePem(text: string): Bytes | undefined {
  const pem = text.trim();
  if (!pem.startsWith(PEM_START) || !pem.endsWith(PEM_END)) return undefined;
  try {
    const binary = atob(pem.slice(PEM_START.length, -PEM_END.length));
    return Uint8Array.from(binary, (character) => character.charCodeAt(0));
  } catch {
    return undefined;
  }
}
