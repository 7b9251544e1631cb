import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import {
  createProtectedResource,
  type ProtectedResource,
  type ProtectedResourceOptions,
} from '../src/index.ts';

/** By server: a route that matches every path may be protected, but these documents are open. */
const documents = new WeakMap<object, ProtectedResource[]>();

/** Answers a request for one of the documents; says whether it was one. */
export function answerMetadata(
  { method, originalUrl: url, server }: FastifyRequest,
  reply: FastifyReply,
): boolean {
  for (const document of documents.get(server.server) ?? []) {
    const found = document.answer({ method, url });
    if (found === undefined) continue;
    reply.code(found.status).headers(found.headers).send(Buffer.from(found.body));
    return true;
  }
  return false;
}

const metadataPlugin: FastifyPluginAsync<ProtectedResourceOptions> = async (app, options) => {
  documents.set(app.server, [...(documents.get(app.server) ?? []), createProtectedResource(options)]);
  // No route: in the path of one, colons and stars would be patterns.
  app.addHook('onRequest', (request, reply, done) => {
    if (!answerMetadata(request, reply)) done();
  });
};

/**
 * A plugin that serves the protected resource metadata at its well-known path, open also under `global`. RFC 9728.
 *
 * @throws TypeError at registration, for every mistake in the options.
 *
 * @example
 * ```ts
 * import Fastify from 'fastify';
 * import { protectedResource } from 'service-auth/fastify';
 *
 * const app = Fastify();
 * app.register(protectedResource, {
 *   resource: 'https://orders.example',
 *   authorizationServers: 'https://idp.example',
 * });
 * ```
 */
export const protectedResource: FastifyPluginAsync<ProtectedResourceOptions> = fastifyPlugin(metadataPlugin, {
  name: 'service-auth-protected-resource',
  fastify: '>=4.23',
});
