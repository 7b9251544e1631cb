/** A client that proves possession of a key (RFC 9449), made by jose: another implementation than the one under test. */
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair } from 'jose';
import { url } from './judge.mjs';

const encoder = new TextEncoder();

export async function createProver(alg = 'ES256') {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = await exportJWK(publicKey);
  return {
    jkt: await calculateJwkThumbprint(jwk),
    /** A proof for one request with a token; changed claims that are `undefined` are left out. */
    async prove(token, claims = {}) {
      const digest = await crypto.subtle.digest('SHA-256', encoder.encode(token));
      const ath = btoa(String.fromCharCode(...new Uint8Array(digest)))
        .replaceAll('+', '-')
        .replaceAll('/', '_')
        .replaceAll('=', '');
      const iat = Math.floor(Date.now() / 1000);
      const payload = { jti: crypto.randomUUID(), htm: 'GET', htu: url, iat, ath, ...claims };
      return new CompactSign(encoder.encode(JSON.stringify(payload)))
        .setProtectedHeader({ typ: 'dpop+jwt', alg, jwk })
        .sign(privateKey);
    },
  };
}
