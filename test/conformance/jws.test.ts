/** RFC 7515, 7520, 7797, 8037 and Wycheproof, on Node's crypto and on WebCrypto. */
import { afterAll, describe, expect, it, vi } from 'vitest';
import type { KeyAlgorithm } from '../../src/shared/crypto.ts';
import type { Bytes } from '../../src/shared/runtime.ts';
import { readVectors, type Vector } from '../helpers/vectors.ts';
import { loadVerifyJws, type VerifyJws } from '../helpers/verify-jws.ts';

const tokenFiles = ['rfc7515-jws', 'rfc7520-jws', 'rfc7797-b64', 'rfc8037-ed25519', 'wycheproof-jws'];
const rawFiles = ['ed25519', 'es256', 'es384', 'es512', 'ps256', 'rs256'].map(
  (name) => `wycheproof-raw-${name}`,
);

type Crypto = typeof import('../../src/shared/crypto.ts');

interface Parts {
  readonly verify: VerifyJws;
  readonly crypto: Crypto;
}

async function load(): Promise<Parts> {
  vi.resetModules();
  return { verify: await loadVerifyJws(), crypto: await import('../../src/shared/crypto.ts') };
}

const node = await load();
const getBuiltinModule = vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
const web = await load();
getBuiltinModule.mockRestore();
afterAll(() => vi.resetModules());

const verdict = (accepted: boolean): string => (accepted ? 'accept' : 'reject');
const bytes = (text: string | undefined): Bytes => new Uint8Array(Buffer.from(text ?? '', 'base64url'));

/** RSA keys under 2048 bits are refused by rule, whatever their signatures are. */
function isWeak({ jwk }: Vector): boolean {
  return jwk?.kty === 'RSA' && bytes(jwk.n).length < 256;
}

/**
 * Two cases that shall show padding have none left: their tokens are the same text, canonical and well signed, and
 * jose accepts it as well. Padding itself is refused, see the contract table.
 */
const withoutTheirFault = ['wycheproof-jws-367', 'wycheproof-jws-370'];

function expectedVerdict(vector: Vector): string {
  if (withoutTheirFault.includes(vector.id)) return 'accept';
  return isWeak(vector) ? 'reject' : vector.expected;
}

async function verifyRaw(
  { importPublicKey }: Crypto,
  { jwk, message, signature, options }: Vector,
): Promise<boolean> {
  try {
    const verify = importPublicKey(jwk ?? {}, options.alg as KeyAlgorithm);
    return await verify(Buffer.from(bytes(message)).toString('latin1'), bytes(signature));
  } catch {
    return false;
  }
}

describe.each([
  ['node:crypto', node],
  ['WebCrypto', web],
])('%s', (_name, { verify, crypto }) => {
  describe.each(tokenFiles)('%s', (file) => {
    it.each(readVectors(file))('$id: $description', async (vector) => {
      const { token, jwk, jwks, expected } = vector;
      const text = typeof token === 'string' ? token : JSON.stringify(token);
      const accepted = await verify(text, jwks?.keys ?? [jwk ?? {}]);
      if (expected !== 'either') expect(verdict(accepted)).toBe(expectedVerdict(vector));
    });
  });

  describe.each(rawFiles)('%s', (file) => {
    it.each(readVectors(file))('$id: $description', async (vector) => {
      const accepted = await verifyRaw(crypto, vector);
      // One case is open: a DigestInfo without NULL, which RFC 8017 lets implementations take or refuse.
      expect(['either', verdict(accepted)]).toContain(vector.expected);
    });
  });
});
