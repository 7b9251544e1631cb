/** Private signing keys at rest: encrypted, so that a copy of the storage signs nothing. */
import { CompactEncrypt, type CryptoKey, compactDecrypt, importJWK, type JWK } from 'jose';
import { deriveKey } from '../clients/secrets.ts';
import type { StoredSigningKey } from '../storage/records.ts';

/** A signing key ready for use; imported once, since importing costs as much as signing. */
export interface SigningKey extends StoredSigningKey {
  readonly privateKey: CryptoKey;
  readonly publicKey: CryptoKey;
  readonly publicJwk: JWK;
}

export interface SealedKeys {
  seal(privateJwk: JWK): Promise<string>;
  /** Decrypts and imports keys; those that were opened before cost nothing. */
  openAll(stored: readonly StoredSigningKey[]): Promise<readonly SigningKey[]>;
}

export function createSealedKeys(secretKey: Uint8Array): SealedKeys {
  const encryptionKey = deriveKey(secretKey, 'signing keys');
  let opened: ReadonlyMap<string, SigningKey> = new Map();

  async function open(stored: StoredSigningKey): Promise<SigningKey> {
    const { kid, algorithm } = stored;
    const jwk: JWK = JSON.parse(new TextDecoder().decode(await decrypt(stored.sealedKey)));
    const { kty, crv, n, e, x, y } = jwk;
    const members = kty === 'RSA' ? { kty, n, e } : kty === 'EC' ? { kty, crv, x, y } : { kty, crv, x };
    const publicJwk = Object.freeze({ ...members, kid, use: 'sig', alg: algorithm } as JWK);
    const privateKey = await importKey(jwk, algorithm);
    const publicKey = await importKey(publicJwk, algorithm);
    return Object.freeze({ ...stored, privateKey, publicKey, publicJwk });
  }

  async function decrypt(sealedKey: string): Promise<Uint8Array> {
    try {
      const { plaintext } = await compactDecrypt(sealedKey, encryptionKey);
      return plaintext;
    } catch {
      throw new Error('a signing key in the storage cannot be opened: it was stored with another secretKey');
    }
  }

  return {
    async seal(privateJwk) {
      const text = new TextEncoder().encode(JSON.stringify(privateJwk));
      const header = { alg: 'dir', enc: 'A256GCM' };
      return new CompactEncrypt(text).setProtectedHeader(header).encrypt(encryptionKey);
    },
    async openAll(stored) {
      const keys = await Promise.all(stored.map((key) => opened.get(key.kid) ?? open(key)));
      opened = new Map(keys.map((key) => [key.kid, key]));
      return keys;
    },
  };
}

async function importKey(jwk: JWK, algorithm: string): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm, { extractable: false });
  if (key instanceof Uint8Array) throw new Error('a signing key in the storage is not asymmetric');
  return key;
}
