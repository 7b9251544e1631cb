import { createServer, type Server, type ServerResponse } from 'node:http';
import { requireServiceAuth, type ServiceAuthMiddleware } from 'service-auth/express';
import { createLimits } from './limits.ts';
import { order, type Setup } from './routes.ts';
import { createVerifiers, scope } from './verifiers.ts';

const text = JSON.stringify(order);
const headers = { 'content-type': 'application/json', 'content-length': text.length };

export async function createNodeServer(setup: Setup): Promise<Server> {
  const routes = new Map<string | undefined, ServiceAuthMiddleware>();
  for (const [name, verifier] of Object.entries(createVerifiers(setup))) {
    routes.set(`/${name}`, requireServiceAuth({ verifier, scope }));
  }
  const answer = (response: ServerResponse): void => void response.writeHead(200, headers).end(text);
  const { isThere, holds } = createLimits(setup);
  return createServer((request, response) => {
    const { url, headers: given } = request;
    if (url === '/header') return void (isThere(given.authorization) && answer(response));
    if (url === '/signature') {
      return void holds(given.authorization).then((good) => good && answer(response));
    }
    const protect = routes.get(url);
    if (protect === undefined) answer(response);
    else protect(request, response, () => answer(response));
  });
}
