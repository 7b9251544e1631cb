/** Compiled, never run: what users' editors say on each framework, mistakes included. */
import { createServer } from 'node:http';
import express from 'express';
import Fastify, { type FastifyContextConfig } from 'fastify';
import { Hono } from 'hono';
import Koa from 'koa';
import { type Caller, createGuard, createVerifier, type GuardOptions } from 'service-auth';
import { requireServiceAuth as expressAuth, type ServiceAuthMiddleware } from 'service-auth/express';
import serviceAuth, { type ServiceAuthHook, type ServiceAuthPluginOptions } from 'service-auth/fastify';
import { requireServiceAuth as honoAuth, type ServiceAuthVariables } from 'service-auth/hono';
import { requireServiceAuth as koaAuth, type ServiceAuthState } from 'service-auth/koa';
import { withServiceAuth } from 'service-auth/web';

const verifier = createVerifier({ issuer: 'https://idp.example', audience: 'https://orders.example' });

/** What is known at run time alone. */
declare const anyOptions: GuardOptions;

const needsCaller = (caller: Caller): string | undefined => caller.clientId;

// Express
const app = express();
app.use(expressAuth());
app.get('/', expressAuth({ verifier, scope: 'read' }), (request, response) => {
  response.json({ client: request.caller?.clientId });
  // @ts-expect-error: without knowing the middlewares of a route, the caller may be missing
  needsCaller(request.caller);
});
// @ts-expect-error: an unknown option
app.use(expressAuth({ scopes: 'read' }));
// @ts-expect-error: a scope is no number
app.use(expressAuth({ verifier, scope: 1 }));
// @ts-expect-error: a verifier has its options already
app.use(expressAuth({ verifier, typ: 'at+jwt' }));
// @ts-expect-error: null switches the audience check of a verifier off, it is no policy
app.use(expressAuth({ verifier, audience: null }));

// node:http
const middleware: ServiceAuthMiddleware = expressAuth({ verifier, scope: 'read' });
createServer((request, response) => {
  middleware(request, response, () => {
    response.end(request.caller?.clientId);
    // @ts-expect-error: the type of a request does not know what ran before
    needsCaller(request.caller);
  });
});

// The function under the adapters
const guard = createGuard({ verifier, scope: 'read' });
const maybeGuard = createGuard({ verifier, optional: true });
export async function judge(request: Request): Promise<string | undefined> {
  const outcome = await guard(request);
  if (outcome.ok) return needsCaller(outcome.caller);
  const maybeOutcome = await maybeGuard(request);
  // @ts-expect-error: with `optional` there may be no caller
  return maybeOutcome.ok ? needsCaller(maybeOutcome.caller) : undefined;
}

// Hono
const hono = new Hono();
hono.get('/', honoAuth({ verifier, scope: 'read' }), (c) => c.json(needsCaller(c.var.caller) ?? null));
hono.get('/maybe', honoAuth({ verifier, optional: true }), (c) => {
  // @ts-expect-error: with `optional` there may be no caller
  needsCaller(c.var.caller);
  return c.json(c.var.caller?.clientId ?? null);
});
hono.get('/environment', honoAuth(), (c) => c.json(needsCaller(c.var.caller) ?? null));
hono.get('/any', honoAuth(anyOptions), (c) => {
  // @ts-expect-error: these options may be `optional`
  needsCaller(c.var.caller);
  return c.text('any');
});
hono.get('/open', (c) => {
  // @ts-expect-error: no middleware, no caller
  needsCaller(c.var.caller);
  return c.text('open');
});
/** An app that names what its middlewares set. */
export const named = new Hono<ServiceAuthVariables>();
named.get('/', (c) => c.text(needsCaller(c.var.caller) ?? ''));
new Hono<ServiceAuthVariables<{ optional: true }>>().get('/', (c) => {
  // @ts-expect-error: with `optional` there may be no caller
  needsCaller(c.var.caller);
  return c.text('maybe');
});
// @ts-expect-error: an unknown form of scope
hono.use(honoAuth({ verifier, scope: { some: ['read'] } }));

// Koa
const koa = new Koa<ServiceAuthState>();
koa.use(koaAuth({ verifier, clients: ['billing'] }));
koa.use((ctx) => {
  ctx.body = ctx.state.caller?.clientId;
  // @ts-expect-error: the caller may be missing
  needsCaller(ctx.state.caller);
  // @ts-expect-error: a misspelt member of the state
  ctx.state.caler;
});

// Fastify
const fastify = Fastify();
fastify.register(serviceAuth, { verifier, global: true });
fastify.register(serviceAuth);
// @ts-expect-error: global is true or false
fastify.register(serviceAuth, { verifier, global: 'yes' });
fastify.get('/', { config: { serviceAuth: { scope: 'read' } } }, (request) => request.caller?.clientId);
fastify.get('/open', { config: { serviceAuth: false } }, () => 'open');
fastify.get<{ Params: { id: string } }>(
  '/orders/:id',
  { preHandler: [fastify.requireServiceAuth()] },
  (request) => request.params.id,
);
// @ts-expect-error: a verifier has its options already
fastify.register(serviceAuth, { verifier, issuer: 'https://idp.example' });
// @ts-expect-error: a policy is a route's, not the plugin's
fastify.register(serviceAuth, { verifier, scope: 'read' });
// @ts-expect-error: an unknown policy option
fastify.requireServiceAuth({ scopes: 'read' });
const pluginOptions: ServiceAuthPluginOptions = { issuer: 'https://idp.example', global: true };
fastify.register(serviceAuth, { ...pluginOptions, prefix: '/api' });
// @ts-expect-error: a policy is a route's, not the plugin's
export const withPolicy: ServiceAuthPluginOptions = { verifier, clients: ['billing'] };
const hook: ServiceAuthHook = fastify.requireServiceAuth({ clients: ['billing'] });
fastify.addHook('onRequest', hook);
fastify.addHook('preHandler', hook);
fastify.get('/hook', { onRequest: fastify.requireServiceAuth({ scope: 'read' }) }, (request) => {
  // @ts-expect-error: the type of a request does not know the hooks of its route
  return needsCaller(request.caller);
});
// Fastify's routes infer their config, so what a route says is checked when it is registered; the type alone says:
// @ts-expect-error: an unknown policy option
export const wrongConfig: FastifyContextConfig = { serviceAuth: { scopes: 'read' } };

// Web-standard servers
export const handler: (request: Request) => Promise<Response> = withServiceAuth(
  (_request, caller) => Response.json(needsCaller(caller)),
  { verifier, scope: 'read' },
);
export const maybe = withServiceAuth(
  // @ts-expect-error: with `optional` there may be no caller
  (_request, caller) => Response.json(needsCaller(caller)),
  { verifier, optional: true },
);
export const fromEnvironment = withServiceAuth((_request, caller) => Response.json(needsCaller(caller)));
export const any = withServiceAuth(
  // @ts-expect-error: these options may be `optional`
  (_request, caller) => Response.json(needsCaller(caller)),
  anyOptions,
);
/** A route of Next. */
export const route: (request: Request, context: { params: Promise<{ id: string }> }) => Promise<Response> =
  withServiceAuth(
    async (_request, _caller, { params }: { params: Promise<{ id: string }> }) =>
      new Response((await params).id),
    { verifier },
  );
/** What the server passes besides the request goes on to the handler. */
export const worker: (request: Request, environment: { region: string }) => Promise<Response> =
  withServiceAuth((_request, _caller, environment: { region: string }) => new Response(environment.region));
// @ts-expect-error: a handler gives a response
withServiceAuth(() => 'text');
