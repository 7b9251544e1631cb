import type { Middleware } from 'koa';
import { type Caller, createGuard, type GuardOptions } from '../src/index.ts';
import { NodeRequestView } from './node-request.ts';

/** What `requireServiceAuth` puts into `ctx.state`. */
export interface ServiceAuthState {
  /** Who calls; undefined only where the policy is `optional`. */
  caller?: Caller | undefined;
}

/**
 * Lets requests pass whose access token is good, with `ctx.state.caller`; answers all others itself.
 *
 * Takes verifier options and a policy, or `{ verifier }` and a policy; without either the environment.
 *
 * @throws TypeError at creation, for every mistake in the options. RFC 6750.
 *
 * @example
 * ```ts
 * import Koa from 'koa';
 * import { requireServiceAuth, type ServiceAuthState } from 'service-auth/koa';
 *
 * const app = new Koa<ServiceAuthState>();
 * app.use(requireServiceAuth({ scope: 'orders:read' }));
 * app.use((ctx) => {
 *   ctx.body = { hello: ctx.state.caller?.clientId };
 * });
 * ```
 */
export function requireServiceAuth(options?: GuardOptions): Middleware<ServiceAuthState> {
  const guard = createGuard(options);
  return async (ctx, next) => {
    const judged = guard(new NodeRequestView(ctx.req, ctx.originalUrl));
    const outcome = judged instanceof Promise ? await judged : judged;
    if (!outcome.ok) {
      const { status, headers, body } = outcome.rejection;
      ctx.status = status;
      ctx.body = body;
      ctx.set(headers);
      return;
    }
    if (outcome.headers !== undefined) ctx.set(outcome.headers);
    ctx.state.caller = outcome.caller;
    await next();
  };
}
