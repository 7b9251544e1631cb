import type { Dispatcher } from 'undici';
import {
  type CallAuthorizer,
  type CallAuthorizerOptions,
  createCallAuthorizer,
  type Explanation,
  isServiceAuthError,
  optionError,
  ServiceAuthError,
  type SubjectToken,
  type TokenClient,
} from '../src/index.ts';
import { UndiciCall } from './undici-call.ts';
import { hasCredential, rereadable } from './undici-headers.ts';

export { type TlsFetchFiles, tlsFetch } from './tls-fetch.ts';

const where = 'authInterceptor';

/** Those of an authed fetch without `redirectPolicy`; `fetch` sends token requests alone. */
export interface AuthInterceptorOptions extends CallAuthorizerOptions {
  /**
   * The origin that the dispatcher is connected to: needed with a `Pool` or `Client`, which send every request there
   * whatever origin it names. Requests that name another one are refused.
   * @default none: an `Agent`, whose requests name their origins
   */
  readonly origin?: string | undefined;
}

/** Sends access tokens with the requests of a dispatcher. Made by {@link authInterceptor}. */
export interface AuthInterceptor {
  (dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch;
  /** The tokens that requests are sent with. */
  readonly tokens: TokenClient;
  /** An interceptor for requests on behalf of somebody (RFC 8693). Closing it closes this one, too. */
  onBehalfOf(callerOrToken: SubjectToken): AuthInterceptor;
  /** Says what a request to this URL would meet. Nothing is sent, no secret shown. */
  explain(url: string | URL): Explanation;
  /** Forgets all tokens; every later request is refused. */
  close(): void;
}

/**
 * Makes an interceptor that sends the right access token to the services it was made for, and to nobody else: the
 * fastest way to call them on Node. For `compose` of undici 7 or later.
 *
 * Compose `dns` before it and `retry`, `redirect` behind it: these then lead every attempt and every hop through it,
 * and a redirect to what is no target ends with `untrusted_target`; one to another target gets that one's own token.
 * Requests fail with the errors of `authedFetch`.
 * One that was refused for its token is sent once more if its body is text, bytes or nothing; that of `undici.fetch`
 * is always a stream. Not checked: the answers of the services. RFC 6749 section 4.4, RFC 6750, RFC 8707, RFC 9449.
 *
 * @throws TypeError that names the option, the rule and the value, or the missing environment variable; also at a
 * request that has an `Authorization` or `DPoP` header of its own.
 *
 * @example
 * ```ts
 * import { authInterceptor } from 'service-auth/undici';
 * import { Agent, interceptors } from 'undici';
 *
 * const auth = authInterceptor({
 *   issuer: 'https://idp.example',
 *   clientId: 'billing',
 *   clientSecret: process.env.BILLING_SECRET,
 *   targets: [{ origin: 'https://orders.internal', scope: 'orders:read' }],
 * });
 * const agent = new Agent().compose(interceptors.dns(), auth, interceptors.retry());
 *
 * export async function orders(): Promise<unknown> {
 *   const { body } = await agent.request({ origin: 'https://orders.internal', path: '/orders', method: 'GET' });
 *   return body.json();
 * }
 * ```
 */
export function authInterceptor(options: AuthInterceptorOptions = {}): AuthInterceptor {
  if (typeof options !== 'object' || options === null) {
    throw optionError('option_invalid', `${where}: options must be an object`);
  }
  const { origin, ...rest } = options;
  const only = origin === undefined ? undefined : readOrigin(origin);
  return interceptorOf(createCallAuthorizer(rest, where), only);
}

function interceptorOf(authorizer: CallAuthorizer, only: string | undefined): AuthInterceptor {
  const { authorize, tokens, explain, close } = authorizer;

  const interceptor = (dispatch: Dispatcher.Dispatch): Dispatcher.Dispatch =>
    function authorized(given, handler) {
      const { method, body } = given;
      const headers = rereadable(given.headers);
      const options = headers === given.headers ? given : Object.assign({}, given, { headers });
      if (hasCredential(headers)) {
        throw optionError(
          'call_invalid',
          `${where}: the request has an Authorization or DPoP header of its own`,
        );
      }
      const url = urlOf(options, only);
      const call = new UndiciCall(dispatch, options, url, handler);
      try {
        if (only !== undefined && !url.startsWith(`${only}/`)) throw refusal(only);
        const ready = authorize({ method, url, replayable: isReplayable(body) });
        return ready instanceof Promise ? call.sendLater(ready) : call.send(ready);
      } catch (error) {
        // Not thrown, since interceptors expect refusals to come as answers do.
        if (isServiceAuthError(error)) return call.fail(error);
        throw error;
      }
    };

  return Object.freeze(
    Object.assign(interceptor, {
      tokens,
      explain,
      close,
      onBehalfOf: (callerOrToken: SubjectToken) => interceptorOf(authorizer.onBehalfOf(callerOrToken), only),
    }),
  );
}

function readOrigin(text: unknown): string {
  const url = typeof text === 'string' ? parse(text) : undefined;
  if (url !== undefined && url.href === `${url.origin}/`) return url.origin;
  throw optionError('option_invalid', `${where}: origin must be an origin such as https://orders.internal`);
}

/** Where a request goes. The path is put behind the origin as it is: `//host/` in it names no other host. */
function urlOf({ origin, path }: Dispatcher.DispatchOptions, only: string | undefined): string {
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw optionError('call_invalid', `${where}: the path of a request must begin with a slash`);
  }
  const named = origin === undefined || origin === '' ? only : originOf(origin);
  if (named === undefined) {
    const problem = 'a request names no origin; for a Pool or Client set the option origin';
    throw optionError('call_invalid', `${where}: ${problem}`);
  }
  return named + path;
}

function refusal(only: string): ServiceAuthError {
  return new ServiceAuthError('untrusted_target', `the dispatcher serves ${only} alone; nothing was sent`);
}

function originOf(origin: string | URL): string {
  if (typeof origin !== 'string') return origin.origin;
  // As a rule it is one already, and a target has the very same; what is not may end in a slash.
  if (!origin.endsWith('/')) return origin;
  return parse(origin)?.origin ?? origin;
}

function parse(url: string): URL | undefined {
  try {
    return new URL(url);
  } catch {
    return undefined;
  }
}

/** Whether it can be sent twice: streams and iterators are used up. */
function isReplayable(body: unknown): boolean {
  return body === null || body === undefined || typeof body === 'string' || ArrayBuffer.isView(body);
}
