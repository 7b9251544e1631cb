/** One round trip to the token endpoint: the client credentials grant (RFC 6749 section 4.4). */
import { ServiceAuthError } from '../errors.ts';
import { authenticateClient, type ClientAuth } from '../shared/client-auth.ts';
import { type JsonAnswer, requestJson, retryAfterMs, withoutQuery } from '../shared/http.ts';
import { type JsonObject, own } from '../shared/json.ts';
import type { Fetch } from '../shared/transport.ts';
import { AccessToken } from './access-token.ts';

export interface TokenRequest {
  readonly issuer: string | undefined;
  readonly tokenEndpoint: string;
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  /** The scope that is asked for; it is the granted one where the answer names none. */
  readonly scope: string | undefined;
  /** The form's parameters besides `grant_type`; `scope` is among them. */
  readonly parameters: readonly (readonly [name: string, value: string])[];
  readonly fetch: Fetch;
  readonly now: () => number;
  readonly timeoutMs: number;
  /** Assumed where the answer has no `expires_in`. */
  readonly defaultLifetimeSeconds: number;
  readonly signal: AbortSignal;
}

const MAX_BYTES = 64 * 1024;
/** No server means longer; a date beyond what clocks can say must not come out of the sum either. */
const LONGEST_LIFETIME_SECONDS = 365 * 24 * 60 * 60;
const LONGEST_ERROR_CODE = 100;

/** What usually helps, by error code (RFC 6749 section 5.2, RFC 8707 section 2). */
const hints = new Map([
  ['invalid_client', 'check clientId, the secret, and which client authentication the server expects'],
  ['unauthorized_client', 'the client is not registered for the client_credentials grant'],
  ['unsupported_grant_type', 'the server does not offer the client_credentials grant'],
  ['invalid_scope', 'check scope against what the client is registered for'],
  ['invalid_target', 'check resource against what the server knows'],
]);

/**
 * Asks for an access token once.
 *
 * @throws ServiceAuthError `token_request_rejected`, `token_response_invalid`, `unexpected_status`,
 * `client_auth_failed`, and those of `requestJson`.
 */
export async function requestToken(request: TokenRequest): Promise<AccessToken> {
  const { tokenEndpoint, fetch, timeoutMs, signal, now } = request;
  const form = new URLSearchParams([['grant_type', 'client_credentials']]);
  for (const [name, value] of request.parameters) form.append(name, value);
  const added: Record<string, string> = {};
  const { issuer, clientAuth, clientId } = request;
  const unauthenticated = { issuer, endpoint: tokenEndpoint, clientId, form, headers: added };
  await authenticateClient(clientAuth, unauthenticated, timeoutMs);
  const headers = { ...added, 'content-type': 'application/x-www-form-urlencoded' };
  const askedAt = now();
  const body = form.toString();
  const call = { url: tokenEndpoint, body, headers, timeoutMs, signal, maxBytes: MAX_BYTES };
  const answer = await requestJson(fetch, call);
  if (answer.status !== 200) throw refusal(withoutQuery(tokenEndpoint), answer, now());
  return readToken(request, answer.json, askedAt);
}

/** Reads a success answer (RFC 6749 section 5.1). `expires_in` may be a string of digits, as some servers send. */
function readToken(request: TokenRequest, json: JsonObject | undefined, askedAt: number): AccessToken {
  const { tokenEndpoint, defaultLifetimeSeconds, now } = request;
  const invalid = (what: string): ServiceAuthError =>
    new ServiceAuthError('token_response_invalid', `${withoutQuery(tokenEndpoint)} answered with ${what}`, {
      status: 200,
    });
  if (json === undefined) throw invalid('something else than a JSON object');
  const accessToken = own(json, 'access_token');
  if (typeof accessToken !== 'string' || !isVisibleAscii(accessToken)) {
    throw invalid('no access_token of visible ASCII characters');
  }
  const tokenType = own(json, 'token_type');
  if (typeof tokenType !== 'string' || tokenType.toLowerCase() !== 'bearer') {
    throw invalid('a token_type that is not Bearer');
  }
  const lifetime = readLifetime(own(json, 'expires_in'), defaultLifetimeSeconds);
  if (lifetime === undefined) throw invalid('an expires_in that is not a positive number of seconds');
  const scope = own(json, 'scope') ?? request.scope;
  if (scope !== undefined && typeof scope !== 'string') throw invalid('a scope that is not a string');
  const expiresAt = askedAt + lifetime * 1000;
  if (now() >= expiresAt) throw invalid('a token that expired on its way');
  return new AccessToken({ accessToken, expiresAt, scope });
}

function readLifetime(value: unknown, missing: number): number | undefined {
  if (value === undefined) return missing;
  const seconds = typeof value === 'string' && /^\d{1,10}$/.test(value) ? Number(value) : value;
  if (typeof seconds !== 'number' || !Number.isFinite(seconds) || seconds <= 0) return undefined;
  return Math.min(seconds, LONGEST_LIFETIME_SECONDS);
}

function refusal(endpoint: string, { status, headers, json }: JsonAnswer, nowMs: number): ServiceAuthError {
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
