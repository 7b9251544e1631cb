import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import {
  type AuthOutcome,
  type Caller,
  type Guard,
  optionError,
  type Policy,
  readRouteSetting,
  resolveVerifier,
  type VerifierSource,
} from '../src/index.ts';
import { answerMetadata } from './fastify-protected-resource.ts';
import { NodeRequestView } from './node-request.ts';

export { protectedResource } from './fastify-protected-resource.ts';

/** Options of the plugin: those of a verifier, or `{ verifier }`; nothing of either means the environment. */
export type ServiceAuthPluginOptions = VerifierSource & {
  /** Protects every route; `config: { serviceAuth: false }` opens one. @default false */
  readonly global?: boolean | undefined;
};

type Done = (error?: Error) => void;

/** A hook for `onRequest` or `preHandler`. */
export type ServiceAuthHook = (request: FastifyRequest, reply: FastifyReply, done: Done) => void;

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
    /** The whole policy of this route; `true` asks for a valid token alone, `false` opens a route under `global`. */
    serviceAuth?: Policy | boolean;
  }
}

const plugin: FastifyPluginAsync<ServiceAuthPluginOptions> = async (app, options) => {
  const { global = false, ...source } = options;
  if (typeof global !== 'boolean') {
    throw optionError('option_invalid', 'serviceAuth: global must be true or false');
  }
  const verifier = resolveVerifier(source, ['global']);
  const anyCaller = verifier.guard();
  const guards = new WeakMap<object, Guard | undefined>();

  function makeGuard(config: object): Guard | undefined {
    const setting = readRouteSetting(config) ?? global;
    if (typeof setting === 'boolean') return setting ? anyCaller : undefined;
    return verifier.guard(setting);
  }

  function guardOf(config: object): Guard | undefined {
    if (!guards.has(config)) guards.set(config, makeGuard(config));
    return guards.get(config);
  }

  app.decorateRequest('caller', undefined);
  app.decorate('requireServiceAuth', (policy?: Policy) => hook(verifier.guard(policy)));
  // A mistake in a route's policy stops the start rather than the first request.
  app.addHook('onRoute', (route) => {
    if ('serviceAuth' in route) {
      throw optionError('option_misplaced', 'serviceAuth: must stand in the config of a route');
    }
    guardOf(route.config ?? {});
  });
  // `onRoute` never hears of routes declared before the plugin was loaded, this hook runs for them as well.
  app.addHook('onRequest', (request, reply, done) => {
    if (answerMetadata(request, reply)) return;
    const guard = request.is404 ? undefined : guardOf(request.routeOptions.config);
    if (guard === undefined) done();
    else protect(guard, request, reply, done);
  });
};

function hook(guard: Guard): ServiceAuthHook {
  return (request, reply, done) => protect(guard, request, reply, done);
}

function protect(guard: Guard, request: FastifyRequest, reply: FastifyReply, done: Done): void {
  const outcome = guard(new NodeRequestView(request.raw, request.originalUrl));
  if (!(outcome instanceof Promise)) conclude(outcome, request, reply, done);
  else outcome.then((late) => conclude(late, request, reply, done), done);
}

function conclude(outcome: AuthOutcome, request: FastifyRequest, reply: FastifyReply, done: Done): void {
  if (!outcome.ok) {
    const { status, headers, body } = outcome.rejection;
    // As bytes: to the content type of text Fastify would add a charset, which JSON has none of.
    reply.code(status).headers(headers).send(Buffer.from(body));
    return;
  }
  if (outcome.headers !== undefined) reply.headers(outcome.headers);
  request.caller = outcome.caller;
  done();
}

/**
 * Protects routes of Fastify: by the hook `app.requireServiceAuth(policy)`, by a route's
 * `config: { serviceAuth: policy }`, or all of them with `{ global: true }`.
 *
 * Register it before plugins whose routes it shall protect, and after those that answer without a token, as
 * CORS does. Fastify's types let a config say anything, so mistakes there are found at run time alone: awaited, the
 * plugin reports them when routes are declared; otherwise such a route answers every request with 500.
 * Not protected: answers to unknown routes. Not checked: what the policy does not ask for. RFC 6750, RFC 9449.
 *
 * @throws TypeError at registration, for every mistake in the options or in a route's policy.
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
export default fastifyPlugin(plugin, { name: 'service-auth', fastify: '>=4.23' });
