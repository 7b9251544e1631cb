/** DPoP proofs by the hundred thousand: `node:crypto` signs them, and nothing is encoded twice. */
import { createHash, createPrivateKey, type JsonWebKey, sign } from 'node:crypto';
import { encodeJson } from './tokens.ts';

export interface Prover {
  /** A proof for one `GET` of the URL with this token, made now (RFC 9449 section 4.2). */
  prove(jti: string, token: string): string;
}

export function createProver(privateJwk: JsonWebKey, url: string): Prover {
  const key = createPrivateKey({ key: privateJwk, format: 'jwk' });
  const { kty, crv, x, y } = privateJwk;
  const header = encodeJson({ typ: 'dpop+jwt', alg: 'ES256', jwk: { kty, crv, x, y } });
  const hashes = new Map<string, string>();

  function hashOf(token: string): string {
    const known = hashes.get(token);
    if (known !== undefined) return known;
    const hash = createHash('sha256').update(token).digest('base64url');
    hashes.set(token, hash);
    return hash;
  }

  return {
    prove(jti, token) {
      const iat = Math.floor(Date.now() / 1000);
      const input = `${header}.${encodeJson({ jti, htm: 'GET', htu: url, iat, ath: hashOf(token) })}`;
      const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
  };
}
