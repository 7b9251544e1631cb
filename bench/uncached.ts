/** Uncached verification by algorithm, against the raw signature check and against peers. */
import { createHmac, createSecretKey, timingSafeEqual, verify } from 'node:crypto';
import { JwtRsaVerifier } from 'aws-jwt-verify';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import { verify as honoVerify } from 'hono/jwt';
import { createLocalJWKSet, importJWK, type JWK, jwtVerify } from 'jose';
import jsonwebtoken from 'jsonwebtoken';
import { createVerifier } from 'service-auth';
import { type Contender, must } from './harness.ts';
import { awaiting, judging } from './judging.ts';
import { type Algorithm, audience, createSigner, issuer, type Signer } from './tokens.ts';

export const algorithms: readonly Algorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'];

export async function uncached(algorithm: Algorithm, operations: number): Promise<readonly Contender[]> {
  const signer = await createSigner(algorithm);
  const tokens = Array.from({ length: operations }, () => signer.token());
  return [
    floor(signer, tokens),
    ...ours(signer, tokens),
    fastJwt(signer, tokens),
    ...(await jose(signer, tokens)),
    ...awsJwtVerify(signer, tokens),
    ...viaJsonwebtoken(signer, tokens),
    ...(await hono(signer, tokens)),
  ];
}

/** One synchronous signature check with a ready key; what no verifier can go below. */
function floor({ algorithm, publicKey, secret }: Signer, tokens: readonly string[]): Contender {
  const parts = tokens.map((token) => {
    const dot = token.lastIndexOf('.');
    return [Buffer.from(token.slice(0, dot)), Buffer.from(token.slice(dot + 1), 'base64url')] as const;
  });
  const secretKey = secret === undefined ? undefined : createSecretKey(secret);
  const check = (data: Buffer, signature: Buffer): boolean => {
    if (secretKey !== undefined) {
      return timingSafeEqual(createHmac('sha256', secretKey).update(data).digest(), signature);
    }
    if (publicKey === undefined) throw new Error('a signer has a key or a secret');
    if (algorithm === 'EdDSA') return verify(null, data, publicKey, signature);
    const key =
      algorithm === 'PS256'
        ? { key: publicKey, padding: 6, saltLength: 32 }
        : { key: publicKey, dsaEncoding: 'ieee-p1363' as const };
    return verify('SHA256', data, key, signature);
  };
  return {
    name: secretKey === undefined ? 'floor: crypto.verify' : 'floor: createHmac',
    run: (from, count) => {
      for (const [data, signature] of parts.slice(from, from + count)) must(check(data, signature));
    },
  };
}

function ours({ jwk, secret }: Signer, tokens: readonly string[]): readonly Contender[] {
  const keys = secret === undefined ? { jwks: { keys: [jwk] } } : { secret };
  const verifier = createVerifier({ issuer: { issuer, ...keys }, audience, cache: false });
  return judging('service-auth', { items: tokens }, (token) => verifier.verifyToken(token));
}

function fastJwt({ algorithm, publicKey, secret }: Signer, tokens: readonly string[]): Contender {
  const key = secret ?? publicKey?.export({ type: 'spki', format: 'pem' }) ?? '';
  const check = createFastJwtVerifier({
    key,
    algorithms: [algorithm],
    allowedIss: issuer,
    allowedAud: audience,
    cache: false,
  });
  return {
    name: 'fast-jwt, cache off',
    run: (from, count) => {
      for (const token of tokens.slice(from, from + count)) must(check(token) !== undefined);
    },
  };
}

async function jose(
  { algorithm, jwk, secret }: Signer,
  tokens: readonly string[],
): Promise<readonly Contender[]> {
  const options = { issuer, audience, typ: 'at+jwt', algorithms: [algorithm] };
  const key = await importJWK(jwk, algorithm);
  const set = createLocalJWKSet({ keys: [jwk] });
  const check = (token: string): Promise<unknown> =>
    secret === undefined ? jwtVerify(token, set, options) : jwtVerify(token, key, options);
  return awaiting('jose, local keys', { items: tokens }, check);
}

/** It knows neither shared secrets nor PS256. */
function awsJwtVerify({ algorithm, jwk }: Signer, tokens: readonly string[]): readonly Contender[] {
  if (algorithm === 'HS256' || algorithm === 'PS256') return [];
  const aws = JwtRsaVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks` });
  aws.cacheJwks({ keys: [jwk as never] });
  return [
    {
      name: 'aws-jwt-verify, synchronous',
      run: (from, count) => {
        for (const token of tokens.slice(from, from + count)) must(aws.verifySync(token) !== undefined);
      },
    },
  ];
}

/** With a KeyObject, which it would otherwise make of each PEM; it knows no EdDSA. */
function viaJsonwebtoken(
  { algorithm, publicKey, secret }: Signer,
  tokens: readonly string[],
): readonly Contender[] {
  if (algorithm === 'EdDSA') return [];
  const key = publicKey ?? createSecretKey(secret ?? Buffer.alloc(0));
  const options = { algorithms: [algorithm], issuer, audience };
  return [
    {
      name: 'jsonwebtoken, KeyObject',
      run: (from, count) => {
        for (const token of tokens.slice(from, from + count)) {
          must(jsonwebtoken.verify(token, key, options) !== undefined);
        }
      },
    },
  ];
}

/** With a CryptoKey made once, and with the JWK that its middleware `jwk` holds and imports for every token. */
async function hono(signer: Signer, tokens: readonly string[]): Promise<readonly Contender[]> {
  const { algorithm, jwk } = signer;
  const options = { alg: algorithm, iss: issuer, aud: audience, typ: 'at+jwt' };
  const contenders = (name: string, key: Parameters<typeof honoVerify>[1]): readonly Contender[] =>
    awaiting(name, { items: tokens }, (token) => honoVerify(token, key, options));
  const ready = contenders('hono, CryptoKey', await importCryptoKey(jwk, algorithm));
  // For secrets it takes text or a CryptoKey.
  return algorithm === 'HS256' ? ready : [...ready, ...contenders('hono, JWK', jwk as JsonWebKey)];
}

const webCrypto = {
  RS256: { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' },
  PS256: { name: 'RSA-PSS', hash: 'SHA-256' },
  ES256: { name: 'ECDSA', namedCurve: 'P-256' },
  EdDSA: { name: 'Ed25519' },
  HS256: { name: 'HMAC', hash: 'SHA-256' },
} as const;

function importCryptoKey({ alg: _, use: __, ...jwk }: JWK, algorithm: Algorithm): Promise<CryptoKey> {
  return crypto.subtle.importKey('jwk', jwk as JsonWebKey, webCrypto[algorithm], false, ['verify']);
}
