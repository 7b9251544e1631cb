/** Keys that no signature holds under: what assertions of unknown clients are verified with, as long as all others. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { importPublicKey, type Jwk, type KeyAlgorithm, type VerifySignature } from '../../shared/crypto.ts';

interface DecoyKey {
  readonly verify: VerifySignature;
}

const RSA_BYTES = 256;
const curves: Partial<Record<KeyAlgorithm, string>> = { ES256: 'P-256', ES384: 'P-384', ES512: 'P-521' };

/** Makes the function that gives the decoy of an algorithm; each is made when it is first needed. */
export function createDecoyKeys(): (algorithm: KeyAlgorithm) => DecoyKey {
  const decoys = new Map<KeyAlgorithm, DecoyKey>();
  return (algorithm) => {
    const known = decoys.get(algorithm);
    if (known !== undefined) return known;
    const verify = importPublicKey(decoyJwk(algorithm), algorithm);
    const decoy: DecoyKey = {
      verify: async (text, signature) => {
        await verify(text, signature);
        return false;
      },
    };
    decoys.set(algorithm, decoy);
    return decoy;
  };
}

/** A public key whose other half is forgotten at once, or never was. */
export function decoyJwk(algorithm: KeyAlgorithm): Jwk {
  const namedCurve = curves[algorithm];
  if (namedCurve !== undefined) return generateKeyPairSync('ec', { namedCurve }).publicKey.export(asJwk);
  if (algorithm.startsWith('Ed')) return generateKeyPairSync('ed25519').publicKey.export(asJwk);
  // Any odd number costs what a product of two primes does, and takes no time to find.
  const n = randomBytes(RSA_BYTES);
  n[0] = 0x80 | (n[0] ?? 0);
  n[RSA_BYTES - 1] = 1 | (n[RSA_BYTES - 1] ?? 0);
  return { kty: 'RSA', n: n.toString('base64url'), e: 'AQAB' };
}

const asJwk = { format: 'jwk' } as const;
