/** Who may use the admin API: whoever has the admin token, or an access token of this issuer for it. */

import { accessTokenHash } from '../../shared/dpop.ts';
import type { HeldProof } from '../../shared/dpop-proof.ts';
import { Fault } from '../../shared/fault.ts';
import { readClientCertificate } from '../clients/client-certificate.ts';
import type { IssuerContext } from '../context.ts';
import type { Incoming } from '../http/incoming.ts';
import type { AccessTokenClaims } from '../tokens/access-tokens.ts';
import { createProofs, proofAlgorithms } from '../tokens/proofs.ts';
import { refuse } from './problems.ts';

/** The scope that access tokens need. */
export const ADMIN_SCOPE = 'services:admin';
/** The actor of whoever has the admin token. */
const BOOTSTRAP = 'admin';

/** Gives the name of the one who asks, for the audit log, or the refusal. */
export type AdminAuthentication = (incoming: Incoming) => Promise<{ readonly actor: string } | Response>;

type Scheme = 'Bearer' | 'DPoP';

interface Refusal {
  readonly error:
    | 'invalid_token'
    | 'invalid_dpop_proof'
    | 'use_dpop_nonce'
    | 'insufficient_scope'
    | undefined;
  readonly description: string;
  readonly scheme?: Scheme;
  readonly clientId?: string;
}

/** Made once: it keeps the keys that proofs came with. */
export function createAdminAuthentication(context: IssuerContext): AdminAuthentication {
  const { settings, secrets, tokens, emit } = context;
  const { issuer, baseUrl, storage, adminToken } = settings;
  const { origin } = new URL(baseUrl);
  const proofs = createProofs(settings, emit);

  async function judge(incoming: Incoming): Promise<string | Refusal> {
    const authorization = incoming.request.headers.get('authorization');
    const [, schemeName = '', token = ''] =
      /^([A-Za-z]+)(?: +([\x21-\x7e]+))?$/.exec(authorization ?? '') ?? [];
    const scheme = schemes.get(schemeName.toLowerCase());
    // RFC 6750 section 3.1: no error code where no such credentials came.
    if (scheme === undefined) return { error: undefined, description: 'no token was sent' };
    const isBootstrap = adminToken !== undefined && secrets.same(adminToken, token);
    if (isBootstrap && scheme === 'Bearer') return BOOTSTRAP;
    const claims = await tokens.readActive(token);
    if (claims === undefined || !claims.audience.includes(issuer)) {
      return {
        error: 'invalid_token',
        description: 'the token is wrong, expired, revoked or for others',
        scheme,
      };
    }
    const { clientId } = claims;
    const proof = await checkBinding(incoming, scheme, token, claims);
    if (isRefusal(proof)) return { ...proof, scheme, clientId };
    // Registration is asked, too: who is no administrator any more does not stay one until the token expires.
    const service = await storage.findService(clientId);
    const isRegistered = service?.scopes.includes(ADMIN_SCOPE) === true;
    if (!isRegistered || !claims.scope?.split(' ').includes(ADMIN_SCOPE)) {
      return {
        error: 'insufficient_scope',
        description: `the scope ${ADMIN_SCOPE} is missing`,
        scheme,
        clientId,
      };
    }
    // Last of all: a proof that is refused for another reason may be sent again.
    if (proof !== undefined && !(await proofs.use(proof, clientId))) {
      return { error: 'invalid_dpop_proof', description: 'the DPoP proof was used before', scheme, clientId };
    }
    return clientId;
  }

  /** What the token is bound to must be shown (RFC 9449 section 7, RFC 8705 section 3). */
  async function checkBinding(
    incoming: Incoming,
    scheme: Scheme,
    token: string,
    { confirmation }: AccessTokenClaims,
  ): Promise<HeldProof | Refusal | undefined> {
    const thumbprint = confirmation?.['x5t#S256'];
    if (thumbprint !== undefined && readClientCertificate(settings, incoming)?.thumbprint !== thumbprint) {
      return { error: 'invalid_token', description: 'the token is bound to another TLS certificate' };
    }
    const jkt = confirmation?.jkt;
    if ((jkt !== undefined) !== (scheme === 'DPoP')) {
      return { error: 'invalid_token', description: 'the token was sent with the wrong scheme' };
    }
    return jkt === undefined ? undefined : checkProof(incoming, token, jkt);
  }

  async function checkProof({ request }: Incoming, token: string, jkt: string): Promise<HeldProof | Refusal> {
    const held = await proofs.verify({
      proof: request.headers.get('dpop'),
      method: request.method,
      // Neither Host nor forwarded headers have a say: all but the path is configured.
      url: `${origin}${new URL(request.url).pathname}`,
      accessTokenHash: await accessTokenHash(token),
      jkt,
    });
    if (!(held instanceof Fault)) return held;
    const needsNonce = held.reason === 'missing_nonce' || held.reason === 'wrong_nonce';
    return needsNonce
      ? { error: 'use_dpop_nonce', description: 'the DPoP proof needs a fresh nonce of this issuer' }
      : { error: 'invalid_dpop_proof', description: 'the DPoP proof is missing or wrong' };
  }

  return async (incoming) => {
    const outcome = await judge(incoming);
    if (typeof outcome === 'string') return { actor: outcome };
    const { error, description, clientId } = outcome;
    emit?.({
      type: 'issuer.request_refused',
      endpoint: 'admin',
      error: error ?? 'invalid_token',
      description,
      clientId,
    });
    const headers = {
      'www-authenticate': challengesFor(outcome),
      ...(await proofs.nonceHeaders()),
    };
    const code = error === 'insufficient_scope' ? error : 'invalid_token';
    return refuse(code, { detail: description, headers });
  };
}

const schemes: ReadonlyMap<string, Scheme> = new Map([
  ['bearer', 'Bearer'],
  ['dpop', 'DPoP'],
]);

function isRefusal(value: HeldProof | Refusal | undefined): value is Refusal {
  return value !== undefined && 'error' in value;
}

/** RFC 6750 section 3, RFC 9449 section 7.1: both schemes, the error with the one that was used. */
function challengesFor({ error, scheme: used }: Refusal): string {
  const challenge = (scheme: Scheme, more = ''): string => {
    const fault = error === undefined || scheme !== used ? '' : `, error="${error}"`;
    const scope = fault !== '' && error === 'insufficient_scope' ? `, scope="${ADMIN_SCOPE}"` : '';
    return `${scheme} realm="service-auth admin"${fault}${scope}${more}`;
  };
  return `${challenge('Bearer')}, ${challenge('DPoP', `, algs="${proofAlgorithms.join(' ')}"`)}`;
}
