/** Client secrets and opaque tokens: made, hashed and compared here and nowhere else. */
import { createCipheriv, createDecipheriv, createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { decodeBase64url, encodeBase64url } from '../../shared/base64url.ts';
import { deriveKey } from '../derived-key.ts';
import type { RandomBytes } from '../issuer-options.ts';
import type { StoredSecret } from '../storage/records.ts';

export interface SealOptions {
  readonly nowMs: number;
  /** From then on the secret opens nothing. */
  readonly expiresAtMs?: number | undefined;
  /** Keeps the secret itself too, encrypted: `client_secret_jwt` cannot be verified without it. */
  readonly keepSecret?: boolean | undefined;
}

export interface Secrets {
  /** A new client secret of 256 random bits. */
  generate(): string;
  /** The client secret that belongs to a salt: the same every time, and nothing without the issuer's `secretKey`. */
  derive(salt: string): string;
  /** A new opaque token of 256 random bits. */
  generateToken(): string;
  /** An identifier of 128 random bits. */
  identifier(): string;
  /** A secret in the form in which it may be kept. */
  seal(clientId: string, secret: string, options: SealOptions): StoredSecret;
  /** The secret itself, where it was kept for this very client; `undefined` for anything else. */
  open(clientId: string, kept: StoredSecret): string | undefined;
  /** Costs what `open` does, and gives a secret that nobody knows. */
  openDecoy(): string;
  /** The id of the live secret that this one is. Costs the same if there is none to compare with. */
  match(clientId: string, secret: string, kept: readonly StoredSecret[], nowMs: number): string | undefined;
  /** Compares two texts in a time that tells nothing of where they differ, or how long they are. */
  same(expected: string, given: string): boolean;
  /** Stands for a text where the text itself must not be kept; those of different purposes have nothing in common. */
  fingerprint(purpose: string, text: string): string;
}

const SECRET_BYTES = 32;
const HASH_BYTES = 32;
const NONCE_BYTES = 12;
/** What the decoy is bound to; workerd encrypts nothing that is bound to an empty text. */
const DECOY = 'decoy';
const TAG_BYTES = 16;
const HINT_CHARACTERS = 4;
const CHECKSUM_CHARACTERS = 6;
const SECRET_PREFIX = 'sas_';
const TOKEN_PREFIX = 'sat_';
/** So many comparisons are made at least, so that time does not tell whether there is a secret to compare with. */
const LEAST_COMPARISONS = 4;

export function createSecrets(secretKey: Uint8Array, randomBytes: RandomBytes): Secrets {
  const pepper = deriveKey(secretKey, 'client secrets');
  const comparison = deriveKey(secretKey, 'comparison');
  const derivation = deriveKey(secretKey, 'derived client secrets');
  const fingerprints = deriveKey(secretKey, 'fingerprints');
  const sealing = deriveKey(secretKey, 'sealed client secrets');
  const decoy = { id: '', hash: Buffer.alloc(HASH_BYTES).toString('base64url'), expiresAtMs: 0 };
  const sealedDecoy = encrypt(secretOf(randomBytes(SECRET_BYTES)), DECOY);
  const decoys = Array.from({ length: LEAST_COMPARISONS }, () => decoy);

  // The client is part of what is hashed: a hash that was copied to another service opens nothing.
  function hash(clientId: string, secret: string): Buffer {
    return keyedHash(pepper, JSON.stringify([clientId, secret]));
  }

  function encrypt(secret: string, boundTo: string): string {
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', sealing, nonce).setAAD(Buffer.from(boundTo));
    const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
    return Buffer.concat([nonce, text, cipher.getAuthTag()]).toString('base64url');
  }

  function decrypt(sealed: string, boundTo: string): string | undefined {
    const bytes = decodeBase64url(sealed);
    if (bytes === undefined || bytes.length < NONCE_BYTES + TAG_BYTES) return undefined;
    try {
      const decipher = createDecipheriv('aes-256-gcm', sealing, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(boundTo)).setAuthTag(bytes.subarray(-TAG_BYTES));
      const text = decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES));
      return Buffer.concat([text, decipher.final()]).toString('utf8');
    } catch {
      return undefined;
    }
  }

  return {
    generate: () => secretOf(randomBytes(SECRET_BYTES)),
    derive: (salt) => secretOf(keyedHash(derivation, salt)),
    generateToken: () => withChecksum(`${TOKEN_PREFIX}${encodeBase64url(randomBytes(SECRET_BYTES))}`),
    identifier: () => encodeBase64url(randomBytes(16)),
    seal(clientId, secret, { nowMs, expiresAtMs, keepSecret = false }) {
      const id = encodeBase64url(randomBytes(9));
      return {
        id,
        hash: hash(clientId, secret).toString('base64url'),
        sealed: keepSecret ? encrypt(secret, JSON.stringify([clientId, id])) : undefined,
        hint: secret.slice(-HINT_CHARACTERS),
        createdAtMs: nowMs,
        expiresAtMs,
        lastUsedAtMs: undefined,
      };
    },
    open: (clientId, { id, sealed }) =>
      sealed === undefined ? undefined : decrypt(sealed, JSON.stringify([clientId, id])),
    openDecoy: () => decrypt(sealedDecoy, DECOY) ?? '',
    match(clientId, secret, kept, nowMs) {
      const given = hash(clientId, secret);
      let found: string | undefined;
      for (const { id, hash: expected, expiresAtMs = Infinity } of [...kept, ...decoys.slice(kept.length)]) {
        const isSame = timingSafeEqual(Buffer.from(expected, 'base64url'), given);
        if (isSame && expiresAtMs > nowMs) found = id;
      }
      return found;
    },
    same: (expected, given) => timingSafeEqual(keyedHash(comparison, expected), keyedHash(comparison, given)),
    fingerprint: (purpose, text) =>
      keyedHash(fingerprints, JSON.stringify([purpose, text])).toString('base64url'),
  };
}

/** Whether a text is a client secret or an opaque token of this make, or a slip of the pen: no issuer is asked. */
export function isWellFormedSecret(text: string): boolean {
  const isKnown = text.startsWith(SECRET_PREFIX) || text.startsWith(TOKEN_PREFIX);
  return isKnown && withChecksum(text.slice(0, -CHECKSUM_CHARACTERS)) === text;
}

/** In hexadecimal, since a text of base64url would be too short a key for HS512 (RFC 7518 section 3.2). */
function secretOf(bytes: Uint8Array): string {
  return withChecksum(`${SECRET_PREFIX}${Buffer.from(bytes).toString('hex')}`);
}

/** A checksum lets scanners of leaked text tell a real secret from a lookalike without asking the issuer. */
function withChecksum(text: string): string {
  return text + createHash('sha256').update(text).digest('base64url').slice(0, CHECKSUM_CHARACTERS);
}

function keyedHash(key: Uint8Array, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest();
}
