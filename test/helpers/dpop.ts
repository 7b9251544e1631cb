/** Clients that prove possession of a key (RFC 9449), made by jose. */
import { createHash, randomUUID } from 'node:crypto';
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from 'jose';
import type { AuthRequest } from '../../src/index.ts';
import { nowSeconds } from './tokens.ts';

export interface DpopClient {
  readonly jkt: string;
  readonly publicJwk: JWK;
  readonly privateJwk: JWK;
  /** A proof with these claims and header members changed; `undefined` removes one. */
  prove(claims?: object, header?: object): Promise<string>;
}

export const url = 'https://orders.example/orders';

export async function createDpopClient(alg = 'ES256'): Promise<DpopClient> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  const publicJwk = await exportJWK(publicKey);
  return {
    jkt: await calculateJwkThumbprint(publicJwk),
    publicJwk,
    privateJwk: await exportJWK(privateKey),
    prove(claims = {}, header = {}) {
      const payload = { jti: randomUUID(), htm: 'GET', htu: url, iat: nowSeconds, ...claims };
      const protectedHeader = withoutUndefined({ typ: 'dpop+jwt', alg, jwk: publicJwk, ...header });
      return new CompactSign(new TextEncoder().encode(JSON.stringify(payload)))
        .setProtectedHeader(protectedHeader as { alg: string })
        .sign(privateKey);
    },
  };
}

function withoutUndefined(object: object): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** `ath`, by another implementation than the one under test. */
export function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('base64url');
}

/** A request as clients make it; a list becomes several header fields, joined as `Headers` does. */
export function requestWith(
  headers: Record<string, string | readonly string[]>,
  more: Partial<AuthRequest> = {},
): AuthRequest {
  const all = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    for (const one of [value].flat()) all.append(name, one);
  }
  return { method: 'GET', url, headers: all, ...more };
}
