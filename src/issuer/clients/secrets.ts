/** Client secrets: made, hashed and compared here and nowhere else. */
import { createHash, createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';
import { encodeBase64url } from '../../shared/base64url.ts';
import type { StoredSecret } from '../storage/records.ts';

export type RandomBytes = (length: number) => Uint8Array;

export interface Secrets {
  /** A new client secret of 256 random bits. */
  generate(): string;
  /** An identifier of 128 random bits. */
  identifier(): string;
  /** A secret in the form in which it may be kept. */
  seal(clientId: string, secret: string, nowMs: number): StoredSecret;
  /** The id of the live secret that this one is. Costs the same if there is none to compare with. */
  match(clientId: string, secret: string, kept: readonly StoredSecret[], nowMs: number): string | undefined;
  /** Compares two texts in a time that tells nothing of where they differ, or how long they are. */
  same(expected: string, given: string): boolean;
}

const SECRET_BYTES = 32;
const HASH_BYTES = 32;
const HINT_CHARACTERS = 4;
const CHECKSUM_CHARACTERS = 6;

/** Derives a key for one purpose, so that no key of the issuer serves two (RFC 5869). */
export function deriveKey(secretKey: Uint8Array, purpose: string): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secretKey, '', `service-auth ${purpose}`, HASH_BYTES));
}

export function createSecrets(secretKey: Uint8Array, randomBytes: RandomBytes): Secrets {
  const pepper = deriveKey(secretKey, 'client secrets');
  const comparison = deriveKey(secretKey, 'comparison');
  /** What an unknown client is compared with, so that it costs what a wrong secret does. */
  const decoy = [{ id: '', hash: Buffer.alloc(HASH_BYTES).toString('base64url'), expiresAtMs: 0 }];

  // The client is part of what is hashed: a hash that was copied to another service opens nothing.
  function hash(clientId: string, secret: string): Buffer {
    return createHmac('sha256', pepper)
      .update(JSON.stringify([clientId, secret]))
      .digest();
  }

  function digest(text: string): Buffer {
    return createHmac('sha256', comparison).update(text).digest();
  }

  return {
    generate: () => withChecksum(`sas_${encodeBase64url(randomBytes(SECRET_BYTES))}`),
    identifier: () => encodeBase64url(randomBytes(16)),
    seal: (clientId, secret, createdAtMs) => ({
      id: encodeBase64url(randomBytes(9)),
      hash: hash(clientId, secret).toString('base64url'),
      sealed: undefined,
      hint: secret.slice(-HINT_CHARACTERS),
      createdAtMs,
      expiresAtMs: undefined,
      lastUsedAtMs: undefined,
    }),
    match(clientId, secret, kept, nowMs) {
      const given = hash(clientId, secret);
      let found: string | undefined;
      for (const { id, hash: expected, expiresAtMs = Infinity } of kept.length === 0 ? decoy : kept) {
        const isSame = timingSafeEqual(Buffer.from(expected, 'base64url'), given);
        if (isSame && expiresAtMs > nowMs) found = id;
      }
      return found;
    },
    same: (expected, given) => timingSafeEqual(digest(expected), digest(given)),
  };
}

/** A checksum lets scanners of leaked text tell a real secret from a lookalike without asking the issuer. */
function withChecksum(text: string): string {
  return text + createHash('sha256').update(text).digest('base64url').slice(0, CHECKSUM_CHARACTERS);
}
