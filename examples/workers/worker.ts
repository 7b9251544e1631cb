/** A Cloudflare Worker: protected on the way in, and every hour it asks another service for its report. */
import { type AuthedFetch, createAuthedFetch, createVerifier } from 'service-auth';
import { withServiceAuth } from 'service-auth/web';

/** `vars` of wrangler.toml, and the secret (`wrangler secret put CLIENT_SECRET`). */
interface Env {
  readonly ISSUER: string;
  readonly AUDIENCE: string;
  readonly REPORTS_URL: string;
  readonly CLIENT_ID: string;
  readonly CLIENT_SECRET: string;
}

type Handler = (request: Request) => Promise<Response>;

// Made with the first request, since only that brings the environment, and kept for all others.
let orders: Handler | undefined;
let authedFetch: AuthedFetch | undefined;
let lastReport: unknown = null;

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    orders ??= withServiceAuth((_request, caller) => Response.json({ lastReport, caller: caller.clientId }), {
      verifier: createVerifier({ issuer: env.ISSUER, audience: env.AUDIENCE }),
      scope: 'orders:read',
    });
    return orders(request);
  },

  async scheduled(_event: unknown, env: Env): Promise<void> {
    authedFetch ??= createAuthedFetch({
      issuer: env.ISSUER,
      clientId: env.CLIENT_ID,
      clientSecret: env.CLIENT_SECRET,
      targets: [
        { origin: new URL(env.REPORTS_URL).origin, scope: 'reports:read', resource: env.REPORTS_URL },
      ],
    });
    const response = await authedFetch(env.REPORTS_URL);
    if (!response.ok) throw new Error(`the report was answered ${response.status}`);
    lastReport = await response.json();
  },
};
