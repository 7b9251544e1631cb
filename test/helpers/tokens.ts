/** Keys and access tokens for tests, made by jose, at a fixed time. */
import { createHmac, type JsonWebKey, randomBytes } from 'node:crypto';
import { base64url, CompactSign, exportJWK, generateKeyPair, type JWK } from 'jose';

export const issuer = 'https://issuer.example';
export const audience = 'https://orders.example';
/** The time of every test that injects a clock, in epoch milliseconds. */
export const nowMs = 1_800_000_000_000;
export const nowSeconds = nowMs / 1000;

export interface TestKey {
  readonly alg: string;
  readonly kid: string;
  readonly publicJwk: JWK & JsonWebKey;
  sign(header: object, payload: string | object): Promise<string>;
}

export async function createKey(alg: string, kid = `${alg}-1`): Promise<TestKey> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } as JWK & JsonWebKey;
  return {
    alg,
    kid,
    publicJwk,
    sign: (header, payload) =>
      new CompactSign(
        new TextEncoder().encode(typeof payload === 'string' ? payload : JSON.stringify(payload)),
      )
        .setProtectedHeader({ alg, kid, ...header })
        .sign(privateKey),
  };
}

export const sharedSecret = randomBytes(64).toString('base64url');

/** A token of the HS family, signed with any bytes, as an attacker may. */
export function signHmac(secret: string | Uint8Array, header: object, claims: object, alg = 'HS256'): string {
  const input = `${encodeJson({ alg, typ: 'at+jwt', ...header })}.${encodeJson(claims)}`;
  const signature = createHmac(`sha${alg.slice(2)}`, secret)
    .update(input)
    .digest('base64url');
  return `${input}.${signature}`;
}

export function encodeJson(value: unknown): string {
  return base64url.encode(JSON.stringify(value));
}

/** The claims of a good token; `undefined` removes one. */
export function goodClaims(changes: object = {}): Record<string, unknown> {
  const claims = {
    iss: issuer,
    sub: 'billing',
    aud: audience,
    client_id: 'billing',
    scope: 'orders:read stock:read',
    iat: nowSeconds,
    exp: nowSeconds + 300,
    jti: 'token-1',
    ...changes,
  };
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined));
}

export function mint(key: TestKey, changes: object = {}, header: object = {}): Promise<string> {
  return key.sign({ typ: 'at+jwt', ...header }, goodClaims(changes));
}

/** Replaces one of the three parts of a token. */
export function withPart(token: string, part: 0 | 1 | 2, text: string): string {
  const parts = token.split('.');
  parts[part] = text;
  return parts.join('.');
}
