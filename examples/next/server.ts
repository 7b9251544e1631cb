/** Calls the route handlers as Next does: with the request, and a context whose parameters are a promise. */
import { serve } from '@hono/node-server';
import { GET, POST } from './app/orders/[id]/route.ts';

const methods = new Map(Object.entries({ GET, POST }));

function answer(request: Request): Response | Promise<Response> {
  const [, folder, id, ...rest] = new URL(request.url).pathname.split('/');
  if (folder !== 'orders' || !id || rest.length > 0) return new Response(null, { status: 404 });
  const handler = methods.get(request.method);
  if (handler === undefined) return new Response(null, { status: 405 });
  return handler(request, { params: Promise.resolve({ id }) });
}

serve({ fetch: answer, hostname: '127.0.0.1', port: Number(process.env.PORT ?? 3000) }, ({ port }) => {
  console.log(`orders on http://127.0.0.1:${port}`);
});
