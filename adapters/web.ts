import {
  type CallerOf,
  createGuard,
  createProtectedResource,
  type GuardOptions,
  type NoPolicy,
  optionError,
  type ProtectedResourceOptions,
} from '../src/index.ts';
import { withHeaders } from './web-response.ts';

/**
 * Wraps a web-standard handler: Bun.serve, Deno.serve, Workers, Next route handlers.
 *
 * The handler gets the request, the caller, and whatever else the server passes. Takes verifier options and a
 * policy, or `{ verifier }` and a policy; without either the environment.
 *
 * Not checked: what the policy does not ask for, and whether the request came over TLS. RFC 6750, RFC 9449.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import { withServiceAuth } from 'service-auth/web';
 *
 * export default {
 *   fetch: withServiceAuth((request, caller) => Response.json({ hello: caller.clientId }), {
 *     issuer: 'https://idp.example',
 *     audience: 'https://orders.example',
 *     scope: 'orders:read',
 *   }),
 * };
 * ```
 */
export function withServiceAuth<Rest extends unknown[], const O extends GuardOptions = NoPolicy>(
  handler: (request: Request, caller: CallerOf<O>, ...rest: Rest) => Response | Promise<Response>,
  options?: O,
): (request: Request, ...rest: Rest) => Promise<Response> {
  if (typeof handler !== 'function') {
    throw optionError('option_invalid', 'withServiceAuth: handler must be a function');
  }
  const guard = createGuard(options);
  return async (request, ...rest) => {
    const judged = guard(request);
    const outcome = judged instanceof Promise ? await judged : judged;
    if (!outcome.ok) {
      const { status, headers, body } = outcome.rejection;
      return new Response(body, { status, headers });
    }
    const response = await handler(request, outcome.caller, ...rest);
    return outcome.headers === undefined ? response : withHeaders(response, outcome.headers);
  };
}

/**
 * Makes the function that answers requests for the protected resource metadata (RFC 9728), `undefined` for others.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import { protectedResource } from 'service-auth/web';
 *
 * const metadata = protectedResource({
 *   resource: 'https://orders.example',
 *   authorizationServers: 'https://idp.example',
 * });
 *
 * export default {
 *   fetch: (request: Request) => metadata(request) ?? new Response(null, { status: 404 }),
 * };
 * ```
 */
export function protectedResource(
  options: ProtectedResourceOptions,
): (request: Request) => Response | undefined {
  const metadata = createProtectedResource(options);
  return (request) => {
    const found = metadata.answer(request);
    return found === undefined ? undefined : new Response(found.body, found);
  };
}
