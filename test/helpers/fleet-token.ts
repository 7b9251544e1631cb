/** A token for callers of a fleet, by an issuer that is nothing but a key. */
import { calculateJwkThumbprint } from 'jose';
import type { TrustedIssuer } from '../../src/index.ts';
import { type CallerKey, SERVICE } from './fleet.ts';
import { createKey, issuer, mint } from './tokens.ts';

export interface FleetToken {
  readonly token: string;
  /** Whom services must trust to take it. */
  readonly issuer: TrustedIssuer;
}

export async function createFleetToken({ privateJwk }: CallerKey): Promise<FleetToken> {
  const signer = await createKey('ES256');
  const iat = Math.floor(Date.now() / 1000);
  const cnf = { jkt: await calculateJwkThumbprint({ ...privateJwk, kty: 'EC' }) };
  return {
    token: await mint(signer, { aud: SERVICE, scope: 'read', iat, exp: iat + 3600, cnf }),
    issuer: { issuer, jwks: { keys: [signer.publicJwk] } },
  };
}
