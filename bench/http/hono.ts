import type { Server } from 'node:http';
import { createAdaptorServer } from '@hono/node-server';
import { type Handler, Hono, type MiddlewareHandler } from 'hono';
import { jwk } from 'hono/jwk';
import { jwt } from 'hono/jwt';
import { requireServiceAuth } from 'service-auth/hono';
import { audience, issuer } from '../tokens.ts';
import { createLimits } from './limits.ts';
import { order, type Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

export async function createHonoServer(setup: Setup): Promise<Server> {
  const app = new Hono();
  const answer: Handler = (c) => c.json(order);
  app.get('/open', answer);
  for (const [name, verifier] of Object.entries(createVerifiers(setup))) {
    app.get(`/${name}`, requireServiceAuth({ verifier, scope }), answer);
  }
  const { isThere, holds } = createLimits(setup);
  const readHeader: MiddlewareHandler = async (c, next) => {
    if (!isThere(c.req.header('authorization'))) return c.body(null, 401);
    return next();
  };
  const checkSignature: MiddlewareHandler = async (c, next) => {
    if (!(await holds(c.req.header('authorization')))) return c.body(null, 401);
    return next();
  };
  app.get('/header', readHeader, answer);
  app.get('/signature', checkSignature, answer);
  const verification = { iss: issuer, aud: audience, typ: 'at+jwt' };
  // The keys themselves: from `jwks_uri` it would fetch them for every request.
  app.get('/jwk', jwk({ keys: [setup.jwk], alg: ['ES256'], verification }), answer);
  const { kty = '', crv = '', x = '', y = '' } = setup.jwk;
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256' };
  const key = await crypto.subtle.importKey('jwk', { kty, crv, x, y }, algorithm, false, ['verify']);
  app.get('/jwt', jwt({ secret: key, alg: 'ES256', verification }), answer);
  return createAdaptorServer({ fetch: app.fetch }) as Server;
}
