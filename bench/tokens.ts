/** Keys, access tokens and proofs for the benchmarks. */
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  randomBytes,
  randomUUID,
  sign,
} from 'node:crypto';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import { fresh } from './harness.ts';

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

export async function createSigner(algorithm: Algorithm, kid = 'bench-key-1'): Promise<Signer> {
  const header = encode({ alg: algorithm, typ: 'at+jwt', kid });
  const input = (more?: object): string => `${header}.${encode({ ...claims(), ...more })}`;
  if (algorithm === 'HS256') {
    const secret = randomBytes(32);
    const jwk = { kty: 'oct', k: secret.toString('base64url'), alg: algorithm, kid };
    const token = (more?: object): string => {
      const text = input(more);
      return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    };
    return { algorithm, jwk, secret, publicKey: undefined, token };
  }
  const pair = await generateKeyPair(algorithm, { extractable: true });
  const jwk = { ...(await exportJWK(pair.publicKey)), alg: algorithm, kid, use: 'sig' };
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

/** A client with a key of its own. */
export interface Client {
  readonly jkt: string;
  readonly publicKey: KeyObject;
  /** A new proof (RFC 9449) for a request with this token. */
  prove(method: string, url: string, token: string): string;
}

export async function createClient(): Promise<Client> {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = await exportJWK(publicKey);
  const header = encode({ typ: 'dpop+jwt', alg: 'ES256', jwk });
  const prove = (htm: string, htu: string, token: string): string => {
    const iat = Math.floor(Date.now() / 1000);
    const ath = hash('sha256', token, 'base64url');
    const text = `${header}.${encode({ jti: randomUUID(), htm, htu, iat, ath })}`;
    const signature = sign('SHA256', Buffer.from(text), { key: privateKey, dsaEncoding: 'ieee-p1363' });
    return fresh(`${text}.${signature.toString('base64url')}`);
  };
  return { jkt: await calculateJwkThumbprint(jwk), publicKey, prove };
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
