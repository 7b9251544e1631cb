/** Orders on Deno. `SERVICE_AUTH_ISSUER` and `SERVICE_AUTH_AUDIENCE` say whose tokens are accepted, and for whom. */
import { createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';

// What is used of it here; Deno and its editors know it by themselves, and then this goes.
declare const Deno: {
  readonly env: { get(name: string): string | undefined };
  serve(
    options: {
      readonly hostname: string;
      readonly port: number;
      readonly onListen: (address: { readonly port: number }) => void;
    },
    handler: (request: Request) => Response | Promise<Response>,
  ): unknown;
};

const verifier = createVerifier();
const orders: unknown[] = ['tea'];

const list = withServiceAuth((_request, caller) => Response.json({ orders, caller: caller.clientId }), {
  verifier,
  scope: 'orders:read',
});
const create = withServiceAuth(
  async (request) => {
    orders.push(await request.json());
    return Response.json({ orders: orders.length }, { status: 201 });
  },
  { verifier, scope: 'orders:write', clients: ['billing'], serviceOnly: true },
);

Deno.serve(
  {
    hostname: '127.0.0.1',
    port: Number(Deno.env.get('PORT') ?? 3000),
    onListen: ({ port }) => console.log(`orders on http://127.0.0.1:${port}`),
  },
  (request) => {
    const { pathname } = new URL(request.url);
    if (pathname === '/health') return Response.json(verifier.health());
    if (pathname !== '/orders') return new Response(null, { status: 404 });
    return request.method === 'POST' ? create(request) : list(request);
  },
);
