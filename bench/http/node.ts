import { createServer, type Server } from 'node:http';
import { requireServiceAuth, type ServiceAuthMiddleware } from 'service-auth/express';
import { answer } from './answer.ts';
import { createLimits } from './limits.ts';
import type { Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

export async function createNodeServer(setup: Setup): Promise<Server> {
  const routes = new Map<string | undefined, ServiceAuthMiddleware>();
  for (const [name, verifier] of Object.entries(createVerifiers(setup))) {
    routes.set(`/${name}`, requireServiceAuth({ verifier, scope }));
  }
  const { isThere, holds } = createLimits(setup);
  return createServer((request, response) => {
    const { url, headers } = request;
    if (url === '/header') return answer(response, isThere(headers.authorization));
    if (url === '/signature') {
      return void holds(headers.authorization).then((good) => answer(response, good));
    }
    const protect = routes.get(url);
    if (protect === undefined) answer(response);
    else protect(request, response, () => answer(response));
  });
}
