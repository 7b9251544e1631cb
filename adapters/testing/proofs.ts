/** DPoP proofs (RFC 9449 section 4.2), and those that are wrong in one way. */
import { createHash, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import { encodeJson } from '../../src/shared/base64url.ts';

/** What may be wrong with a DPoP proof. */
export const proofFaults = [
  'wrong_method',
  'wrong_url',
  'wrong_token',
  'wrong_key',
  'too_old',
  'in_future',
  'tampered',
] as const;
export type ProofFault = (typeof proofFaults)[number];

/** What a proof is for. */
export interface TestProof {
  readonly method: string;
  /** Absolute. */
  readonly url: string;
  readonly accessToken: string;
  readonly nonce: string | undefined;
  readonly nowMs: number;
  readonly fault: ProofFault | undefined;
}

/** A key that a token is bound to. */
export interface ProofKey {
  /** The thumbprint (RFC 7638) of the key. */
  readonly jkt: string;
  prove(proof: TestProof): string;
}

interface KeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

const HOUR_SECONDS = 3600;

/** Each token gets a key of its own: to make one takes less than to sign with it. */
export function createProofKey(): ProofKey {
  const pair = generatePair();
  const { crv, kty, x, y } = publicJwk(pair);
  const canonical = JSON.stringify({ crv, kty, x, y });
  return {
    jkt: createHash('sha256').update(canonical).digest('base64url'),
    prove: (proof) => makeProof(proof.fault === 'wrong_key' ? generatePair() : pair, proof),
  };
}

function makeProof(pair: KeyPair, { method, url, accessToken, nonce, nowMs, fault }: TestProof): string {
  const { origin, pathname } = new URL(url);
  const age = fault === 'too_old' ? HOUR_SECONDS : fault === 'in_future' ? -HOUR_SECONDS : 0;
  const claims = {
    jti: randomUUID(),
    htm: fault === 'wrong_method' ? otherMethod(method) : method,
    htu: `${origin}${fault === 'wrong_url' ? '/another/path' : pathname}`,
    iat: Math.floor(nowMs / 1000) - age,
    ath: createHash('sha256')
      .update(fault === 'wrong_token' ? 'another token' : accessToken)
      .digest('base64url'),
    nonce,
  };
  const header = { typ: 'dpop+jwt', alg: 'ES256', jwk: publicJwk(pair) };
  const input = `${encodeJson(header)}.${encodeJson(claims)}`;
  const signed = fault === 'tampered' ? `${input}, and more` : input;
  const signature = sign('sha256', Buffer.from(signed), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${input}.${signature.toString('base64url')}`;
}

function otherMethod(method: string): string {
  return method === 'GET' ? 'POST' : 'GET';
}

function generatePair(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' });
}

function publicJwk({ publicKey }: KeyPair) {
  const { kty, crv, x, y } = publicKey.export({ format: 'jwk' });
  return { kty, crv, x, y };
}
