/** DPoP proofs as this issuer takes them (RFC 9449), be they for a token or with one: one set of rules, and of nonces. */
import { createHash } from 'node:crypto';
import type { Emit } from '../../events.ts';
import type { KeyAlgorithm } from '../../shared/crypto.ts';
import { createDpopNonces } from '../../shared/dpop-nonces.ts';
import { createProofVerifier, type HeldProof, type ProofVerifier } from '../../shared/dpop-proof.ts';
import { deriveKey } from '../derived-key.ts';
import type { IssuerSettings } from '../issuer-settings.ts';

export interface Proofs {
  readonly verify: ProofVerifier;
  /** Uses a proof up, once nothing else can refuse the request (RFC 9449 section 11.1); `false` for a replay. */
  use(proof: HeldProof, clientId: string): Promise<boolean>;
  /** The nonce for the next proof, where proofs need one. */
  nonceHeaders(): Promise<Readonly<Record<string, string>>>;
}

/** For the metadata (RFC 9449 section 5.1); as verifiers of this project accept them. */
export const proofAlgorithms: readonly KeyAlgorithm[] = [
  'ES256',
  'EdDSA',
  'Ed25519',
  'ES384',
  'ES512',
  'PS256',
  'RS256',
];
const MAX_AGE_SECONDS = 60;
const TOLERANCE_SECONDS = 5;
const NONCE_SECONDS = 300;

/** Made once: it keeps the keys that proofs came with. */
export function createProofs(settings: IssuerSettings, emit: Emit | undefined): Proofs {
  const { issuer, storage, secretKey, dpopNonce, now } = settings;
  // Derived, so that all instances of an issuer accept each other's nonces.
  const nonceSecret = Buffer.from(deriveKey(secretKey, 'DPoP nonces')).toString('base64url');
  const nonces = dpopNonce
    ? createDpopNonces({ secrets: [nonceSecret], lifetimeSeconds: NONCE_SECONDS, now })
    : undefined;
  return {
    verify: createProofVerifier({
      algorithms: proofAlgorithms,
      maxAgeSeconds: MAX_AGE_SECONDS,
      toleranceSeconds: TOLERANCE_SECONDS,
      nonces,
      now,
    }),
    async use(proof, clientId) {
      const { jkt, expiresAt } = proof;
      // What has expired while it was waited for, the storage may have forgotten.
      const isAlive = now() < expiresAt;
      if (isAlive && (await storage.useOnce(nameOf(proof), expiresAt))) return true;
      emit?.({ type: 'dpop.replay', issuer, clientId, jkt });
      return false;
    },
    async nonceHeaders() {
      return nonces === undefined ? {} : { 'dpop-nonce': await nonces.current() };
    },
  };
}

/** Of one length, whatever the client has put into its proof. */
function nameOf({ jkt, jti }: HeldProof): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([jkt, jti]))
    .digest('base64url');
  return `dpop ${digest}`;
}
