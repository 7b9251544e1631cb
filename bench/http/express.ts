import { createServer, type Server } from 'node:http';
import express, { type NextFunction, type RequestHandler, type Response } from 'express';
import { auth } from 'express-oauth2-jwt-bearer';
import { requireServiceAuth } from 'service-auth/express';
import { audience, issuer } from '../tokens.ts';
import { createLimits } from './limits.ts';
import { order, type Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

export async function createExpressServer(setup: Setup): Promise<Server> {
  const app = express();
  const answer: RequestHandler = (_request, response) => void response.json(order);
  app.get('/open', answer);
  for (const [name, verifier] of Object.entries(createVerifiers(setup))) {
    app.get(`/${name}`, requireServiceAuth({ verifier, scope }), answer);
  }
  const { isThere, holds } = createLimits(setup);
  const proceed = (good: boolean, response: Response, next: NextFunction): void => {
    if (good) next();
    else response.sendStatus(401);
  };
  const readHeader: RequestHandler = ({ headers }, response, next) =>
    proceed(isThere(headers.authorization), response, next);
  const checkSignature: RequestHandler = async ({ headers }, response, next) =>
    proceed(await holds(headers.authorization), response, next);
  app.get('/header', readHeader, answer);
  app.get('/signature', checkSignature, answer);
  const bearer = auth({ issuer, audience, jwksUri: setup.jwksUri, tokenSigningAlg: 'ES256' });
  app.get('/bearer', bearer, answer);
  return createServer(app);
}
