/** `app/orders/[id]/route.ts`: a route handler of Next's App Router, for other services. */
import { createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';

interface Context {
  readonly params: Promise<{ readonly id: string }>;
}

// In a file of its own (`lib/verifier.ts`) where several routes share it.
const verifier = createVerifier();

export const GET = withServiceAuth(
  async (_request, caller, { params }: Context) => {
    const { id } = await params;
    return Response.json({ order: id, caller: caller.clientId });
  },
  { verifier, scope: 'orders:read' },
);

export const POST = withServiceAuth(
  async (request, _caller, { params }: Context) => {
    const { id } = await params;
    return Response.json({ order: id, lines: await request.json() }, { status: 201 });
  },
  { verifier, scope: 'orders:write', clients: ['billing'], serviceOnly: true },
);
