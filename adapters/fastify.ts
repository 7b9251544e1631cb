import type { FastifyPluginCallback, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import {
  type AuthOutcome,
  type Caller,
  createVerifier,
  type Guard,
  type Policy,
  type Verifier,
  type VerifierOptions,
} from '../src/index.ts';
import { NodeRequestView } from './node-request.ts';

/** Options of the plugin: those of a verifier, or `{ verifier }`; nothing of either means the environment. */
export type ServiceAuthPluginOptions = (VerifierOptions | { readonly verifier: Verifier }) & {
  /** Protects every route; `config: { serviceAuth: false }` opens one. @default false */
  readonly global?: boolean;
};

/** A hook for `onRequest` or `preHandler`. */
export type ServiceAuthHook = (request: FastifyRequest, reply: FastifyReply) => Promise<void>;

declare module 'fastify' {
  interface FastifyInstance {
    /** Makes a hook that lets requests pass under a policy. */
    requireServiceAuth(policy?: Policy): ServiceAuthHook;
  }
  interface FastifyRequest {
    /** Who calls, on protected routes. */
    caller: Caller | undefined;
  }
  interface FastifyContextConfig {
    /** The policy of this route; `true` asks for a valid token alone, `false` opens a route under `global`. */
    serviceAuth?: Policy | boolean;
  }
}

const plugin: FastifyPluginCallback<ServiceAuthPluginOptions> = (app, options, done) => {
  const { global = false, ...rest } = options;
  if (typeof global !== 'boolean') throw new TypeError('serviceAuth: global must be true or false');
  const verifier = 'verifier' in rest ? rest.verifier : createVerifier(rest);

  const requireServiceAuth = (policy?: Policy): ServiceAuthHook => hook(verifier.guard(policy));
  app.decorateRequest('caller', undefined);
  app.decorate('requireServiceAuth', requireServiceAuth);

  // Here and not at the first request: a mistake in a route's policy stops the start.
  app.addHook('onRoute', (route: RouteOptions) => {
    const policy = route.config?.serviceAuth ?? global;
    if (policy === false) return;
    const protect = requireServiceAuth(policy === true ? undefined : policy);
    // First in line: no other hook of the route works for a caller who is not let in.
    route.onRequest = [protect, ...[route.onRequest ?? []].flat()];
  });
  done();
};

function hook(guard: Guard): ServiceAuthHook {
  return async (request, reply) => {
    const judged = guard(new NodeRequestView(request.raw, request.originalUrl));
    const outcome: AuthOutcome = judged instanceof Promise ? await judged : judged;
    if (!outcome.ok) {
      const { status, headers, body } = outcome.rejection;
      // As bytes: to the content type of text Fastify would add a charset, which JSON has none of.
      return reply.code(status).headers(headers).send(Buffer.from(body));
    }
    if (outcome.headers !== undefined) reply.headers(outcome.headers);
    request.caller = outcome.caller;
  };
}

/**
 * Protects routes of Fastify: by the hook `app.requireServiceAuth(policy)`, by a route's
 * `config: { serviceAuth: policy }`, or all of them with `{ global: true }`.
 *
 * Register it before the routes it shall protect. Not protected: answers to unknown routes.
 *
 * @throws TypeError at registration, for every mistake in the options or in a route's policy. RFC 6750.
 *
 * @example
 * ```ts
 * import Fastify from 'fastify';
 * import serviceAuth from 'service-auth/fastify';
 *
 * const app = Fastify();
 * await app.register(serviceAuth, { issuer: 'https://idp.example', audience: 'https://orders.example' });
 * app.get('/orders', { config: { serviceAuth: { scope: 'orders:read' } } }, (request) => ({
 *   hello: request.caller?.clientId,
 * }));
 * ```
 */
export default fastifyPlugin(plugin, { name: 'service-auth', fastify: '5.x || 4.x' });
