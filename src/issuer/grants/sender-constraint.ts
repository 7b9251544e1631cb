/** What a token request proves possession of: a DPoP key (RFC 9449 section 5), a TLS certificate (RFC 8705 section 3). */
import type { Emit } from '../../events.ts';
import type { HeldProof } from '../../shared/dpop-proof.ts';
import { Fault } from '../../shared/fault.ts';
import { readClientCertificate } from '../clients/client-certificate.ts';
import type { ClientRequest } from '../clients/client-request.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { StoredService } from '../storage/records.ts';
import type { Confirmation } from '../tokens/access-token-claims.ts';
import { createProofs } from '../tokens/proofs.ts';
import { describeProofFault, type ProofRefusal } from './proof-fault.ts';

/** What was proven of who sends a request. */
export interface Sender {
  /** What a token for it is to be bound to; `undefined` for a bearer token. */
  readonly confirmation: Confirmation | undefined;
  /** The thumbprint of the certificate that the request came with, whether or not tokens are bound to it. */
  readonly certificate: string | undefined;
  readonly proof: HeldProof | undefined;
}

export interface SenderConstraint {
  /** Judges proof and certificate of a request, and refuses one that lacks what the service is registered to prove. */
  check(service: StoredService, request: ClientRequest): Promise<Sender | OAuthFault>;
  /** Uses the proof up, once nothing else can refuse the request (RFC 9449 section 11.1). */
  record(sender: Sender, clientId: string): Promise<OAuthFault | undefined>;
  /** The headers of a good answer: the nonce for the next proof, where proofs need one. */
  answerHeaders(): Promise<Readonly<Record<string, string>>>;
}

/** Made once: it keeps the keys that proofs came with. */
export function createSenderConstraint(settings: IssuerSettings, emit: Emit | undefined): SenderConstraint {
  const proofs = createProofs(settings, emit);

  async function refuseProof(description: string, error: ProofRefusal['error']): Promise<OAuthFault> {
    return new OAuthFault(error, description, 400, await proofs.nonceHeaders());
  }

  async function checkProof(
    { dpopBound }: StoredService,
    { request, endpointUrl }: ClientRequest,
  ): Promise<HeldProof | OAuthFault | undefined> {
    const proof = request.headers.get('dpop');
    if (proof === null) {
      if (!dpopBound) return undefined;
      return refuseProof('this client must send a DPoP proof', 'invalid_dpop_proof');
    }
    // Several fields come joined; a proof has no comma.
    if (proof.includes(',')) return refuseProof('there is more than one DPoP header', 'invalid_dpop_proof');
    const { method } = request;
    // The URL is the configured one: neither Host nor forwarded headers have a say.
    const held = await proofs.verify({
      proof,
      method,
      url: endpointUrl,
      accessTokenHash: undefined,
      jkt: undefined,
    });
    if (!(held instanceof Fault)) return held;
    const { error, description } = describeProofFault(held);
    return refuseProof(description, error);
  }

  return {
    async check(service, request) {
      const certificate = readClientCertificate(settings, request)?.thumbprint;
      if (service.certificateBound && certificate === undefined) {
        return new OAuthFault('invalid_request', 'this client must present a TLS client certificate');
      }
      const proof = await checkProof(service, request);
      if (proof instanceof OAuthFault) return proof;
      const bound = service.certificateBound ? certificate : undefined;
      return { confirmation: confirmationOf(proof?.jkt, bound), certificate, proof };
    },
    async record({ proof }, clientId) {
      if (proof === undefined || (await proofs.use(proof, clientId))) return undefined;
      return refuseProof('the DPoP proof was used before', 'invalid_dpop_proof');
    },
    answerHeaders: proofs.nonceHeaders,
  };
}

function confirmationOf(jkt: string | undefined, certificate: string | undefined): Confirmation | undefined {
  if (jkt === undefined && certificate === undefined) return undefined;
  return { ...(jkt !== undefined && { jkt }), ...(certificate !== undefined && { 'x5t#S256': certificate }) };
}
