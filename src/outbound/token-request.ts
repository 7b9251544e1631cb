/** One round trip to the token endpoint (RFC 6749 section 3.2). */
import type { ServiceAuthError } from '../errors.ts';
import type { EndSignal } from '../shared/abort.ts';
import { requestJson } from '../shared/http.ts';
import type { AnswerHeaders, Fetch } from '../shared/transport.ts';
import type { AccessTokenFields } from './access-token.ts';
import { readTokenResponse, type TokenExpectations, tokenRefusal } from './token-response.ts';

export interface TokenRequest extends TokenExpectations {
  /** Grant, parameters, and what proves who asks. */
  readonly form: URLSearchParams;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly fetch: Fetch;
  readonly timeoutMs: number;
  readonly signal: EndSignal;
  /** Hears of every answer, good or bad. */
  readonly onAnswer: (headers: AnswerHeaders, sentAt: number) => void;
}

/** What was given, or the refusal of the server; whatever else happens is thrown. */
export type TokenAnswer = { readonly token: AccessTokenFields } | { readonly refusal: ServiceAuthError };

const MAX_BYTES = 64 * 1024;

/**
 * Asks for an access token once.
 *
 * @throws ServiceAuthError `token_response_invalid`, `unexpected_status`, and those of `requestJson`.
 */
export async function requestToken(request: TokenRequest): Promise<TokenAnswer> {
  const { tokenEndpoint: url, form, fetch, timeoutMs, signal, now } = request;
  const headers = Object.assign({}, request.headers, {
    'content-type': 'application/x-www-form-urlencoded',
  });
  const sentAt = now();
  const call = { url, body: form.toString(), headers, timeoutMs, signal, maxBytes: MAX_BYTES };
  const answer = await requestJson(fetch, call);
  request.onAnswer(answer.headers, sentAt);
  if (answer.status === 200) return { token: readTokenResponse(request, answer.json, sentAt) };
  const refusal = tokenRefusal(url, answer, now());
  if (refusal.code === 'token_request_rejected') return { refusal };
  throw refusal;
}
