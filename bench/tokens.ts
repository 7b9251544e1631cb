/** Keys and access tokens for the benchmarks, signed by jose. */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { exportJWK, generateKeyPair, type JWK } from 'jose';

export type Algorithm = 'RS256' | 'PS256' | 'ES256' | 'EdDSA' | 'HS256';

export const issuer = 'https://issuer.example';
export const audience = 'https://orders.example';
export const now = Date.now();

export interface Signer {
  readonly algorithm: Algorithm;
  readonly jwk: JWK;
  readonly publicKey: KeyObject | undefined;
  readonly secret: Buffer | undefined;
  /** A token of its own `jti`, with more claims than usual where some are given. */
  token(more?: object): string;
}

export async function createSigner(algorithm: Algorithm): Promise<Signer> {
  const header = encode({ alg: algorithm, typ: 'at+jwt', kid: 'bench-key-1' });
  const input = (more?: object): string => `${header}.${encode({ ...claims(), ...more })}`;
  if (algorithm === 'HS256') {
    const secret = randomBytes(32);
    const jwk = { kty: 'oct', k: secret.toString('base64url'), alg: algorithm, kid: 'bench-key-1' };
    const token = (more?: object): string => {
      const text = input(more);
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    return { algorithm, jwk, secret, publicKey: undefined, token };
  }
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), alg: algorithm, kid: 'bench-key-1', use: 'sig' };
  const key = createPrivateKey({ key: await exportJWK(pair.privateKey), format: 'jwk' });
  const token = (more?: object): string => {
    const text = input(more);
    const signature = sign(
      algorithm === 'EdDSA' ? null : 'SHA256',
      Buffer.from(text),
      algorithm === 'PS256' ? { key, padding: 6, saltLength: 32 } : { key, dsaEncoding: 'ieee-p1363' },
    );
    return `${text}.${signature.toString('base64url')}`;
  };
  return {
    algorithm,
    jwk,
    secret: undefined,
    publicKey: createPublicKey({ key: jwk, format: 'jwk' }),
    token,
  };
}

export function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}

function claims(): object {
  const seconds = Math.floor(now / 1000);
  return {
    iss: issuer,
    sub: 'billing-service',
    aud: audience,
    client_id: 'billing-service',
    scope: 'orders:read orders:write',
    iat: seconds,
    exp: seconds + 3600,
    jti: randomUUID(),
    tenant: 'a-tenant-identifier-of-usual-length',
    roles: ['reader', 'writer'],
    deployment: { region: 'eu-central-1', zone: 'b' },
  };
}
