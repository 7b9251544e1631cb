/** Orders on Bun. `SERVICE_AUTH_ISSUER` and `SERVICE_AUTH_AUDIENCE` say whose tokens are accepted, and for whom. */
import { createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';

// What is used of it here; with `@types/bun` installed this goes.
declare const Bun: {
  readonly env: Readonly<Record<string, string | undefined>>;
  serve(options: {
    readonly hostname: string;
    readonly port: number;
    readonly routes: Readonly<
      Record<string, Readonly<Record<string, (request: Request) => Response | Promise<Response>>>>
    >;
  }): { readonly port: number };
};

const verifier = createVerifier();
const orders: unknown[] = ['tea'];

const { port } = Bun.serve({
  hostname: '127.0.0.1',
  port: Number(Bun.env.PORT ?? 3000),
  routes: {
    '/orders': {
      GET: withServiceAuth((_request, caller) => Response.json({ orders, caller: caller.clientId }), {
        verifier,
        scope: 'orders:read',
      }),
      POST: withServiceAuth(
        async (request) => {
          orders.push(await request.json());
          return Response.json({ orders: orders.length }, { status: 201 });
        },
        { verifier, scope: 'orders:write', clients: ['billing'], serviceOnly: true },
      ),
    },
    '/health': { GET: () => Response.json(verifier.health()) },
  },
});
console.log(`orders on http://127.0.0.1:${port}`);
