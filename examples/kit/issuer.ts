/** The issuer of the examples: in this process, with services registered as an administrator would. */
import { randomBytes } from 'node:crypto';
import {
  type AdminClient,
  createAdminClient,
  memoryStorage,
  type NewService,
  type ServeIssuerOptions,
  serveIssuer,
} from 'service-auth/issuer';
import type { Stage } from './stage.ts';

export interface ExampleIssuer {
  readonly url: string;
  readonly admin: AdminClient;
  /** Registers a service and gives its secret; without a name of its own it is called as its id. */
  register(registration: Omit<NewService, 'name'> & { readonly clientId: string }): Promise<string>;
  /** Nobody listens any more; what it knows is kept for `start`. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startIssuer(
  stage: Stage,
  options: Omit<ServeIssuerOptions, 'port' | 'adminToken' | 'secretKey'> = {},
): Promise<ExampleIssuer> {
  const adminToken = randomBytes(32).toString('base64url');
  // One key for all starts, as what is stored opens with it alone.
  const settings = { storage: memoryStorage(), ...options, adminToken, secretKey: randomBytes(32) };
  let server = await serveIssuer({ ...settings, port: 0 });
  const { url } = server;
  let isUp = true;
  const stop = async (): Promise<void> => {
    if (isUp) await server.close();
    isUp = false;
  };
  stage.atEnd(stop);
  const admin = createAdminClient({ issuer: url, adminToken });
  return {
    url,
    admin,
    async register(registration) {
      const created = await admin.services.create({ name: registration.clientId, ...registration });
      return created.clientSecret ?? '';
    },
    stop,
    async start() {
      server = await serveIssuer({ ...settings, port: Number(new URL(url).port) });
      isUp = true;
    },
  };
}
