/** Every adapter behind one interface: send a request, get status, headers and body. */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import express4 from 'express4';
import Fastify, { type FastifyInstance } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { requireServiceAuth as expressAuth, type ServiceAuthMiddleware } from '../../adapters/express.ts';
import serviceAuth from '../../adapters/fastify.ts';
import { requireServiceAuth as honoAuth } from '../../adapters/hono.ts';
import { requireServiceAuth as koaAuth, type ServiceAuthState } from '../../adapters/koa.ts';
import { withServiceAuth } from '../../adapters/web.ts';
import type { Caller } from '../../src/index.ts';
import type { ProtectedRoute } from './routes.ts';

export interface Sent {
  readonly method: string;
  readonly path: string;
  /** Several values become several header fields. */
  readonly authorization: string | readonly string[] | undefined;
  /** The `DPoP` header. */
  readonly dpop?: string | readonly string[] | undefined;
}

/** The header fields to send, those without a value left out. */
function fieldsOf({ authorization, dpop }: Sent): Record<string, string | string[]> {
  const given = Object.entries({ authorization, dpop }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Record<string, string | string[]>;
}

export interface Got {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

export interface Transport {
  send(sent: Sent): Promise<Got>;
  close(): Promise<void>;
}

export type MakeTransport = (routes: readonly ProtectedRoute[]) => Promise<Transport>;

/** What the handlers answer: the caller as JSON, or `null` where there is none. */
export function describeCaller(caller: Caller | undefined): string {
  if (caller === undefined) return 'null';
  const { issuer, subject, clientId, kind, audience, scopes, tokenId } = caller;
  return JSON.stringify({ issuer, subject, clientId, kind, audience, scopes: [...scopes], tokenId });
}

export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** Headers may be larger than Node's default, so that the verifier's own bound is what is tested. */
export async function overHttp(listener: Listener): Promise<Transport> {
  const server = createServer({ maxHeaderSize: 64 * 1024 }, listener);
  return overServer(server);
}

export async function overServer(server: Server): Promise<Transport> {
  if (!server.listening) await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    send: (sent) =>
      new Promise((resolve, reject) => {
        const { method, path } = sent;
        const outgoing = httpRequest(
          { port, method, path, headers: fieldsOf(sent), agent: false },
          (incoming) => {
            let body = '';
            incoming.setEncoding('utf8').on('data', (text: string) => {
              body += text;
            });
            incoming.on('error', reject).on('end', () =>
              resolve({
                status: incoming.statusCode ?? 0,
                headers: incoming.headers as Record<string, string>,
                body,
              }),
            );
          },
        );
        outgoing.on('error', reject).end();
      }),
    close: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

export function inProcess(handle: (request: Request) => Response | Promise<Response>): Transport {
  return {
    async send(sent) {
      const { method, path } = sent;
      const headers = new Headers();
      for (const [name, values] of Object.entries(fieldsOf(sent))) {
        for (const value of [values].flat()) headers.append(name, value);
      }
      const response = await handle(new Request(`http://127.0.0.1${path}`, { method, headers }));
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        body: await response.text(),
      };
    },
    close: async () => {},
  };
}

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
  return (request: IncomingMessage & { caller?: Caller | undefined }, response) => {
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

function koaListener(routes: readonly ProtectedRoute[]): Listener {
  const app = new Koa<ServiceAuthState>();
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

async function fastifyApp(routes: readonly ProtectedRoute[], style: Style): Promise<FastifyInstance> {
  const app = Fastify({ http: { maxHeaderSize: 64 * 1024 } });
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

async function fastifyOverHttp(routes: readonly ProtectedRoute[], style: Style): Promise<Transport> {
  const app = await fastifyApp(routes, style);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const transport = await overServer(app.server);
  return { send: transport.send, close: () => app.close() };
}

export function injected(app: FastifyInstance): Transport {
  return {
    async send(sent) {
      const { method, path } = sent;
      const response = await app.inject({ method: method as 'GET', url: path, headers: fieldsOf(sent) });
      return {
        status: response.statusCode,
        headers: response.headers as Record<string, string>,
        body: response.body,
      };
    },
    close: () => app.close(),
  };
}

export const transports: Readonly<Record<string, MakeTransport>> = {
  'express 5': (routes) => overHttp(expressApp(express, routes)),
  'express 4': (routes) => overHttp(expressApp(express4, routes)),
  'node:http': (routes) => overHttp(plainListener(routes)),
  koa: (routes) => overHttp(koaListener(routes)),
  hono: (routes) => overHttp(getRequestListener(honoApp(routes).fetch)),
  'hono, no socket': async (routes) => inProcess((request) => honoApp(routes).fetch(request)),
  web: (routes) => overHttp(getRequestListener(webHandler(routes))),
  'web, no socket': async (routes) => inProcess(webHandler(routes)),
  'fastify, hook': (routes) => fastifyOverHttp(routes, 'hook'),
  'fastify, route config': (routes) => fastifyOverHttp(routes, 'config'),
  'fastify, global': (routes) => fastifyOverHttp(routes, 'global'),
  'fastify, inject': async (routes) => injected(await fastifyApp(routes, 'config')),
};
