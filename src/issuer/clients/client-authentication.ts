/** Client authentication (RFC 6749 section 2.3): who sends this request, proven by a secret. */
import type { IssuerContext } from '../context.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Form } from '../http/request-body.ts';
import type { AuthenticatedClient, ClientRequest } from './client-request.ts';

/** The methods that {@link authenticateClient} understands, as the metadata names them. */
export const clientAuthenticationMethods = ['client_secret_basic', 'client_secret_post'] as const;

export interface ClientCredentials {
  readonly clientId: string;
  readonly clientSecret: string;
}

const LONGEST_CLIENT_ID = 200;

/**
 * Finds out which service sends the request.
 *
 * An unknown service, a revoked one and a wrong secret cost and answer the same, so that nothing tells which
 * services there are.
 */
export async function authenticateClient(
  { settings, secrets, housekeeping }: IssuerContext,
  { request, form }: ClientRequest,
): Promise<AuthenticatedClient | OAuthFault> {
  const credentials = readClientCredentials(request.headers.get('authorization'), form);
  if (credentials instanceof OAuthFault) return credentials;
  const { clientId, clientSecret } = credentials;
  const service = await settings.storage.findService(clientId);
  const live = service?.revokedAtMs === undefined ? service : undefined;
  const secretId = secrets.match(clientId, clientSecret, live?.secrets ?? [], settings.now());
  if (live === undefined || secretId === undefined) return refused();
  housekeeping.secretUsed(secretId);
  return { service: live, method: 'client_secret_basic' };
}

/** Reads the credentials of a request that uses exactly one method. */
export function readClientCredentials(
  authorization: string | null,
  form: Form,
): ClientCredentials | OAuthFault {
  const clientId = form.get('client_id');
  const clientSecret = form.get('client_secret');
  if (authorization === null) {
    if (clientId === undefined || clientSecret === undefined) {
      return new OAuthFault('invalid_client', 'the client did not authenticate');
    }
    if (form.get('client_assertion') !== undefined) return severalWays();
    return isClientId(clientId) ? { clientId, clientSecret } : refused();
  }
  if (clientSecret !== undefined || form.get('client_assertion') !== undefined) {
    return severalWays();
  }
  const basic = decodeBasic(authorization);
  if (basic === undefined || !isClientId(basic.clientId)) return refused();
  if (clientId !== undefined && clientId !== basic.clientId) {
    return new OAuthFault('invalid_request', 'client_id is not the client that authenticates');
  }
  return basic;
}

/**
 * Decodes HTTP Basic as OAuth uses it: identifier and secret are form-encoded before they are joined
 * (RFC 6749 section 2.3.1), which plain Basic (RFC 7617) does not do.
 */
export function decodeBasic(authorization: string): ClientCredentials | undefined {
  const space = authorization.indexOf(' ');
  if (authorization.slice(0, space).toLowerCase() !== 'basic') return undefined;
  const encoded = authorization.slice(space).trimStart();
  const bytes = Buffer.from(encoded, 'base64');
  // Node skips what it does not know; encoding again and comparing sees everything it skipped.
  if (bytes.toString('base64') !== encoded) return undefined;
  const text = bytes.toString('utf8');
  const colon = text.indexOf(':');
  if (colon === -1) return undefined;
  const clientId = formDecode(text.slice(0, colon));
  const clientSecret = formDecode(text.slice(colon + 1));
  return clientId && clientSecret ? { clientId, clientSecret } : undefined;
}

function formDecode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** RFC 6749 appendix A.1; what is not spelt so cannot be registered and need not trouble the storage. */
function isClientId(text: string): boolean {
  return text.length <= LONGEST_CLIENT_ID && /^[\x20-\x7e]+$/.test(text);
}

function severalWays(): OAuthFault {
  return new OAuthFault('invalid_request', 'the client authenticates in more than one way');
}

function refused(): OAuthFault {
  return new OAuthFault('invalid_client', 'the client is unknown or its secret is wrong');
}
