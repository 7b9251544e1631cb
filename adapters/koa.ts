import type { Middleware, Next, ParameterizedContext } from 'koa';
import {
  type AuthOutcome,
  type Caller,
  createGuard,
  createProtectedResource,
  type GuardOptions,
  type HttpAnswer,
  type ProtectedResourceOptions,
} from '../src/index.ts';
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
 * Not checked: what the policy does not ask for, and whether the request came over TLS. RFC 6750, RFC 9449.
 *
 * @throws TypeError at creation, for every mistake in the options.
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
  return (ctx, next) => {
    const outcome = guard(new NodeRequestView(ctx.req, ctx.originalUrl));
    if (!(outcome instanceof Promise)) return conclude(outcome, ctx, next);
    // While keys were fetched, a time limit may have answered in our place: then nothing is left to do.
    return outcome.then((late) => (ctx.headerSent ? undefined : conclude(late, ctx, next)));
  };
}

type Context = ParameterizedContext<ServiceAuthState>;

function conclude(outcome: AuthOutcome, ctx: Context, next: Next): Promise<unknown> | undefined {
  if (!outcome.ok) {
    answer(ctx, outcome.rejection);
    return undefined;
  }
  ctx.state.caller = outcome.caller;
  return outcome.headers === undefined ? next() : nextWithHeaders(ctx, outcome.headers, next);
}

async function nextWithHeaders(ctx: Context, headers: Record<string, string>, next: Next): Promise<unknown> {
  ctx.set(headers);
  try {
    return await next();
  } catch (error) {
    // Koa's answer to an error has no headers but those that the error names.
    if (error instanceof Error) {
      const named = 'headers' in error ? error.headers : undefined;
      Reflect.set(error, 'headers', Object.assign({}, named, headers));
    }
    throw error;
  }
}

function answer(ctx: Context, { status, headers, body }: HttpAnswer): void {
  ctx.status = status;
  ctx.body = body;
  ctx.set(headers);
}

/**
 * Serves the protected resource metadata at its well-known path and lets all other requests pass. RFC 9728.
 *
 * @throws TypeError at creation, for every mistake in the options.
 *
 * @example
 * ```ts
 * import Koa from 'koa';
 * import { protectedResource } from 'service-auth/koa';
 *
 * const app = new Koa();
 * app.use(protectedResource({ resource: 'https://orders.example', authorizationServers: 'https://idp.example' }));
 * ```
 */
export function protectedResource(options: ProtectedResourceOptions): Middleware {
  const metadata = createProtectedResource(options);
  return (ctx, next) => {
    const found = metadata.answer({ method: ctx.method, url: ctx.originalUrl });
    if (found === undefined) return next();
    answer(ctx, found);
    return undefined;
  };
}
