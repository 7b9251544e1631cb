/** The JWS layer alone, put together of the same parts as the verifier: vectors sign payloads that are no JWTs. */
import type { Jwk } from '../../src/index.ts';

export type VerifyJws = (token: string, keys: readonly Jwk[]) => Promise<boolean>;

/** Loads the parts anew, so that a test can choose which crypto they find. */
export async function loadVerifyJws(): Promise<VerifyJws> {
  const { Fault } = await import('../../src/shared/fault.ts');
  const { parseJws } = await import('../../src/shared/jws.ts');
  const { parseKeySet, createStaticKeySet } = await import('../../src/shared/key-set.ts');
  const { importSecret, keyAlgorithms, secretAlgorithms } = await import('../../src/shared/crypto.ts');
  const { decodeBase64url } = await import('../../src/shared/base64url.ts');

  async function verifySecret(token: string, jwk: Jwk): Promise<boolean> {
    const jws = parseJws(token);
    if (jws instanceof Fault) return false;
    const algorithm = secretAlgorithms.find((name) => name === jws.header.alg);
    const secret = decodeBase64url(String(jwk.k));
    if (algorithm === undefined || secret === undefined) return false;
    if (jwk.alg !== undefined && jwk.alg !== algorithm) return false;
    return importSecret(secret, algorithm)(jws.signingInput, jws.signature);
  }

  return async (token, keys) => {
    const [only] = keys;
    if (only?.kty === 'oct') return verifySecret(token, only);
    const jws = parseJws(token);
    if (jws instanceof Fault) return false;
    const set = createStaticKeySet(parseKeySet({ keys }, keyAlgorithms));
    for (const key of await set.find(jws.header.alg, undefined)) {
      if (await key.verify(jws.signingInput, jws.signature)) return true;
    }
    return false;
  };
}
