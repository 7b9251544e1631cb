/** Private signing keys at rest: encrypted, so that a copy of the storage signs nothing. */
import { CompactEncrypt, compactDecrypt, type JWK } from 'jose';
import { importPublicKey, type Jwk, type Sign, type VerifySignature } from '../../shared/crypto.ts';
import { OptionChecker } from '../../shared/options.ts';
import { importPrivateKey } from '../../shared/private-key.ts';
import { deriveKey } from '../derived-key.ts';
import type { StoredSigningKey } from '../storage/records.ts';

/** A signing key ready for use. */
export interface SigningKey extends StoredSigningKey {
  readonly sign: Sign;
  readonly verify: VerifySignature;
  readonly publicJwk: Jwk;
}

type OpenedKey = Pick<SigningKey, 'sign' | 'verify' | 'publicJwk'>;

export interface SealedKeys {
  seal(privateJwk: JWK): Promise<string>;
  /** Decrypts and imports keys; those that were opened before cost nothing. */
  openAll(stored: readonly StoredSigningKey[]): Promise<readonly SigningKey[]>;
}

/** RFC 7518 section 6, RFC 8037 section 2: what is not named here stays inside. */
const publicMembers = ['kty', 'crv', 'n', 'e', 'x', 'y'];

export function createSealedKeys(secretKey: Uint8Array): SealedKeys {
  const encryptionKey = deriveKey(secretKey, 'signing keys');
  const check = new OptionChecker('a signing key in the storage');
  // Imported once, since importing costs as much as signing.
  let opened: ReadonlyMap<string, OpenedKey> = new Map();

  async function open({ kid, algorithm, sealedKey }: StoredSigningKey): Promise<OpenedKey> {
    const jwk: Jwk = JSON.parse(new TextDecoder().decode(await decrypt(sealedKey)));
    const { alg, sign } = importPrivateKey(check, jwk, algorithm);
    const members = publicMembers.filter((name) => name in jwk).map((name) => [name, jwk[name]]);
    const publicJwk: Jwk = Object.freeze({ ...Object.fromEntries(members), kid, use: 'sig', alg });
    return { sign, verify: importPublicKey(publicJwk, alg), publicJwk };
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
      const keys = await Promise.all(
        stored.map(async (key) => ({ ...key, ...(opened.get(key.kid) ?? (await open(key))) })),
      );
      opened = new Map(keys.map(({ kid, sign, verify, publicJwk }) => [kid, { sign, verify, publicJwk }]));
      return keys;
    },
  };
}
