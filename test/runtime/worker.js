/** A Worker that protects a route and calls a service, its clients made once for all requests. */
import { createAuthedFetch, createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';

let orders;
let authedFetch;

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default {
  async fetch(request, { CLIENT_SECRET }) {
    orders ??= withServiceAuth((_request, caller) => Response.json({ client: caller.clientId }), {
      verifier: createVerifier({ issuer: 'https://issuer.example', audience: 'https://orders.example' }),
      scope: 'orders:read',
    });
    authedFetch ??= createAuthedFetch({
      issuer: 'https://issuer.example',
      clientId: 'billing',
      clientSecret: CLIENT_SECRET,
      targets: [{ origin: 'https://echo.example', scope: 'orders:read', resource: 'https://orders.example' }],
    });
    if (new URL(request.url).pathname === '/orders') return orders(request);
    const response = await authedFetch('https://echo.example/');
    return new Response(await response.text(), { status: response.status });
  },
};
