/** Every adapter behind one interface. */
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import express4 from 'express4';
import Fastify, { type FastifyInstance } from 'fastify';
import Fastify4 from 'fastify4';
import { Hono } from 'hono';
import Koa from 'koa';
import Koa2 from 'koa2';
import { requireServiceAuth as expressAuth, type ServiceAuthMiddleware } from '../../adapters/express.ts';
import serviceAuth from '../../adapters/fastify.ts';
import { requireServiceAuth as honoAuth } from '../../adapters/hono.ts';
import { requireServiceAuth as koaAuth, type ServiceAuthState } from '../../adapters/koa.ts';
import { withServiceAuth } from '../../adapters/web.ts';
import type { Caller } from '../../src/index.ts';
import { nestOverHttp } from './nest-transports.ts';
import type { ProtectedRoute } from './routes.ts';
import {
  describeCaller,
  injected,
  inProcess,
  type Listener,
  overHttp,
  overServer,
  type Transport,
} from './transport.ts';

export type MakeTransport = (routes: readonly ProtectedRoute[]) => Promise<Transport>;

function expressApp(make: typeof express, routes: readonly ProtectedRoute[]): Listener {
  const app = make();
  for (const { path, verifier, policy } of routes) {
    app.all(path, expressAuth({ verifier, ...policy }), (request, response) => {
      response.type('json').send(describeCaller(request.caller));
    });
  }
  return app;
}

function plainListener(routes: readonly ProtectedRoute[]): Listener {
  const protect = new Map<string | undefined, ServiceAuthMiddleware>(
    routes.map(({ path, verifier, policy }) => [path, expressAuth({ verifier, ...policy })]),
  );
  return (request, response) => {
    protect.get(request.url)?.(request, response, (error) => {
      response.statusCode = error === undefined ? 200 : 500;
      response.end(describeCaller(request.caller));
    });
  };
}

function honoApp(routes: readonly ProtectedRoute[]): Hono {
  const app = new Hono();
  for (const { path, verifier, policy } of routes) {
    app.all(path, honoAuth({ verifier, ...policy }), (c) => c.body(describeCaller(c.var.caller)));
  }
  return app;
}

function koaListener(Application: typeof Koa, routes: readonly ProtectedRoute[]): Listener {
  const app = new Application<ServiceAuthState>();
  for (const { path, verifier, policy } of routes) {
    const protect = koaAuth({ verifier, ...policy });
    app.use((ctx, next) => (ctx.path === path ? protect(ctx, next) : next()));
  }
  app.use((ctx) => {
    ctx.body = describeCaller(ctx.state.caller);
  });
  return app.callback();
}

function webHandler(routes: readonly ProtectedRoute[]): (request: Request) => Promise<Response> {
  const handlers = new Map(
    routes.map(({ path, verifier, policy }) => [
      path,
      withServiceAuth((_request, caller: Caller | undefined) => new Response(describeCaller(caller)), {
        verifier,
        ...policy,
      }),
    ]),
  );
  return async (request) =>
    (await handlers.get(new URL(request.url).pathname)?.(request)) ?? new Response(null, { status: 404 });
}

type Style = 'hook' | 'config' | 'global';

async function fastifyApp(
  make: typeof Fastify,
  routes: readonly ProtectedRoute[],
  style: Style,
): Promise<FastifyInstance> {
  const app = make({ http: { maxHeaderSize: 64 * 1024 } });
  for (const { path: url, verifier, policy } of routes) {
    // One plugin for each, since a plugin has one verifier; `register` keeps them apart.
    await app.register(async (scope) => {
      await scope.register(serviceAuth, { verifier, global: style === 'global' });
      const protection =
        style === 'hook'
          ? { preHandler: scope.requireServiceAuth(policy) }
          : { config: { serviceAuth: policy } };
      scope.route({
        method: ['GET', 'POST', 'HEAD', 'OPTIONS'],
        url,
        ...protection,
        handler: (request, reply) => reply.type('application/json').send(describeCaller(request.caller)),
      });
    });
  }
  await app.ready();
  return app;
}

async function fastifyOverHttp(
  make: typeof Fastify,
  routes: readonly ProtectedRoute[],
  style: Style,
): Promise<Transport> {
  const app = await fastifyApp(make, routes, style);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const transport = await overServer(app.server);
  return { send: transport.send, close: () => app.close() };
}

export const transports: Readonly<Record<string, MakeTransport>> = {
  'express 5': (routes) => overHttp(expressApp(express, routes)),
  'express 4': (routes) => overHttp(expressApp(express4, routes)),
  'node:http': (routes) => overHttp(plainListener(routes)),
  'koa 3': (routes) => overHttp(koaListener(Koa, routes)),
  'koa 2': (routes) => overHttp(koaListener(Koa2, routes)),
  hono: (routes) => overHttp(getRequestListener(honoApp(routes).fetch)),
  'hono, no socket': async (routes) => inProcess((request) => honoApp(routes).fetch(request)),
  web: (routes) => overHttp(getRequestListener(webHandler(routes))),
  'web, no socket': async (routes) => inProcess(webHandler(routes)),
  'fastify 5, hook': (routes) => fastifyOverHttp(Fastify, routes, 'hook'),
  'fastify 5, route config': (routes) => fastifyOverHttp(Fastify, routes, 'config'),
  'fastify 5, global': (routes) => fastifyOverHttp(Fastify, routes, 'global'),
  'fastify 4, hook': (routes) => fastifyOverHttp(Fastify4, routes, 'hook'),
  'fastify 4, route config': (routes) => fastifyOverHttp(Fastify4, routes, 'config'),
  'fastify 4, global': (routes) => fastifyOverHttp(Fastify4, routes, 'global'),
  'fastify 5, inject': async (routes) => injected(await fastifyApp(Fastify, routes, 'config')),
  'fastify 4, inject': async (routes) => injected(await fastifyApp(Fastify4, routes, 'config')),
  'nest on express, handler': (routes) => nestOverHttp(routes, 'express', 'handler'),
  'nest on express, controller': (routes) => nestOverHttp(routes, 'express', 'controller'),
  'nest on express, global': (routes) => nestOverHttp(routes, 'express', 'global'),
  'nest on fastify, handler': (routes) => nestOverHttp(routes, 'fastify', 'handler'),
  'nest on fastify, controller': (routes) => nestOverHttp(routes, 'fastify', 'controller'),
  'nest on fastify, global': (routes) => nestOverHttp(routes, 'fastify', 'global'),
};
