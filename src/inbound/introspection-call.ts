/** One call of an introspection endpoint (RFC 7662 section 2), answered in JSON or as a signed JWT (RFC 9701). */
import { ServiceAuthError } from '../errors.ts';
import { authenticateClient, type ClientAuth } from '../shared/client-auth.ts';
import { requestBytes, retryAfterMs, withoutQuery } from '../shared/http.ts';
import { isObject, type JsonObject, own, parseJsonObject } from '../shared/json.ts';
import type { KeySet } from '../shared/key-set.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { Bytes } from '../shared/runtime.ts';
import { readSignedDocument } from '../shared/signed-document.ts';
import type { Transport } from '../shared/transport.ts';

export interface IntrospectionCall {
  readonly issuer: string;
  readonly endpoint: () => MaybePromise<string>;
  readonly clientId: string;
  readonly clientAuth: ClientAuth;
  readonly response: 'json' | 'jwt';
  /** For signed answers. */
  readonly keys: KeySet;
  readonly algorithms: ReadonlySet<string>;
  readonly transport: Transport;
  readonly timeoutMs: number;
  readonly now: () => number;
}

const MAX_BYTES = 64 * 1024;
const JWT_TYPE = 'token-introspection+jwt';

/**
 * Asks once about a token; the answer's `active` is true or false.
 *
 * @throws ServiceAuthError `client_auth_failed`, `unexpected_status`, `response_malformed`, and those of `requestBytes`.
 */
export async function callIntrospection(token: string, call: IntrospectionCall): Promise<JsonObject> {
  const { issuer, clientId, clientAuth, response, timeoutMs, transport } = call;
  const endpoint = await call.endpoint();
  const form = new URLSearchParams([
    ['token', token],
    ['token_type_hint', 'access_token'],
  ]);
  const added: Record<string, string> = {};
  const unauthenticated = { issuer, endpoint, clientId, form, headers: added, refusals: 0, now: call.now };
  await authenticateClient(clientAuth, unauthenticated, timeoutMs);
  const answer = await requestBytes(transport, {
    url: endpoint,
    body: form.toString(),
    // Not a spread: an object that grows after one is copied member by member, at twenty times the cost.
    headers: Object.assign({}, added, {
      accept: response === 'jwt' ? `application/${JWT_TYPE}` : 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
    }),
    timeoutMs,
    maxBytes: MAX_BYTES,
  });
  const { status, bytes, headers } = answer;
  if (status === 401 || status === 403) {
    const message = `${withoutQuery(endpoint)} refused this service's own credentials (HTTP ${status}); check clientId and its secret`;
    throw new ServiceAuthError('client_auth_failed', message, { status });
  }
  if (status !== 200) {
    const details = { status, retryAfterMs: retryAfterMs(headers, call.now()) };
    throw new ServiceAuthError('unexpected_status', `${withoutQuery(endpoint)} answered ${status}`, details);
  }
  const json = response === 'jwt' ? await readSigned(bytes, call) : parseJsonObject(bytes);
  if (json === undefined || typeof own(json, 'active') !== 'boolean') {
    throw new ServiceAuthError(
      'response_malformed',
      `${withoutQuery(endpoint)} did not answer with a JSON object that has active`,
    );
  }
  return json;
}

/** RFC 9701 section 5: signed by the issuer for this very service; an unsigned answer is none. */
async function readSigned(bytes: Bytes, call: IntrospectionCall): Promise<JsonObject | undefined> {
  const { issuer, clientId, keys, algorithms, now } = call;
  const name = `the introspection answer of ${issuer}`;
  const text = new TextDecoder().decode(bytes).trim();
  const claims = await readSignedDocument(text, { name, typ: JWT_TYPE, keys, algorithms });
  const { iss, aud, iat, exp } = claims;
  if (iss !== issuer) throw new ServiceAuthError('issuer_mismatch', `${name} is of another issuer`);
  const isForUs = aud === clientId || (Array.isArray(aud) && aud.includes(clientId));
  if (!isForUs) throw new ServiceAuthError('response_malformed', `${name} is for another audience`);
  if (typeof iat !== 'number') throw new ServiceAuthError('response_malformed', `${name} has no iat`);
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > now())) {
    throw new ServiceAuthError('response_malformed', `${name} has expired`);
  }
  const answer = own(claims, 'token_introspection');
  return isObject(answer) ? answer : undefined;
}
