import { createPublicKey } from 'node:crypto';
import type { Server } from 'node:http';
import fastifyJwt from '@fastify/jwt';
import Fastify from 'fastify';
import serviceAuth from 'service-auth/fastify';
import { audience, issuer } from '../tokens.ts';
import { createLimits } from './limits.ts';
import { order, type Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

export async function createFastifyServer(setup: Setup): Promise<Server> {
  const app = Fastify();
  app.get('/open', async () => order);
  for (const [name, verifier] of Object.entries(createVerifiers(setup))) {
    await app.register(async (routes) => {
      await routes.register(serviceAuth, { verifier });
      routes.get(`/${name}`, { config: { serviceAuth: { scope } } }, async () => order);
    });
  }
  const { isThere, holds } = createLimits(setup);
  app.get(
    '/header',
    {
      onRequest: (request, reply, done) => {
        if (isThere(request.headers.authorization)) done();
        else reply.code(401).send();
      },
    },
    async () => order,
  );
  app.get(
    '/signature',
    {
      onRequest: async (request, reply) => {
        if (!(await holds(request.headers.authorization))) await reply.code(401).send();
      },
    },
    async () => order,
  );
  const pem = createPublicKey({ key: setup.jwk, format: 'jwk' }).export({ type: 'spki', format: 'pem' });
  const rules = { algorithms: ['ES256' as const], allowedIss: issuer, allowedAud: audience };
  for (const [path, caching] of [
    ['/jwt', {}],
    ['/jwt-cache', { cache: 10_000 }],
  ] as const) {
    await app.register(async (routes) => {
      await routes.register(fastifyJwt, {
        secret: { public: pem.toString() },
        verify: { ...rules, ...caching },
      });
      routes.get(path, { onRequest: (request) => request.jwtVerify() }, async () => order);
    });
  }
  await app.ready();
  return app.server;
}
