import type { MiddlewareHandler } from 'hono';
import {
  type AuthRequest,
  type CallerOf,
  type Connection,
  createGuard,
  createProtectedResource,
  type GuardOptions,
  type NoPolicy,
  type ProtectedResourceOptions,
} from '../src/index.ts';
import { type NodeRequest, SocketView } from './node-request.ts';

/** `c.var.caller` behind `requireServiceAuth`; possibly undefined only where the policy may be `optional`. */
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
    for (const [name, value] of Object.entries(outcome.headers ?? {})) c.header(name, value);
    return undefined;
  };
}

/** Where Hono runs on Node, the request's socket is known too. */
function requestOf({ req, env }: { req: { raw: Request }; env: unknown }): AuthRequest {
  const { incoming } = (env ?? {}) as { incoming?: NodeRequest };
  return incoming?.socket === undefined
    ? req.raw
    : new ConnectedRequest(req.raw, new SocketView(incoming.socket));
}

class ConnectedRequest implements AuthRequest {
  readonly #request: Request;
  readonly connection: Connection;

  constructor(request: Request, connection: Connection) {
    this.#request = request;
    this.connection = connection;
  }

  get method(): string {
    return this.#request.method;
  }

  get url(): string {
    return this.#request.url;
  }

  get headers(): Headers {
    return this.#request.headers;
  }
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
