/** An issuer that is only its keys: tokens of every algorithm, made by jose. */
import { CompactSign, exportJWK, generateKeyPair } from 'jose';

export const issuerUrl = 'https://keys.example';
export const audience = 'https://orders.example';
export const sharedSecret = 'a secret of the checks that is as long as a hash of SHA-512, which is 64 bytes';

const encoder = new TextEncoder();
const made = new Map();

/** The key of an algorithm, made once: those of RSA take long. Keys of two names differ. */
export async function keyOf(alg, name = 'first') {
  const kid = `${alg} ${name}`;
  const known = made.get(kid);
  if (known !== undefined) return known;
  const key = alg.startsWith('HS') ? secretKey(alg, kid) : await keyPair(alg, kid);
  made.set(kid, key);
  return key;
}

function secretKey(alg, kid) {
  return { alg, kid, signer: encoder.encode(sharedSecret), issuer: { secret: sharedSecret } };
}

async function keyPair(alg, kid) {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const jwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' };
  const privateJwk = { ...(await exportJWK(privateKey)), kid, alg };
  return { alg, kid, signer: privateKey, jwk, privateJwk, issuer: { jwks: { keys: [jwk] } } };
}

/** The options of a verifier that trusts the tokens of a key. */
export function trusting({ issuer }, more = {}) {
  return { issuer: { issuer: issuerUrl, ...issuer }, audience, ...more };
}

export async function sign({ alg, kid, signer }, payload, header = {}) {
  return new CompactSign(encoder.encode(JSON.stringify(payload)))
    .setProtectedHeader({ alg, kid, ...header })
    .sign(signer);
}

/** A token that is good for five minutes; changed claims that are `undefined` are left out. */
export async function mint(key, { claims = {}, header = {}, seconds = Math.floor(Date.now() / 1000) } = {}) {
  const all = {
    iss: issuerUrl,
    sub: 'billing',
    aud: audience,
    client_id: 'billing',
    scope: 'orders:read stock:read',
    iat: seconds,
    exp: seconds + 300,
    jti: crypto.randomUUID(),
    ...claims,
  };
  return sign(key, all, { typ: 'at+jwt', ...header });
}

/** The token with a signature that does not hold. */
export function tampered(token) {
  const [header, payload, signature] = token.split('.');
  const first = signature.startsWith('A') ? 'B' : 'A';
  return [header, payload, first + signature.slice(1)].join('.');
}
