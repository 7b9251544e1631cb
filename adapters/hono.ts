import type { MiddlewareHandler } from 'hono';
import { type Caller, createGuard, type GuardOptions } from '../src/index.ts';

/** `c.var.caller` behind `requireServiceAuth`; possibly undefined only where the policy may be `optional`. */
export type ServiceAuthVariables<O = Record<never, never>> = {
  Variables: { caller: true extends O['optional' & keyof O] ? Caller | undefined : Caller };
};

/**
 * Lets requests pass whose access token is good, with `c.var.caller`; answers all others itself.
 *
 * Takes verifier options and a policy, or `{ verifier }` and a policy; without either the environment.
 *
 * @throws TypeError at creation, for every mistake in the options. RFC 6750.
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
export function requireServiceAuth<const O extends GuardOptions = Record<never, never>>(
  options?: O,
): MiddlewareHandler<ServiceAuthVariables<O>> {
  const guard = createGuard(options);
  return async (c, next) => {
    const judged = guard(c.req.raw);
    const outcome = judged instanceof Promise ? await judged : judged;
    if (!outcome.ok) {
      const { status, headers, body } = outcome.rejection;
      return c.body(body, status, headers);
    }
    // The type says what `optional` decides at run time.
    c.set('caller', outcome.caller as ServiceAuthVariables<O>['Variables']['caller']);
    await next();
    for (const [name, value] of Object.entries(outcome.headers ?? {})) c.header(name, value);
    return undefined;
  };
}
