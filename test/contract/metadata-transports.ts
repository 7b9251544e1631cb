/** Every adapter's `protectedResource` behind one interface, with a protected route beside it. */
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import express4 from 'express4';
import Fastify, { type FastifyInstance } from 'fastify';
import Fastify4 from 'fastify4';
import { Hono } from 'hono';
import Koa from 'koa';
import Koa2 from 'koa2';
import { protectedResource as expressMetadata, requireServiceAuth } from '../../adapters/express.ts';
import serviceAuth, { protectedResource as fastifyMetadata } from '../../adapters/fastify.ts';
import { requireServiceAuth as honoAuth, protectedResource as honoMetadata } from '../../adapters/hono.ts';
import { requireServiceAuth as koaAuth, protectedResource as koaMetadata } from '../../adapters/koa.ts';
import { protectedResource as webMetadata, withServiceAuth } from '../../adapters/web.ts';
import type { ProtectedResourceOptions, Verifier } from '../../src/index.ts';
import { nestMetadata } from './nest-transports.ts';
import { injected, inProcess, type Listener, overHttp, overServer, type Transport } from './transport.ts';

export interface MetadataService {
  /** Each is served at its own well-known path. */
  readonly documents: readonly ProtectedResourceOptions[];
  /** Guards every other path. */
  readonly verifier: Verifier;
}

export type MakeMetadataTransport = (service: MetadataService) => Promise<Transport>;

/** What a request that passed the verifier gets. */
export const letIn = 'let in';

function expressApp(make: typeof express, { documents, verifier }: MetadataService): Listener {
  const app = make();
  for (const options of documents) app.use(expressMetadata(options));
  app.use(requireServiceAuth({ verifier }), (_request, response) => void response.send(letIn));
  return app;
}

function plainListener({ documents, verifier }: MetadataService): Listener {
  const steps = [...documents.map((options) => expressMetadata(options)), requireServiceAuth({ verifier })];
  return (request, response) => {
    const take = (at: number): void => {
      const step = steps[at];
      if (step === undefined) response.end(letIn);
      else step(request, response, () => take(at + 1));
    };
    take(0);
  };
}

function koaListener(Application: typeof Koa, { documents, verifier }: MetadataService): Listener {
  const app = new Application();
  for (const options of documents) app.use(koaMetadata(options));
  app.use(koaAuth({ verifier }));
  app.use((ctx) => {
    ctx.body = letIn;
  });
  return app.callback();
}

function honoApp({ documents, verifier }: MetadataService): Hono {
  const app = new Hono();
  for (const options of documents) app.use(honoMetadata(options));
  app.use(honoAuth({ verifier }));
  return app.all('*', (c) => c.text(letIn));
}

function webHandler({ documents, verifier }: MetadataService): (request: Request) => Promise<Response> {
  const metadata = documents.map((options) => webMetadata(options));
  const rest = withServiceAuth(() => new Response(letIn), { verifier });
  return async (request) => {
    for (const answer of metadata) {
      const found = answer(request);
      if (found !== undefined) return found;
    }
    return rest(request);
  };
}

/** Under `global`, which must not close the documents. */
async function fastifyApp(
  make: typeof Fastify,
  { documents, verifier }: MetadataService,
): Promise<FastifyInstance> {
  const app = make();
  await app.register(serviceAuth, { verifier, global: true });
  for (const options of documents) await app.register(fastifyMetadata, options);
  app.all('*', async () => letIn);
  await app.ready();
  return app;
}

async function fastifyOverHttp(make: typeof Fastify, service: MetadataService): Promise<Transport> {
  const app = await fastifyApp(make, service);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const transport = await overServer(app.server);
  return { send: transport.send, close: () => app.close() };
}

export const metadataTransports: Readonly<Record<string, MakeMetadataTransport>> = {
  'express 5': (service) => overHttp(expressApp(express, service)),
  'express 4': (service) => overHttp(expressApp(express4, service)),
  'node:http': (service) => overHttp(plainListener(service)),
  'koa 3': (service) => overHttp(koaListener(Koa, service)),
  'koa 2': (service) => overHttp(koaListener(Koa2, service)),
  hono: (service) => overHttp(getRequestListener(honoApp(service).fetch)),
  'hono, no socket': async (service) => inProcess((request) => honoApp(service).fetch(request)),
  web: (service) => overHttp(getRequestListener(webHandler(service))),
  'web, no socket': async (service) => inProcess(webHandler(service)),
  'fastify 5': (service) => fastifyOverHttp(Fastify, service),
  'fastify 4': (service) => fastifyOverHttp(Fastify4, service),
  'fastify 5, inject': async (service) => injected(await fastifyApp(Fastify, service)),
  'fastify 4, inject': async (service) => injected(await fastifyApp(Fastify4, service)),
  'nest on express': ({ documents, verifier }) => nestMetadata(documents, verifier, 'express', letIn),
  'nest on fastify': ({ documents, verifier }) => nestMetadata(documents, verifier, 'fastify', letIn),
};
