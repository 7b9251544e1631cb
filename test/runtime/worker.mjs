/** The suite as a Worker: one request runs it, and others come in while it does, to what the checks serve. */
import { adminToken, issuers, network, suite } from './names.mjs';
import { runSuite } from './suite.mjs';

const complaints = [];
addEventListener('unhandledrejection', ({ reason }) => complaints.push(`unhandled: ${reason}`));

const served = new Map();
let count = 0;

/** Requests to this origin come back to the same Worker. */
async function serve(handler) {
  const { origin } = new URL(`https://served-${++count}.example`);
  served.set(origin, handler);
  return { url: `${origin}/`, close: async () => served.delete(origin) };
}

/** miniflare names itself as the host; in the cloud that is the one of the URL. */
function withHost(request) {
  const headers = new Headers(request.headers);
  headers.set('host', new URL(request.url).host);
  return new Request(request, { headers });
}

/** `more` is what this kind of Worker has besides. */
export function createWorker(more = {}) {
  return {
    async fetch(request, { runtime }) {
      const { origin } = new URL(request.url);
      const handler = served.get(origin);
      if (handler !== undefined) return handler(withHost(request));
      if (origin !== suite) return new Response('nothing is served here', { status: 502 });
      const host = {
        runtime,
        issuers: { ...issuers, network },
        issuerFetch: (toIssuer) => fetch(toIssuer),
        adminToken,
        serve,
        complaints,
        ...more,
      };
      return Response.json(await runSuite(host));
    },
  };
}
