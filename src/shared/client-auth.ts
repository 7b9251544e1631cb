/** How a client proves to an endpoint of the authorization server who it is (RFC 6749 section 2.3). */
import { ServiceAuthError } from '../errors.ts';
import { errorCode } from './http.ts';
import { andThen, type MaybePromise } from './maybe-async.ts';
import { OptionChecker } from './options.ts';

/** A secret, or where it comes from; a function is asked anew for every request. */
export type Secret = string | (() => string | Promise<string>);

/** A request to the token or introspection endpoint, about to be sent. A `ClientAuth` adds to `form` and `headers`. */
export interface ClientAuthRequest {
  readonly issuer: string | undefined;
  /** Where the request goes. */
  readonly endpoint: string;
  readonly clientId: string;
  /** The body's parameters, `grant_type`, `token` and the like already among them. */
  readonly form: URLSearchParams;
  readonly headers: Record<string, string>;
}

/**
 * Adds the client's authentication to one request (RFC 6749 section 2.3). Called anew for each.
 *
 * @example
 * ```ts
 * import type { ClientAuth } from 'service-auth';
 *
 * export const viaGateway: ClientAuth = ({ form, headers, clientId }) => {
 *   form.set('client_id', clientId);
 *   headers['x-gateway-client'] = clientId;
 * };
 * ```
 */
export type ClientAuth = (request: ClientAuthRequest) => MaybePromise<void>;

/** How id and secret are put into the header. */
export interface ClientSecretBasicOptions {
  /**
   * `'form'` encodes id and secret before Base64, as RFC 6749 section 2.3.1 demands; `'raw'` does not, for
   * servers that do not decode. The two differ only where there are special characters. @default 'form'
   */
  readonly encoding?: 'form' | 'raw';
}

/**
 * Authenticates the client by HTTP Basic: `client_secret_basic`, RFC 6749 section 2.3.1.
 *
 * Not checked: whether the server expects it; a refusal is `token_request_rejected` with `invalid_client`.
 *
 * @throws TypeError if the secret is empty or an option is wrong.
 *
 * @example
 * ```ts
 * import { clientSecretBasic, createTokenClient } from 'service-auth';
 *
 * export const tokens = createTokenClient({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientAuth: clientSecretBasic(() => readSecretFromVault(), { encoding: 'raw' }),
 * });
 *
 * declare function readSecretFromVault(): Promise<string>;
 * ```
 */
export function clientSecretBasic(secret: Secret, options: ClientSecretBasicOptions = {}): ClientAuth {
  const check = new OptionChecker('clientSecretBasic');
  const read = secretReader(check, 'secret', secret);
  const { encoding = 'form' } = check.object('options', options, ['encoding']);
  const raw = check.oneOf('encoding', encoding, ['form', 'raw']) === 'raw';
  const encode = raw ? (text: string) => text : formEncode;
  let last = { clientId: '', password: '', header: '' };
  return ({ clientId, headers }) => {
    // Without encoding, the first colon ends the id, wherever it stands (RFC 7617 section 2).
    if (raw && clientId.includes(':')) {
      throw new ServiceAuthError('client_auth_failed', 'a client id with a colon needs the form encoding');
    }
    return andThen(read(), (password) => {
      if (last.clientId !== clientId || last.password !== password) {
        const header = `Basic ${encodeBase64(`${encode(clientId)}:${encode(password)}`)}`;
        last = { clientId, password, header };
      }
      headers.authorization = last.header;
    });
  };
}

/**
 * Authenticates the client by parameters of the body: `client_secret_post`, RFC 6749 section 2.3.1.
 *
 * Not checked: whether the server expects it; a refusal is `token_request_rejected` with `invalid_client`.
 *
 * @throws TypeError if the secret is empty.
 *
 * @example
 * ```ts
 * import { clientSecretPost, createTokenClient } from 'service-auth';
 *
 * export const connect = (secret: string) =>
 *   createTokenClient({
 *     issuer: 'https://idp.example',
 *     clientId: 'billing',
 *     clientAuth: clientSecretPost(secret),
 *   });
 * ```
 */
export function clientSecretPost(secret: Secret): ClientAuth {
  const read = secretReader(new OptionChecker('clientSecretPost'), 'secret', secret);
  return ({ clientId, form }) => {
    form.set('client_id', clientId);
    return andThen(read(), (password) => form.set('client_secret', password));
  };
}

/**
 * Adds the authentication within a deadline: a source that never answers must not hold up every later call.
 *
 * @throws ServiceAuthError `client_auth_failed`, `timeout`
 */
export async function authenticateClient(
  clientAuth: ClientAuth,
  request: ClientAuthRequest,
  timeoutMs: number,
): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const work = clientAuth(request);
    // Not `instanceof Promise`: whatever has a `then` must be waited for.
    if (work === undefined) return;
    const deadline = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        reject(new ServiceAuthError('timeout', `the client secret was not there within ${timeoutMs} ms`));
      }, timeoutMs);
    });
    await Promise.race([work, deadline]);
  } catch (error) {
    if (error instanceof ServiceAuthError) throw error;
    const reason = errorCode(error) ?? 'its function failed';
    throw new ServiceAuthError('client_auth_failed', `the client could not be authenticated (${reason})`);
  } finally {
    clearTimeout(timer);
  }
}

/** Checks a secret at creation without ever showing it, and gives the function that reads it. */
export function secretReader(
  check: OptionChecker,
  option: string,
  secret: Secret,
): () => MaybePromise<string> {
  if (typeof secret === 'function') return () => readSource(secret);
  if (!isSecret(secret)) {
    return check.failSecret(option, 'a non-empty string or a function that gives one');
  }
  return () => secret;
}

async function readSource(source: () => unknown): Promise<string> {
  let secret: unknown;
  try {
    secret = await source();
  } catch (error) {
    if (error instanceof ServiceAuthError) throw error;
    // The message of a foreign error may quote what was read.
    const reason = errorCode(error) ?? 'its function failed';
    throw new ServiceAuthError('client_auth_failed', `the client secret could not be read (${reason})`);
  }
  if (isSecret(secret)) return secret;
  throw new ServiceAuthError('client_auth_failed', 'the client secret could not be read (nothing was given)');
}

function isSecret(value: unknown): value is string {
  return typeof value === 'string' && value.trim() !== '';
}

/** `application/x-www-form-urlencoded` of one value (RFC 6749 appendix B). */
function formEncode(text: string): string {
  return new URLSearchParams([['', text]]).toString().slice(1);
}

/** Base64 of the text's UTF-8. */
function encodeBase64(text: string): string {
  let binary = '';
  for (const byte of new TextEncoder().encode(text)) binary += String.fromCharCode(byte);
  return btoa(binary);
}
