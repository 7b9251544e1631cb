/** Routes of `node:http` that are protected alike and report to nobody, to a listener, or to the SDK of OpenTelemetry. */
import { createServer, type Server } from 'node:http';
import { createVerifier } from 'service-auth';
import { requireServiceAuth, type ServiceAuthMiddleware } from 'service-auth/express';
import { createListeners } from '../listeners.ts';
import { audience, issuer } from '../tokens.ts';
import { answer } from './answer.ts';
import type { Setup } from './routes.ts';
import { scope } from './verifiers.ts';

export async function createTelemetryServer({ jwksUri }: Setup): Promise<Server> {
  const routes = new Map<string | undefined, ServiceAuthMiddleware>();
  for (const [name, onEvent] of Object.entries(createListeners())) {
    const verifier = createVerifier({ issuer: { issuer, jwksUri }, audience, onEvent });
    routes.set(`/${name}`, requireServiceAuth({ verifier, scope }));
  }
  return createServer((request, response) => {
    const protect = routes.get(request.url);
    protect?.(request, response, () => answer(response));
  });
}
