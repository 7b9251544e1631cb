/** A guard for all routes and one for a route: the same proof passes both, and is a replay in the next request. */
import { getRequestListener } from '@hono/node-server';
import express from 'express';
import express4 from 'express4';
import Fastify, { type FastifyInstance } from 'fastify';
import Fastify4 from 'fastify4';
import { Hono } from 'hono';
import Koa from 'koa';
import Koa2 from 'koa2';
import { describe, expect, it } from 'vitest';
import { requireServiceAuth as expressAuth } from '../../adapters/express.ts';
import serviceAuth from '../../adapters/fastify.ts';
import { requireServiceAuth as honoAuth } from '../../adapters/hono.ts';
import { requireServiceAuth as koaAuth, type ServiceAuthState } from '../../adapters/koa.ts';
import { withServiceAuth } from '../../adapters/web.ts';
import { createMemoryReplayStore, createVerifier, type ReplayStore, type Verifier } from '../../src/index.ts';
import { createDpopClient, hashOf } from '../helpers/dpop.ts';
import { audience, createKey, issuer, mint, nowMs } from '../helpers/tokens.ts';
import { publicUrl } from './routes.ts';
import { injected, inProcess, type Listener, overHttp, overServer, type Transport } from './transport.ts';

const key = await createKey('ES256');
const client = await createDpopClient();
const bound = await mint(key, { cnf: { jkt: client.jkt } });
const narrow = await mint(key, { cnf: { jkt: client.jkt }, scope: 'stock:read' });
const scope = 'orders:read';

function makeVerifier(replayStore: ReplayStore): Verifier {
  return createVerifier({
    issuer: { issuer, jwks: { keys: [key.publicJwk] } },
    audience,
    now: () => nowMs,
    publicUrl,
    dpop: { replayStore, nonce: false },
  });
}

function expressApp(make: typeof express, verifier: Verifier): Listener {
  const app = make();
  const router = make.Router();
  router.get('/', expressAuth({ verifier, scope }), (_request, response) => void response.send('let in'));
  return app.use(expressAuth({ verifier })).use('/orders', router);
}

function plainListener(verifier: Verifier): Listener {
  const [outer, inner] = [expressAuth({ verifier }), expressAuth({ verifier, scope })];
  return (request, response) =>
    outer(request, response, () => inner(request, response, () => response.end('let in')));
}

function koaListener(Application: typeof Koa, verifier: Verifier): Listener {
  const app = new Application<ServiceAuthState>();
  app.use(koaAuth({ verifier })).use(koaAuth({ verifier, scope }));
  app.use((ctx) => {
    ctx.body = 'let in';
  });
  return app.callback();
}

function honoApp(verifier: Verifier): Hono {
  const app = new Hono();
  app.use('*', honoAuth({ verifier }));
  return app.get('/orders', honoAuth({ verifier, scope }), (c) => c.text('let in'));
}

function webHandler(verifier: Verifier): (request: Request) => Promise<Response> {
  const inner = withServiceAuth(() => new Response('let in'), { verifier, scope });
  return withServiceAuth((request) => inner(request), { verifier });
}

async function fastifyApp(make: typeof Fastify, verifier: Verifier): Promise<FastifyInstance> {
  const app = make();
  await app.register(serviceAuth, { verifier, global: true });
  app.get('/orders', { preHandler: app.requireServiceAuth({ scope }) }, async () => 'let in');
  return app;
}

async function fastifyOverHttp(make: typeof Fastify, verifier: Verifier): Promise<Transport> {
  const app = await fastifyApp(make, verifier);
  await app.listen({ host: '127.0.0.1', port: 0 });
  const { send } = await overServer(app.server);
  return { send, close: () => app.close() };
}

const layered: Readonly<Record<string, (verifier: Verifier) => Promise<Transport>>> = {
  'express 5': (verifier) => overHttp(expressApp(express, verifier)),
  'express 4': (verifier) => overHttp(expressApp(express4, verifier)),
  'node:http': (verifier) => overHttp(plainListener(verifier)),
  'koa 3': (verifier) => overHttp(koaListener(Koa, verifier)),
  'koa 2': (verifier) => overHttp(koaListener(Koa2, verifier)),
  hono: (verifier) => overHttp(getRequestListener(honoApp(verifier).fetch)),
  'hono, no socket': async (verifier) => inProcess((request) => honoApp(verifier).fetch(request)),
  web: (verifier) => overHttp(getRequestListener(webHandler(verifier))),
  'web, no socket': async (verifier) => inProcess(webHandler(verifier)),
  'fastify 5': (verifier) => fastifyOverHttp(Fastify, verifier),
  'fastify 4': (verifier) => fastifyOverHttp(Fastify4, verifier),
  'fastify 5, inject': async (verifier) => injected(await fastifyApp(Fastify, verifier)),
  'fastify 4, inject': async (verifier) => injected(await fastifyApp(Fastify4, verifier)),
};

function sharedStore(): ReplayStore {
  const store = createMemoryReplayStore({ now: () => nowMs });
  return { record: async (proof) => store.record(proof) };
}

describe.each(Object.entries(layered))('%s', (_name, make) => {
  it.each([
    ['in memory', () => createMemoryReplayStore({ now: () => nowMs })],
    ['of several instances', sharedStore],
  ])('with a store %s', async (_where, createStore) => {
    const transport = await make(makeVerifier(createStore()));
    const send = async (token: string, dpop: string): Promise<string> => {
      const sent = { method: 'GET', path: '/orders', authorization: `DPoP ${token}`, dpop };
      const { status, body, headers } = await transport.send(sent);
      return `${status} ${status === 200 ? body : headers['www-authenticate']?.match(/error="(\w+)"/)?.[1]}`;
    };
    const prove = (token: string): Promise<string> =>
      client.prove({ htu: `${publicUrl}/orders`, ath: hashOf(token) });

    const proof = await prove(bound);
    expect(await send(bound, proof)).toBe('200 let in');
    expect(await send(bound, proof)).toBe('401 invalid_dpop_proof');
    expect(await send(bound, await prove(bound))).toBe('200 let in');
    // The first guard lets it pass and has used it up, though the second refuses.
    const refused = await prove(narrow);
    expect(await send(narrow, refused)).toBe('403 insufficient_scope');
    expect(await send(narrow, refused)).toBe('401 invalid_dpop_proof');
    await transport.close();
  });
});
