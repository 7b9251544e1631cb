import type { MiddlewareHandler } from 'hono';
import {
  type AuthRequest,
  type CallerOf,
  createGuard,
  createProtectedResource,
  type GuardOptions,
  type NoPolicy,
  type ProtectedResourceOptions,
} from '../src/index.ts';
import { type NodeRequest, SocketView } from './node-request.ts';
import { withHeaders } from './web-response.ts';

/**
 * `c.var.caller` behind `requireServiceAuth`; possibly undefined only where the policy may be `optional`.
 *
 * A route that names the middleware knows it by itself. Behind `app.use(...)` say it where the app is made:
 *
 * @example
 * ```ts
 * import { Hono } from 'hono';
 * import { requireServiceAuth, type ServiceAuthVariables } from 'service-auth/hono';
 *
 * const app = new Hono<ServiceAuthVariables>();
 * app.use(requireServiceAuth());
 * app.get('/orders', (c) => c.json({ hello: c.var.caller.clientId }));
 * ```
 */
export type ServiceAuthVariables<O = NoPolicy> = { Variables: { caller: CallerOf<O> } };

/**
 * Lets requests pass whose access token is good, with `c.var.caller`; answers all others itself.
 *
 * Takes verifier options and a policy, or `{ verifier }` and a policy; without either the environment.
 *
 * Not checked: what the policy does not ask for, and whether the request came over TLS. RFC 6750, RFC 9449.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import { Hono } from 'hono';
 * import { requireServiceAuth } from 'service-auth/hono';
 *
 * const app = new Hono();
 * app.get('/orders', requireServiceAuth({ scope: 'orders:read' }), (c) =>
 *   c.json({ hello: c.var.caller.clientId }),
 * );
 * ```
 */
export function requireServiceAuth<const O extends GuardOptions = NoPolicy>(
  options?: O,
): MiddlewareHandler<ServiceAuthVariables<O>> {
  const guard = createGuard(options);
  return async (c, next) => {
    const judged = guard(requestOf(c));
    const outcome = judged instanceof Promise ? await judged : judged;
    if (!outcome.ok) {
      const { status, headers, body } = outcome.rejection;
      return c.body(body, status, headers);
    }
    c.set('caller', outcome.caller);
    await next();
    const { res } = c;
    const answered = outcome.headers === undefined ? res : withHeaders(res, outcome.headers);
    // Setting it copies, which not every response bears.
    if (answered !== res) c.res = answered;
    return undefined;
  };
}

/** Where Hono runs on Node, the request's socket is known too. */
function requestOf({ req: { raw }, env }: { req: { raw: Request }; env: unknown }): AuthRequest {
  const { incoming } = (env ?? {}) as { incoming?: NodeRequest };
  if (incoming?.socket === undefined) return raw;
  const { method, url, headers } = raw;
  return { method, url, headers, connection: new SocketView(incoming.socket), source: incoming };
}

/**
 * Serves the protected resource metadata at its well-known path and lets all other requests pass. RFC 9728.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import { Hono } from 'hono';
 * import { protectedResource } from 'service-auth/hono';
 *
 * const app = new Hono();
 * app.use(protectedResource({ resource: 'https://orders.example', authorizationServers: 'https://idp.example' }));
 * ```
 */
export function protectedResource(options: ProtectedResourceOptions): MiddlewareHandler {
  const metadata = createProtectedResource(options);
  return async (c, next) => {
    const found = metadata.answer(c.req.raw);
    if (found === undefined) return next();
    return c.body(found.body, found.status, found.headers);
  };
}
