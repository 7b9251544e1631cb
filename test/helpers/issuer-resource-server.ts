/** A resource server on Express whose tokens come from an issuer of the tests. */
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import express from 'express';
import { requireServiceAuth } from '../../adapters/express.ts';
import { createVerifier, type Verifier, type VerifierOptions } from '../../src/index.ts';
import { type IssuerWorld, ORDERS, STATUS_LIST_SECONDS } from './issuer-world.ts';

export interface ResourceServer {
  readonly url: string;
  readonly verifier: Verifier;
  /** Lets so much time go by that what was revoked is known. */
  forget(): void;
  close(): Promise<void>;
}

/** JWTs are verified by the keys and looked up in their status list, opaque tokens are introspected. */
export async function startResourceServer(
  world: IssuerWorld,
  { audience = ORDERS, ...options }: Partial<VerifierOptions> = {},
): Promise<ResourceServer> {
  const itself = await world.join('client_secret_basic', { resources: [], serves: [ORDERS] });
  let offsetMs = 0;
  const verifier = createVerifier({
    issuer: {
      issuer: world.url,
      statusList: true,
      introspection: {
        clientId: itself.clientId,
        clientSecret: itself.clientSecret,
        cacheSeconds: STATUS_LIST_SECONDS,
        negativeCacheSeconds: 0,
      },
    },
    audience,
    fetch: world.fetch,
    now: () => Date.now() + offsetMs,
    ...options,
  });
  const app = express();
  app.get('/orders', requireServiceAuth({ verifier, scope: 'read' }), ({ caller }, response) => {
    response.json({
      clientId: caller?.clientId,
      subject: caller?.subject,
      actor: caller?.actor,
      scheme: caller?.scheme,
      confirmation: caller?.confirmation,
    });
  });
  const { tls } = world;
  const server =
    tls === undefined
      ? createServer(app)
      : createTlsServer({ ...tls.server, ca: tls.ca, requestCert: true, rejectUnauthorized: false }, app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}/orders`,
    verifier,
    forget() {
      offsetMs += STATUS_LIST_SECONDS * 1000 + 1;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
