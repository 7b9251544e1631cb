import { createPublicKey } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import jwksRsa from 'jwks-rsa';
import Koa, { type Middleware } from 'koa';
import koaJwt from 'koa-jwt';
import { requireServiceAuth } from 'service-auth/koa';
import { audience, issuer } from '../tokens.ts';
import { createLimits } from './limits.ts';
import { order, type Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

export async function createKoaServer(setup: Setup): Promise<Server> {
  const routes = new Map<string, Middleware>();
  for (const [name, verifier] of Object.entries(createVerifiers(setup))) {
    routes.set(`/${name}`, requireServiceAuth({ verifier, scope }) as Middleware);
  }
  const rules = { issuer, audience, algorithms: ['ES256'] };
  const { jwksUri } = setup;
  const secret = jwksRsa.koaJwtSecret({ jwksUri, cache: true, cacheMaxEntries: 5, cacheMaxAge: 36_000_000 });
  routes.set('/jwks-rsa', koaJwt({ ...rules, secret }));
  // A KeyObject is what jsonwebtoken below it takes fastest, though the types of koa-jwt do not know it.
  const key = createPublicKey({ key: setup.jwk, format: 'jwk' });
  routes.set('/jwt', koaJwt({ ...rules, secret: key as never }));

  const { isThere, holds } = createLimits(setup);
  routes.set('/header', (ctx, next) => (isThere(ctx.get('authorization')) ? next() : ctx.throw(401)));
  routes.set('/signature', async (ctx, next) =>
    (await holds(ctx.get('authorization'))) ? next() : ctx.throw(401),
  );

  const app = new Koa();
  app.use((ctx, next) => routes.get(ctx.path)?.(ctx, next) ?? next());
  app.use((ctx) => {
    ctx.body = order;
  });
  return createServer(app.callback());
}
