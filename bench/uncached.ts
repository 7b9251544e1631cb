/** Uncached verification by algorithm, against the raw signature check and against peers. */
import { createHmac, createSecretKey, timingSafeEqual, verify } from 'node:crypto';
import { JwtRsaVerifier } from 'aws-jwt-verify';
import { createVerifier as createFastJwtVerifier } from 'fast-jwt';
import { createLocalJWKSet, importJWK, jwtVerify } from 'jose';
import { createVerifier } from 'service-auth';
import type { Contender } from './harness.ts';
import { type Algorithm, audience, createSigner, issuer, type Signer } from './tokens.ts';

export const algorithms: readonly Algorithm[] = ['RS256', 'PS256', 'ES256', 'EdDSA', 'HS256'];

export async function uncached(algorithm: Algorithm, operations: number): Promise<readonly Contender[]> {
  const signer = await createSigner(algorithm);
  const tokens = Array.from({ length: operations }, () => signer.token());
  return [
    floor(signer, tokens),
    ours(signer, tokens),
    fastJwt(signer, tokens),
    ...(await peers(signer, tokens)),
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
    name: 'floor: crypto.verify',
    run: (from, count) => {
      for (const [data, signature] of parts.slice(from, from + count)) must(check(data, signature));
    },
  };
}

function ours({ jwk, secret }: Signer, tokens: readonly string[]): Contender {
  const keys = secret === undefined ? { jwks: { keys: [jwk] } } : { secret };
  const verifier = createVerifier({ issuer: { issuer, ...keys }, audience, cache: false });
  return {
    name: 'service-auth',
    run: (from, count) => {
      for (const token of tokens.slice(from, from + count)) {
        const outcome = verifier.verifyToken(token);
        if (outcome instanceof Promise)
          throw new Error('verification with keys in memory must be synchronous');
        must(outcome.ok);
      }
    },
  };
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

async function peers(signer: Signer, tokens: readonly string[]): Promise<readonly Contender[]> {
  const { algorithm, jwk, secret } = signer;
  const key = secret === undefined ? createLocalJWKSet({ keys: [jwk] }) : await importJWK(jwk, algorithm);
  const joseCheck = (token: string): Promise<unknown> =>
    typeof key === 'function'
      ? jwtVerify(token, key, { issuer, audience, algorithms: [algorithm] })
      : jwtVerify(token, key, { issuer, audience, algorithms: [algorithm] });
  const jose: Contender = {
    name: 'jose, local keys',
    run: async (from, count) => {
      for (const token of tokens.slice(from, from + count)) await joseCheck(token);
    },
  };
  if (algorithm === 'HS256' || algorithm === 'PS256') return [jose];
  const aws = JwtRsaVerifier.create({ issuer, audience, jwksUri: `${issuer}/jwks` });
  aws.cacheJwks({ keys: [jwk as never] });
  return [
    jose,
    {
      name: 'aws-jwt-verify, synchronous',
      run: (from, count) => {
        for (const token of tokens.slice(from, from + count)) must(aws.verifySync(token) !== undefined);
      },
    },
  ];
}

function must(holds: boolean): void {
  if (!holds) throw new Error('a token of the benchmark was refused');
}
