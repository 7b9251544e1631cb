/** A protected service: its keys and its status list are in memory, so that it judges calls by itself. */
import { createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';
import { servePod, setting } from './pod.ts';

// Who is revoked is refused once this copy of the list is older than the issuer allows.
const verifier = createVerifier({ issuer: { issuer: setting('SERVICE_AUTH_ISSUER'), statusList: true } });
const guard = requireServiceAuth({ verifier, scope: 'orders:read', clients: ['billing'] });

let isReady = false;
servePod({
  async ready() {
    // Once: what it has learned then serves through an outage of the issuer.
    if (!isReady) await verifier.ready();
    isReady = true;
  },
  handler: (request, response) =>
    guard(request, response, (error) => {
      // Where judging failed, nobody is let in; thrown here it would end the process.
      response.statusCode = error === undefined ? 200 : 500;
      response.setHeader('content-type', 'application/json');
      const answer = { orders: ['tea'], caller: request.caller?.clientId };
      response.end(JSON.stringify(error === undefined ? answer : { error: 'server_error' }));
    }),
});
