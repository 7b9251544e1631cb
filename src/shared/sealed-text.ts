/** Text for the eyes of those who share a secret, kept by somebody who does not: AES-256-GCM (NIST SP 800-38D). */
import { decodeBase64url, encodeBase64url } from './base64url.ts';
import type { Bytes } from './runtime.ts';
import { joinBytes } from './transport.ts';

export interface SealedTextOptions {
  /** At least 32 bytes that nobody can guess; a password is none. */
  readonly secret: Bytes;
  /** What the keys are for: those of different purposes have nothing in common. */
  readonly purpose: string;
}

export interface SealedText {
  /** A name that tells those without the secret nothing of what it stands for; the same every time. */
  nameOf(label: string): Promise<string>;
  /** Seals well-formed text under a name; every time otherwise. */
  seal(name: string, text: string): Promise<string>;
  /** What was sealed under this very name with this secret and purpose; `undefined` for anything else. */
  open(name: string, sealed: string): Promise<string | undefined>;
}

interface Keys {
  readonly sealing: CryptoKey;
  readonly naming: CryptoKey;
}

/** Begins all that is sealed here; another format will begin otherwise. */
const VERSION = 'v1.';
const NONCE_BYTES = 12;
/** Nobody seals as much here; nothing longer is even decoded. */
const LONGEST_SEALED = 512 * 1024;

/**
 * Seals text so that a store can neither read it, nor change it, nor pass the text of one name off as another's.
 *
 * Not noticed: an older text put back under its own name.
 */
export function createSealedText({ secret, purpose }: SealedTextOptions): SealedText {
  const encoder = new TextEncoder();
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  // The value, not its promise: some runtimes forbid waiting for a promise of another request.
  let derived: Keys | undefined;

  async function keys(): Promise<Keys> {
    derived ??= await deriveKeys(secret, purpose);
    return derived;
  }

  /** Random nonces of 96 bits serve for 2^32 texts of one key (NIST SP 800-38D section 8.3). */
  const parameters = (name: string, iv: Bytes): AesGcmParams => ({
    name: 'AES-GCM',
    iv,
    additionalData: encoder.encode(VERSION + name),
  });

  return {
    async nameOf(label) {
      const { naming } = await keys();
      const tag = await crypto.subtle.sign('HMAC', naming, encoder.encode(label));
      return encodeBase64url(new Uint8Array(tag));
    },
    async seal(name, text) {
      const { sealing } = await keys();
      const nonce = crypto.getRandomValues(new Uint8Array(NONCE_BYTES));
      const cipher = await crypto.subtle.encrypt(parameters(name, nonce), sealing, encoder.encode(text));
      const bytes = joinBytes([nonce, new Uint8Array(cipher)], NONCE_BYTES + cipher.byteLength);
      return VERSION + encodeBase64url(bytes);
    },
    async open(name, sealed) {
      if (!sealed.startsWith(VERSION) || sealed.length > LONGEST_SEALED) return undefined;
      const bytes = decodeBase64url(sealed.slice(VERSION.length));
      if (bytes === undefined) return undefined;
      const { sealing } = await keys();
      const nonce = bytes.subarray(0, NONCE_BYTES);
      try {
        const cipher = bytes.subarray(NONCE_BYTES);
        return decoder.decode(await crypto.subtle.decrypt(parameters(name, nonce), sealing, cipher));
      } catch {
        return undefined;
      }
    },
  };
}

/** HKDF with SHA-256 (RFC 5869): a key of its own for every use, none of which can be exported. */
async function deriveKeys(secret: Bytes, purpose: string): Promise<Keys> {
  const material = await crypto.subtle.importKey('raw', secret, 'HKDF', false, ['deriveKey']);
  const derive = (use: string, algorithm: AesKeyGenParams | HmacKeyGenParams, usages: KeyUsage[]) => {
    const info = new TextEncoder().encode(`service-auth ${purpose}: ${use}`);
    const parameters = { name: 'HKDF', hash: 'SHA-256', salt: new Uint8Array(0), info };
    return crypto.subtle.deriveKey(parameters, material, algorithm, false, usages);
  };
  const [sealing, naming] = await Promise.all([
    derive('sealing', { name: 'AES-GCM', length: 256 }, ['encrypt', 'decrypt']),
    derive('naming', { name: 'HMAC', hash: 'SHA-256', length: 256 }, ['sign']),
  ]);
  return { sealing, naming };
}
