/** How a client proves to an endpoint of the authorization server who it is (RFC 6749 section 2.3). */
import { ServiceAuthError } from '../errors.ts';
import { within } from './deadline.ts';
import { errorCode } from './http.ts';
import { isObject } from './json.ts';
import { andThen, isThenable, type MaybePromise } from './maybe-async.ts';
import { OptionChecker } from './options.ts';
import { type Secret, secretReader } from './secret.ts';

/** A request to the token or introspection endpoint, about to be sent. A `ClientAuth` adds to `form` and `headers`. */
export interface ClientAuthRequest {
  readonly issuer: string | undefined;
  /** Where the request goes. */
  readonly endpoint: string;
  readonly clientId: string;
  /** The body's parameters, `grant_type`, `token` and the like already among them. */
  readonly form: URLSearchParams;
  readonly headers: Record<string, string>;
  /**
   * How often the server refused this client (`invalid_client`) in this round: 0 at first. Sources are read anew
   * each time; of several secrets the next is used.
   */
  readonly refusals: number;
  /** The time by the server's clock as far as it is known, in epoch milliseconds: for assertions. */
  readonly now: () => number;
}

/**
 * What identifies the credential that was used: equal for the same, different for another.
 *
 * Kept in memory only, and hashed for shared stores; never sent or shown.
 */
export interface CredentialUsed {
  readonly credential: string;
  /** What may be wrong where the server refuses it, for the message of the error; must not quote it. */
  readonly hint?: string | undefined;
}

/**
 * Adds the client's authentication to one request (RFC 6749 section 2.3). Called anew for each.
 *
 * What it gives back tells one credential from the next, so that a refusal is not held against a new one.
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
// biome-ignore lint/suspicious/noConfusingVoidType: a function that gives nothing is as good as one that gives undefined
export type ClientAuth = ((request: ClientAuthRequest) => MaybePromise<CredentialUsed | undefined | void>) & {
  /** The certificate of the connection proves who asks: the server may have another endpoint for that. */
  readonly mutualTls?: boolean;
};

class Credential implements CredentialUsed {
  readonly #credential: string;
  readonly hint: string | undefined;

  constructor(credential: string, hint: string | undefined) {
    this.#credential = credential;
    this.hint = hint;
  }

  get credential(): string {
    return this.#credential;
  }

  /** Node's inspection can be told to call getters; it must not find the credential either. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    return { hint: this.hint };
  }
}

/** Wraps what identifies a credential so that neither `util.inspect` nor JSON shows it. */
export function credentialUsed(credential: string, hint?: string): CredentialUsed {
  return new Credential(credential, hint);
}

const FORM_HINT =
  "id or secret have characters that Basic encodes: some servers expect { encoding: 'raw' }, or clientSecretPost";
const RAW_HINT = "id or secret have characters that Basic should encode: try without { encoding: 'raw' }";

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
  let last = { clientId: '', password: '', header: '', used: credentialUsed('') };
  return ({ clientId, headers, refusals }) => {
    // Without encoding, the first colon ends the id, wherever it stands (RFC 7617 section 2).
    if (raw && clientId.includes(':')) {
      throw new ServiceAuthError('client_auth_failed', 'a client id with a colon needs the form encoding');
    }
    return andThen(read(refusals), (password) => {
      if (last.clientId !== clientId || last.password !== password) {
        const header = `Basic ${encodeBase64(`${encode(clientId)}:${encode(password)}`)}`;
        const isSpecial = formEncode(`${clientId}${password}`) !== `${clientId}${password}`;
        const used = credentialUsed(password, isSpecial ? (raw ? RAW_HINT : FORM_HINT) : undefined);
        last = { clientId, password, header, used };
      }
      headers.authorization = last.header;
      return last.used;
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
  return ({ clientId, form, refusals }) =>
    andThen(read(refusals), (password) => {
      form.set('client_id', clientId);
      form.set('client_secret', password);
      return credentialUsed(password);
    });
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
): Promise<CredentialUsed | undefined> {
  try {
    const work: unknown = clientAuth(request);
    // Not `instanceof Promise`: whatever has a `then` must be waited for.
    if (!isThenable(work)) return hidden(work);
    const used = await within(timeoutMs, work, () => {
      const message = `the credential of the client was not there within ${timeoutMs} ms`;
      throw new ServiceAuthError('timeout', message);
    });
    return hidden(used);
  } catch (error) {
    if (error instanceof ServiceAuthError) throw error;
    const reason = errorCode(error) ?? 'its function failed';
    throw new ServiceAuthError('client_auth_failed', `the client could not be authenticated (${reason})`);
  }
}

/** Foreign functions give plain objects, which show what is in them, or anything at all. */
function hidden(used: unknown): CredentialUsed | undefined {
  if (used instanceof Credential) return used;
  if (!isObject(used) || typeof used.credential !== 'string') return undefined;
  return credentialUsed(used.credential, typeof used.hint === 'string' ? used.hint : undefined);
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
