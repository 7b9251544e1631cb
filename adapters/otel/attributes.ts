import type { Attributes } from '@opentelemetry/api';

/** The names of attributes; those without `service_auth` are of OpenTelemetry's semantic conventions. */
export const attribute = {
  outcome: 'service_auth.outcome',
  cache: 'service_auth.cache',
  issuer: 'service_auth.issuer',
  clientId: 'service_auth.client_id',
  step: 'service_auth.step',
  refetched: 'service_auth.refetched',
  active: 'service_auth.active',
  attempts: 'service_auth.attempts',
  grantType: 'service_auth.grant_type',
  background: 'service_auth.background',
  operation: 'service_auth.operation',
  reason: 'service_auth.reason',
  endpoint: 'service_auth.endpoint',
  presented: 'service_auth.presented',
  limit: 'service_auth.limit',
  event: 'service_auth.event',
  keys: 'service_auth.keys',
  errorType: 'error.type',
  serverAddress: 'server.address',
  serverPort: 'server.port',
  method: 'http.request.method',
  status: 'http.response.status_code',
} as const;

/** RFC 6749 section 5.2, RFC 8707, RFC 9449; a server may make up others. */
const oauthErrors: ReadonlySet<string> = new Set([
  'invalid_request',
  'invalid_client',
  'invalid_grant',
  'unauthorized_client',
  'unsupported_grant_type',
  'invalid_scope',
  'invalid_target',
  'invalid_dpop_proof',
  'use_dpop_nonce',
  'access_denied',
  'server_error',
  'temporarily_unavailable',
]);

/** What the server said, where that is a word of OAuth; else our own word for what happened. */
export function errorTypeOf(code: string | undefined, oauthError: string | undefined): string | undefined {
  return oauthError !== undefined && oauthErrors.has(oauthError) ? oauthError : code;
}

const defaultPorts: Readonly<Record<string, number>> = { 'https:': 443, 'http:': 80 };

/** Whom a request went to. */
export function serverOf(url: string | undefined): { address?: string; port?: number } {
  if (url === undefined) return {};
  try {
    const { hostname, port, protocol } = new URL(url);
    const number = port === '' ? defaultPorts[protocol] : Number(port);
    return number === undefined ? { address: hostname } : { address: hostname, port: number };
  } catch {
    return {};
  }
}

/** Without those that are not known. */
export function known(attributes: Attributes): Attributes {
  return Object.fromEntries(Object.entries(attributes).filter(([, value]) => value !== undefined));
}
