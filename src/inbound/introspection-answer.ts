/** What an introspection endpoint answered (RFC 7662 section 2.2), in JSON or as a signed JWT (RFC 9701). */
import { isServiceAuthError, ServiceAuthError } from '../errors.ts';
import { type BoundedAnswer, retryAfterMs, withoutQuery } from '../shared/http.ts';
import { isObject, type JsonObject, own, parseJsonObject } from '../shared/json.ts';
import type { KeySet } from '../shared/key-set.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { readSignedDocument } from '../shared/signed-document.ts';

/** An answer that decides nothing and does not show that the endpoint is ill: another token may get a better one. */
export class UnusableAnswer {
  readonly error: ServiceAuthError;
  /** Whether the endpoint refused the request as such, and will again. */
  readonly isRefusal: boolean;

  constructor(error: ServiceAuthError, isRefusal: boolean) {
    this.error = error;
    this.isRefusal = isRefusal;
  }
}

export interface AnswerRules {
  readonly issuer: string;
  readonly clientId: string;
  readonly response: 'json' | 'jwt';
  /** For signed answers. */
  readonly keys: KeySet;
  readonly algorithms: ReadonlySet<string>;
  readonly now: () => number;
}

/** The media type of signed answers, without `application/`. */
export const ANSWER_TYPE = 'token-introspection+jwt';

/**
 * Reads an answer whose `active` is true or false; `url` is for messages.
 *
 * @throws ServiceAuthError (or rejects) `client_auth_failed`, `unexpected_status`, and what `KeySet.find` throws.
 */
export function readAnswer(
  answer: BoundedAnswer,
  url: string,
  rules: AnswerRules,
): MaybePromise<JsonObject | UnusableAnswer> {
  const { status, bytes, headers } = answer;
  if (status === 403 || isClientRefused(answer)) {
    const message = `${withoutQuery(url)} refused this service's own credentials (HTTP ${status}); check clientId and its secret`;
    throw new ServiceAuthError('client_auth_failed', message, { status });
  }
  if (status !== 200) {
    const details = { status, retryAfterMs: retryAfterMs(headers, rules.now()) };
    const error = new ServiceAuthError(
      'unexpected_status',
      `${withoutQuery(url)} answered ${status}`,
      details,
    );
    // Whoever sent a token that the endpoint refuses as a bad request must not stop calls for others.
    if (isRequestsFault(status)) return new UnusableAnswer(error, true);
    throw error;
  }
  const json = rules.response === 'jwt' ? readSigned(bytes, rules) : parseJsonObject(bytes);
  return andThen(json, (found) => {
    if (found instanceof UnusableAnswer) return found;
    if (found !== undefined && typeof own(found, 'active') === 'boolean') return dropNulls(found);
    return malformed(`${withoutQuery(url)} did not answer with a JSON object that has active`);
  });
}

/** RFC 6749 section 5.2: the status may be 400 where the client did not authenticate by a header. */
export function isClientRefused({ status, bytes }: BoundedAnswer): boolean {
  return status === 401 || (status === 400 && parseJsonObject(bytes)?.error === 'invalid_client');
}

/** Takes out members that are `null`: many serialisers write those that are not there so. */
export function dropNulls<T extends JsonObject>(object: T): T {
  for (const name of Object.keys(object)) {
    const value = object[name];
    if (value === null) Reflect.deleteProperty(object, name);
    else if (isObject(value)) dropNulls(value);
  }
  return object;
}

function isRequestsFault(status: number): boolean {
  return status >= 400 && status < 500 && status !== 404 && status !== 408 && status !== 429;
}

function malformed(message: string): UnusableAnswer {
  return new UnusableAnswer(new ServiceAuthError('response_malformed', message, { status: 200 }), false);
}

/** RFC 9701 section 5: signed by the issuer for this very service; an unsigned answer is none. */
async function readSigned(
  bytes: BoundedAnswer['bytes'],
  { issuer, clientId, keys, algorithms, now }: AnswerRules,
): Promise<JsonObject | UnusableAnswer | undefined> {
  const name = `the introspection answer of ${issuer}`;
  const text = new TextDecoder().decode(bytes).trim();
  let claims: JsonObject;
  try {
    claims = await readSignedDocument(text, { name, typ: ANSWER_TYPE, keys, algorithms });
  } catch (error) {
    if (isServiceAuthError(error) && error.code === 'response_malformed') return malformed(error.message);
    throw error;
  }
  const { iss, aud, iat, exp } = claims;
  if (iss !== issuer) return malformed(`${name} is of another issuer`);
  const isForUs = aud === clientId || (Array.isArray(aud) && aud.includes(clientId));
  if (!isForUs) return malformed(`${name} is for another audience`);
  if (typeof iat !== 'number') return malformed(`${name} has no iat`);
  if (exp !== undefined && !(typeof exp === 'number' && exp * 1000 > now())) {
    return malformed(`${name} has expired`);
  }
  const answer = own(claims, 'token_introspection');
  return isObject(answer) ? answer : undefined;
}
