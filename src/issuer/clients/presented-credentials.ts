/** What a request authenticates with: exactly one thing (RFC 6749 section 2.3). Nothing of it is judged yet. */
import { OAuthFault } from '../http/oauth-fault.ts';
import { decodeBasic } from './basic-credentials.ts';
import { type Assertion, readAssertion } from './client-assertion.ts';
import type { ClientRequest } from './client-request.ts';
import { refused } from './refusal.ts';

export interface PresentedSecret {
  readonly kind: 'secret';
  readonly method: 'client_secret_basic' | 'client_secret_post';
  readonly clientId: string;
  readonly clientSecret: string;
}

export interface PresentedAssertion {
  /** Of the client about itself, or of another issuer about it (RFC 7523). */
  readonly kind: 'own assertion' | 'federated assertion';
  readonly clientId: string;
  readonly assertion: Assertion;
}

export interface PresentedCertificate {
  readonly kind: 'certificate';
  readonly clientId: string;
}

export type PresentedCredentials = PresentedSecret | PresentedAssertion | PresentedCertificate;

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

export function readPresentedCredentials({
  request,
  form,
}: ClientRequest): PresentedCredentials | OAuthFault {
  const authorization = request.headers.get('authorization');
  const clientSecret = form.get('client_secret');
  const assertion = form.get('client_assertion');
  const assertionType = form.get('client_assertion_type');
  const hasAssertion = assertion !== undefined || assertionType !== undefined;
  const ways = [authorization !== null, clientSecret !== undefined, hasAssertion].filter((used) => used);
  if (ways.length > 1) return malformed('the client authenticates in more than one way');

  const clientId = form.get('client_id');
  if (authorization !== null) return readBasic(authorization, clientId);
  if (hasAssertion) return readJwtBearer(assertion, assertionType, clientId);
  if (clientId === undefined) return new OAuthFault('invalid_client', 'the client did not authenticate');
  if (clientSecret === undefined) return { kind: 'certificate', clientId };
  return { kind: 'secret', method: 'client_secret_post', clientId, clientSecret };
}

function readBasic(authorization: string, clientId: string | undefined): PresentedSecret | OAuthFault {
  const basic = decodeBasic(authorization);
  if (basic === undefined) return refused();
  if (clientId !== undefined && clientId !== basic.clientId) {
    return malformed('client_id is not the client that authenticates');
  }
  return { kind: 'secret', method: 'client_secret_basic', ...basic };
}

/** RFC 7523 section 2.2. */
function readJwtBearer(
  text: string | undefined,
  type: string | undefined,
  named: string | undefined,
): PresentedAssertion | OAuthFault {
  if (text === undefined || type === undefined) {
    return malformed('client_assertion and client_assertion_type belong together');
  }
  if (type !== ASSERTION_TYPE) {
    return new OAuthFault('invalid_client', 'the type of the client assertion is not supported');
  }
  const assertion = readAssertion(text);
  if (assertion === undefined) return refused();
  const { iss, sub } = assertion.claims;
  // Without client_id the subject names the client (RFC 7521 section 4.2), if it speaks of itself.
  const clientId = named ?? (iss === sub && typeof sub === 'string' ? sub : undefined);
  if (clientId === undefined) return refused();
  return { kind: iss === clientId ? 'own assertion' : 'federated assertion', clientId, assertion };
}

function malformed(description: string): OAuthFault {
  return new OAuthFault('invalid_request', description);
}
