import type { RejectionReason } from '../../events.ts';
import type { Fault } from '../../shared/fault.ts';

export interface ProofRefusal {
  readonly error: 'invalid_dpop_proof' | 'use_dpop_nonce';
  readonly description: string;
}

const descriptions: ReadonlyMap<RejectionReason, string> = new Map([
  ['proof_algorithm_not_allowed', 'the algorithm of the DPoP proof is not supported'],
  ['bad_proof_signature', 'the signature of the DPoP proof does not hold'],
  ['proof_method_mismatch', 'htm of the DPoP proof is not the method of the request'],
  ['proof_url_mismatch', 'htu of the DPoP proof is not the token endpoint'],
  ['proof_too_old', 'iat of the DPoP proof is too long ago'],
  ['proof_in_future', 'iat of the DPoP proof is in the future'],
]);

/** A refused proof as the token endpoint answers it (RFC 9449 sections 5 and 8); nothing of the proof is repeated. */
export function describeProofFault({ reason }: Fault): ProofRefusal {
  if (reason === 'missing_nonce' || reason === 'wrong_nonce') {
    return { error: 'use_dpop_nonce', description: 'the DPoP proof needs a fresh nonce of this issuer' };
  }
  const description = descriptions.get(reason) ?? 'the DPoP proof is malformed';
  return { error: 'invalid_dpop_proof', description };
}
