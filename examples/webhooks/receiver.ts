/** A subscriber: takes events from the shop alone, each once, and no token without the key it is bound to. */
import express, { type Express } from 'express';
import { createVerifier } from 'service-auth';
import { requireServiceAuth } from 'service-auth/express';

export interface ReceiverOptions {
  readonly issuer: string;
  /** The URL that events are sent to, which tokens must be for. */
  readonly url: string;
  readonly onEvent: (event: { readonly id: string }) => void;
}

export function createReceiver({ issuer, url, onEvent }: ReceiverOptions): Express {
  // With many instances, `dpop: { replayStore }` of service-auth/redis has them know each other's proofs.
  const verifier = createVerifier({ issuer, audience: url, dpop: 'required' });
  const seen = new Set<string>();
  const app = express();
  app.post(
    '/hooks',
    requireServiceAuth({ verifier, scope: 'webhooks:deliver', clients: ['shop'] }),
    express.json({ limit: '64kb' }),
    (request, response) => {
      const { id } = request.body;
      // A sender that heard no answer sends again: that is no second event.
      if (typeof id === 'string' && !seen.has(id)) {
        seen.add(id);
        onEvent(request.body);
      }
      response.status(typeof id === 'string' ? 204 : 400).end();
    },
  );
  return app;
}
