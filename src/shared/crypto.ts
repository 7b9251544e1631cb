/**
 * Signatures. Where the runtime gives `node:crypto` they are verified synchronously, which is faster than any
 * hand-over to a thread; elsewhere WebCrypto is used.
 */
import { isTurnSpent, verifyInPool } from './burst.ts';
import type { MaybePromise } from './maybe-async.ts';
import {
  type Bytes,
  type NodeBuffer,
  type NodeCrypto,
  type NodeKey,
  nodeBuffer,
  nodeCrypto,
} from './runtime.ts';

/** The signature algorithms of RFC 7518, RFC 8037 and RFC 9864 that service-auth can verify. */
export const keyAlgorithms = [
  'RS256',
  'PS256',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'RS384',
  'RS512',
  'PS384',
  'PS512',
] as const;
export const secretAlgorithms = ['HS256', 'HS384', 'HS512'] as const;

export type KeyAlgorithm = (typeof keyAlgorithms)[number];
export type SecretAlgorithm = (typeof secretAlgorithms)[number];
export type JwsAlgorithm = KeyAlgorithm | SecretAlgorithm;

/** Tells whether a signature is that of a text of one byte a character. Never throws for bad signatures. */
export type VerifySignature = (text: string, signature: Bytes) => MaybePromise<boolean>;

/** A JSON Web Key (RFC 7517) as it comes from outside: nothing in it is believed until it was looked at. */
export interface Jwk {
  readonly kty?: string;
  readonly kid?: string;
  readonly use?: string;
  readonly key_ops?: readonly string[];
  readonly alg?: string;
  readonly crv?: string;
  readonly n?: string;
  readonly e?: string;
  readonly x?: string;
  readonly y?: string;
  readonly [member: string]: unknown;
}

interface Scheme {
  readonly kty: 'RSA' | 'EC' | 'OKP';
  readonly crv?: string;
  readonly hash: string | null;
  /** WebCrypto's name. */
  readonly name: string;
  /** Signature length in bytes; RSA's is that of the modulus. */
  readonly signatureBytes?: number;
  readonly pssSaltBytes?: number;
}

const rsa = (name: string, bits: number): Scheme => ({
  kty: 'RSA',
  hash: `SHA-${bits}`,
  name,
  ...(name === 'RSA-PSS' && { pssSaltBytes: bits / 8 }),
});
const ec = (crv: string, bits: number, signatureBytes: number): Scheme => ({
  kty: 'EC',
  crv,
  hash: `SHA-${bits}`,
  name: 'ECDSA',
  signatureBytes,
});
const ed25519: Scheme = {
  kty: 'OKP',
  crv: 'Ed25519',
  hash: null,
  name: 'Ed25519',
  signatureBytes: 64,
};

const schemes: Readonly<Record<KeyAlgorithm, Scheme>> = {
  RS256: rsa('RSASSA-PKCS1-v1_5', 256),
  RS384: rsa('RSASSA-PKCS1-v1_5', 384),
  RS512: rsa('RSASSA-PKCS1-v1_5', 512),
  PS256: rsa('RSA-PSS', 256),
  PS384: rsa('RSA-PSS', 384),
  PS512: rsa('RSA-PSS', 512),
  ES256: ec('P-256', 256, 64),
  ES384: ec('P-384', 384, 96),
  ES512: ec('P-521', 512, 132),
  EdDSA: ed25519,
  Ed25519: ed25519,
};

function toBytes(text: string): Bytes {
  if (nodeBuffer !== undefined) return nodeBuffer.from(text, 'latin1');
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

/** Longer texts get memory of their own. */
const scratch = nodeBuffer?.alloc(32 * 1024);

/** The text's bytes in a buffer that is used again at once: for synchronous use only. */
function toScratch(text: string): Bytes {
  if (scratch === undefined || text.length > scratch.length) return toBytes(text);
  return scratch.subarray(0, scratch.write(text, 0, 'latin1'));
}

/** Whether a key of this type and curve may serve the algorithm at all. */
export function keyFitsAlgorithm(jwk: Jwk, algorithm: KeyAlgorithm): boolean {
  const scheme = schemes[algorithm];
  return jwk.kty === scheme.kty && (scheme.crv === undefined || jwk.crv === scheme.crv);
}

const PSS_PADDING = 6;

/**
 * Makes the verification function of one public key for one algorithm.
 *
 * Only public members are read. Throws where the runtime refuses the key; WebCrypto says so late, and then no
 * signature holds.
 */
export function importPublicKey(jwk: Jwk, algorithm: KeyAlgorithm): VerifySignature {
  const scheme = schemes[algorithm];
  const publicJwk = publicPart(jwk);
  const length = scheme.signatureBytes;
  const verify =
    nodeCrypto === undefined ? webVerify(publicJwk, scheme) : nodeVerify(nodeCrypto, publicJwk, scheme);
  if (length === undefined) return verify;
  return (text, signature) => signature.length === length && verify(text, signature);
}

function nodeVerify(node: NodeCrypto, publicJwk: object, scheme: Scheme): VerifySignature {
  const key = node.createPublicKey({ key: publicJwk, format: 'jwk' });
  const hash = nodeHash(scheme);
  const input = nodeInput(key, scheme);
  return (text, signature) => {
    if (!isTurnSpent()) return node.verify(hash, toScratch(text), input, signature);
    return verifyInPool((done) => node.verify(hash, toBytes(text), input, signature, done));
  };
}

function nodeHash({ hash }: Scheme): string | null {
  return hash?.replace('-', '') ?? null;
}

function nodeInput(key: NodeKey, { kty, pssSaltBytes }: Scheme): object {
  if (kty === 'EC') return { key, dsaEncoding: 'ieee-p1363' };
  return pssSaltBytes === undefined ? key : { key, padding: PSS_PADDING, saltLength: pssSaltBytes };
}

function webVerify(publicJwk: object, scheme: Scheme): VerifySignature {
  const parameters = webParameters(scheme);
  let key: CryptoKey | 'unusable' | undefined;
  return async (text, signature) => {
    key ??= await crypto.subtle
      .importKey('jwk', publicJwk, parameters, false, ['verify'])
      .catch(() => 'unusable' as const);
    return key !== 'unusable' && crypto.subtle.verify(parameters, key, signature, toBytes(text));
  };
}

/**
 * Whether the runtime takes the key for the algorithm. `importPublicKey` throws where it does not, save for WebCrypto,
 * which has to be asked.
 */
export async function isImportable(jwk: Jwk, algorithm: KeyAlgorithm): Promise<boolean> {
  if (nodeCrypto !== undefined) return true;
  const scheme = schemes[algorithm];
  const imported = crypto.subtle.importKey('jwk', publicPart(jwk), webParameters(scheme), false, ['verify']);
  return imported.then(
    () => true,
    () => false,
  );
}

function publicPart({ kty, crv, n, e, x, y }: Jwk): object {
  if (kty === 'RSA') return { kty, n, e };
  return kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x };
}

function webParameters(scheme: Scheme): WebParameters {
  return {
    name: scheme.name,
    ...(scheme.hash !== null && { hash: scheme.hash }),
    ...(scheme.crv !== undefined && { namedCurve: scheme.crv }),
    ...(scheme.pssSaltBytes !== undefined && { saltLength: scheme.pssSaltBytes }),
  };
}

/** What WebCrypto wants to know of an algorithm, at import as at use. */
export interface WebParameters {
  readonly name: string;
  readonly hash?: string;
  readonly namedCurve?: string;
  readonly saltLength?: number;
}

/** Signs a text of one byte a character. */
export type Sign = (text: string) => MaybePromise<Bytes>;

/** Makes the signing function of a private key of `node:crypto`, which must fit the algorithm. */
export function nodeSigner(node: NodeCrypto, key: NodeKey, algorithm: KeyAlgorithm): Sign {
  const scheme = schemes[algorithm];
  const hash = nodeHash(scheme);
  const input = nodeInput(key, scheme);
  return (text) => node.sign(hash, toScratch(text), input);
}

/** Makes the signing function of a private key of WebCrypto, which is loaded at first use. */
export function webSigner(
  algorithm: KeyAlgorithm,
  load: (parameters: WebParameters) => MaybePromise<CryptoKey>,
): Sign {
  const parameters = webParameters(schemes[algorithm]);
  let key: CryptoKey | undefined;
  return async (text) => {
    key ??= await load(parameters);
    return new Uint8Array(await crypto.subtle.sign(parameters, key, toBytes(text)));
  };
}

/** The algorithms that a key of WebCrypto may serve: its own, by all its names. */
export function algorithmsOfCryptoKey({ algorithm }: CryptoKey): readonly KeyAlgorithm[] {
  const { name, hash, namedCurve }: { name: string; hash?: { name: string }; namedCurve?: string } =
    algorithm;
  return keyAlgorithms.filter((candidate) => {
    const scheme = schemes[candidate];
    if (scheme.name !== name) return false;
    return scheme.kty === 'RSA'
      ? scheme.hash === hash?.name
      : scheme.kty === 'OKP' || scheme.crv === namedCurve;
  });
}

/** Makes the verification function of a shared secret; the comparison takes the same time for every signature. */
export function importSecret(secret: Bytes, algorithm: SecretAlgorithm): VerifySignature {
  const bits = Number(algorithm.slice(2)) as HashBits;
  const node = nodeCrypto;
  if (node !== undefined && nodeBuffer !== undefined) {
    const mac = nodeHmac(node, nodeBuffer, bits, secret);
    return (text, signature) =>
      // As text, which Node makes faster than a buffer with memory of its own.
      signature.length === bits / 8 && node.timingSafeEqual(toScratch(mac(text)), signature);
  }
  const parameters = { name: 'HMAC', hash: `SHA-${bits}` };
  let key: CryptoKey | undefined;
  return async (text, signature) => {
    key ??= await crypto.subtle.importKey('raw', secret, parameters, false, ['verify']);
    return crypto.subtle.verify('HMAC', key, signature, toBytes(text));
  };
}

/**
 * Makes the HMAC function (RFC 2104) of a secret, from a text to its code, both of one byte a character. Two digests
 * at once cost little more than half of what setting up OpenSSL's own HMAC does.
 */
function nodeHmac(
  node: NodeCrypto,
  buffer: NodeBuffer,
  bits: HashBits,
  secret: Bytes,
): (text: string) => string {
  const hash = `sha${bits}`;
  const block = bits === 256 ? 64 : 128;
  let key = secret;
  if (secret.length > block) {
    // Memory of its own: what Node makes of a text may lie among that of others.
    const digest = buffer.alloc(bits / 8);
    digest.write(node.hash(hash, secret, 'latin1'), 0, 'latin1');
    key = digest;
  }
  const inner = buffer.alloc(block);
  const outer = buffer.alloc(block + bits / 8);
  for (let at = 0; at < block; at++) {
    inner[at] = (key[at] ?? 0) ^ 0x36;
    outer[at] = (key[at] ?? 0) ^ 0x5c;
  }
  return (text) => {
    const length = block + text.length;
    const message = scratch && length <= scratch.length ? scratch.subarray(0, length) : buffer.alloc(length);
    message.set(inner);
    message.write(text, block, 'latin1');
    outer.write(node.hash(hash, message, 'latin1'), block, 'latin1');
    message.fill(0, 0, block);
    return node.hash(hash, outer, 'latin1');
  };
}

/** The SHA-256 digest (FIPS 180-4): at once where the runtime has it so. */
export function sha256(data: Bytes): MaybePromise<Bytes> {
  if (nodeCrypto !== undefined) return nodeCrypto.createHash('sha256').update(data).digest();
  return crypto.subtle.digest('SHA-256', data).then((digest) => new Uint8Array(digest));
}

/** HMAC with SHA-256 (RFC 2104): at once where the runtime has it so. */
export function hmacSha256(secret: Bytes, data: Bytes): MaybePromise<Bytes> {
  return hmac(256, secret, data);
}

/** HMAC with SHA-2 of so many bits (RFC 2104): at once where the runtime has it so. */
export function hmac(bits: HashBits, secret: Bytes, data: Bytes): MaybePromise<Bytes> {
  if (nodeCrypto !== undefined) return nodeCrypto.createHmac(`sha${bits}`, secret).update(data).digest();
  return signHmacWeb(bits, secret, data);
}

export type HashBits = 256 | 384 | 512;

async function signHmacWeb(bits: HashBits, secret: Bytes, data: Bytes): Promise<Bytes> {
  const parameters = { name: 'HMAC', hash: `SHA-${bits}` };
  const key = await crypto.subtle.importKey('raw', secret, parameters, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', key, data));
}
