/** Reading what a token endpoint answers (RFC 6749 section 5, RFC 8693 section 2.2, RFC 9449 section 5). */
import { ServiceAuthError } from '../errors.ts';
import { type JsonAnswer, retryAfterMs, withoutQuery } from '../shared/http.ts';
import { type JsonObject, own } from '../shared/json.ts';
import type { AccessTokenFields, TokenType } from './access-token.ts';

export interface TokenExpectations {
  readonly tokenEndpoint: string;
  /** The scope that was asked for; it is the granted one where the answer names none. */
  readonly scope: string | undefined;
  /** Whether a proof was sent; without one no token can be bound to a key of ours. */
  readonly dpop: boolean;
  /** Whether the token must be bound, since what it was exchanged for is. */
  readonly keepsBinding: boolean;
  /** Assumed where the answer has no `expires_in`. */
  readonly defaultLifetimeSeconds: number;
  readonly now: () => number;
}

/** No server means longer; a date beyond what clocks can say must not come out of the sum either. */
const LONGEST_LIFETIME_SECONDS = 365 * 24 * 60 * 60;
const LONGEST_ERROR_CODE = 100;
/** What an exchange may give to be used as an access token (RFC 8693 section 3). */
const accessTokenTypes: readonly unknown[] = [
  undefined,
  'urn:ietf:params:oauth:token-type:access_token',
  'urn:ietf:params:oauth:token-type:jwt',
];

/** What usually helps, by error code (RFC 6749 section 5.2, RFC 8707 section 2, RFC 9449 section 5). */
const hints = new Map([
  [
    'invalid_client',
    'check clientId, the secret, and which client authentication the server expects (clientAuth: clientSecretPost)',
  ],
  [
    'invalid_request',
    'the server may want scope, resource, audience (Auth0) or another parameter, or the secret in the body (clientSecretPost)',
  ],
  ['access_denied', 'the client may not have tokens for this audience: authorise it at the server'],
  [
    'unauthorized_client',
    'the client is not registered for this grant (client_credentials, or an exchange), or, at Keycloak, the secret is wrong',
  ],
  ['unsupported_grant_type', 'the server does not offer this grant (client_credentials, or an exchange)'],
  ['invalid_grant', 'the token that was to be exchanged, or the assertion of the client, is not valid there'],
  [
    'invalid_scope',
    'check scope against what the client is registered for, and what an exchanged token carries',
  ],
  ['invalid_target', 'check resource against what the server knows'],
  ['invalid_dpop_proof', 'the server may see another URL than tokenEndpoint, or not take the algorithm'],
]);

/**
 * Reads a success answer. `expires_in` may be a string of digits, as some servers send.
 *
 * @throws ServiceAuthError `token_response_invalid`, `binding_lost`
 */
export function readTokenResponse(
  expected: TokenExpectations,
  json: JsonObject | undefined,
  sentAt: number,
): AccessTokenFields {
  const { tokenEndpoint, defaultLifetimeSeconds, now } = expected;
  const invalid = (what: string): ServiceAuthError =>
    new ServiceAuthError('token_response_invalid', `${withoutQuery(tokenEndpoint)} answered with ${what}`, {
      status: 200,
    });
  if (json === undefined) throw invalid('something else than a JSON object');
  const accessToken = own(json, 'access_token');
  if (typeof accessToken !== 'string' || !isVisibleAscii(accessToken)) {
    throw invalid('no access_token of visible ASCII characters');
  }
  if (!accessTokenTypes.includes(own(json, 'issued_token_type'))) {
    throw invalid('an issued_token_type that is no access token');
  }
  const tokenType = readTokenType(own(json, 'token_type'), expected.dpop);
  if (tokenType === undefined) {
    throw invalid(`a token_type that is not Bearer${expected.dpop ? ' or DPoP' : ''}`);
  }
  if (expected.keepsBinding && tokenType === 'Bearer') {
    throw new ServiceAuthError('binding_lost', `${withoutQuery(tokenEndpoint)} bound the token to no key`);
  }
  const lifetime = readLifetime(own(json, 'expires_in'), defaultLifetimeSeconds);
  if (lifetime === undefined) throw invalid('an expires_in that is not a positive number of seconds');
  const scope = own(json, 'scope') ?? expected.scope;
  if (scope !== undefined && typeof scope !== 'string') throw invalid('a scope that is not a string');
  const expiresAt = sentAt + lifetime * 1000;
  if (now() >= expiresAt) throw invalid('a token that expired on its way');
  return { accessToken, tokenType, expiresAt, scope };
}

/** A server that does not know DPoP answers with a Bearer token, which is then used as one (RFC 9449 section 5). */
function readTokenType(value: unknown, dpop: boolean): TokenType | undefined {
  const type = typeof value === 'string' ? value.toLowerCase() : undefined;
  if (type === 'bearer') return 'Bearer';
  return type === 'dpop' && dpop ? 'DPoP' : undefined;
}

function readLifetime(value: unknown, missing: number): number | undefined {
  if (value === undefined) return missing;
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.min(seconds, LONGEST_LIFETIME_SECONDS);
}

/** The error of an answer that gives no token. */
export function tokenRefusal(
  tokenEndpoint: string,
  { status, headers, json }: JsonAnswer,
  nowMs: number,
): ServiceAuthError {
  const endpoint = withoutQuery(tokenEndpoint);
  const oauthError = json === undefined ? undefined : readErrorCode(own(json, 'error'));
  const details = { status, oauthError, retryAfterMs: retryAfterMs(headers, nowMs) };
  const said = oauthError === undefined ? `HTTP ${status}` : `${oauthError} (HTTP ${status})`;
  if (oauthError === undefined || status === 429 || status < 400 || status >= 500) {
    return new ServiceAuthError('unexpected_status', `${endpoint} answered ${said}`, details);
  }
  const hint = hints.get(oauthError);
  const message = `${endpoint} refused the token request: ${said}${hint === undefined ? '' : `; ${hint}`}`;
  return new ServiceAuthError('token_request_rejected', message, details);
}

/** The characters of RFC 6749 section 5.2. Its `error_description` is left out: it may quote what was sent. */
function readErrorCode(value: unknown): string | undefined {
  if (typeof value !== 'string' || value.length > LONGEST_ERROR_CODE) return undefined;
  return /^[\x20-\x21\x23-\x5b\x5d-\x7e]+$/.test(value) ? value : undefined;
}

/** Wider than b64token (RFC 6750 section 2.1), as some servers are; still nothing that could end a header. */
function isVisibleAscii(text: string): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code < 0x21 || code > 0x7e) return false;
  }
  return text !== '';
}
