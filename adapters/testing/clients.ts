/** The services that a test issuer knows: those of the options as they are, all others for whatever they ask. */
import { readSeed } from '../../src/issuer/admin/seed.ts';
import type { IssuerContext } from '../../src/issuer/context.ts';
import type { Issuer, IssuerSeed, NewService, SeedService } from '../../src/issuer/index.ts';
import { addFirstKey } from './first-key.ts';

/** A service that is registered with the test issuer, as the admin API takes it. */
export interface TestClient extends Omit<NewService, 'clientId' | 'name' | 'scopes'> {
  readonly clientId: string;
  /** @default its client id */
  readonly name?: string | undefined;
  /** @default none */
  readonly scopes?: readonly string[] | undefined;
  /** Of 32 to 1000 visible ASCII characters. @default a generated one */
  readonly clientSecret?: string | undefined;
}

/** What a service is to be registered for, besides what it is registered for already. */
export interface Wishes {
  readonly scopes?: readonly string[];
  readonly resources?: readonly string[];
  readonly serves?: readonly string[];
}

export interface TestClients {
  /**
   * Takes note of a service, and gives its secret, empty for one that has none. What it may do grows by these wishes,
   * unless the options name it.
   */
  secretOf(clientId: string, wishes: Wishes): string;
  /** Registers a service that nobody has spoken of. */
  know(clientId: string): Promise<void>;
  /** Makes the issuer ready, and writes down what was noted; rejects with a TypeError for what cannot be registered. */
  settle(): Promise<void>;
}

/** What is known of a service. */
interface Known extends Required<Wishes> {
  readonly clientSecret: string;
}

/** All that need a secret, so that a test may choose. */
const authMethods = ['client_secret_basic', 'client_secret_post', 'client_secret_jwt'] as const;

/**
 * @throws TypeError for services that cannot be registered.
 */
export function createTestClients(
  context: IssuerContext,
  issuer: Issuer,
  given: readonly TestClient[],
): TestClients {
  const { secrets, settings } = context;
  const generate = (): string => secrets.generate();
  const seed: IssuerSeed = { services: given.map((client) => toSeed(client, generate)) };
  readSeed(seed);
  const own = new Map(seed.services.map((service) => [service.registration.clientId, service.clientSecret]));
  const others = new Map<string, Known>();
  const unsettled = new Set<string>();
  let settling: Promise<unknown> = Promise.resolve();
  let isPlanted = false;

  function note(clientId: string, wishes: Wishes): string {
    if (own.has(clientId)) return own.get(clientId) ?? '';
    const known = others.get(clientId);
    const service: Known = {
      clientSecret: known?.clientSecret ?? generate(),
      scopes: union(known?.scopes, wishes.scopes),
      resources: union(known?.resources, wishes.resources),
      serves: union(known?.serves, wishes.serves),
    };
    readSeed({ services: [toSeed({ clientId, authMethods, ...service }, generate)] });
    others.set(clientId, service);
    unsettled.add(clientId);
    return service.clientSecret;
  }

  async function write(): Promise<void> {
    if (!isPlanted) {
      await addFirstKey(context);
      await issuer.seed(seed);
    }
    isPlanted = true;
    for (const clientId of unsettled) {
      const service = others.get(clientId);
      if (service !== undefined) await register(clientId, service);
      // What was wished meanwhile is for the next turn.
      if (others.get(clientId) === service) unsettled.delete(clientId);
    }
  }

  async function register(clientId: string, known: Known): Promise<void> {
    const { clientSecret, ...members } = known;
    const stored = await settings.storage.findService(clientId);
    if (stored === undefined) {
      await issuer.seed({
        services: [toSeed({ clientId, authMethods, clientSecret, ...members }, generate)],
      });
      return;
    }
    const atMs = settings.now();
    const service = { ...stored, ...members, updatedAtMs: atMs, version: stored.version + 1 };
    const audit = { atMs, actor: 'test', action: 'service.updated', target: clientId };
    await settings.storage.updateService(service, { ...audit, before: undefined, after: undefined });
  }

  function settle(): Promise<unknown> {
    if (isPlanted && unsettled.size === 0) return settling;
    settling = settling.catch(() => {}).then(write);
    return settling;
  }

  return {
    secretOf: note,
    async know(clientId) {
      if (!own.has(clientId) && !others.has(clientId)) note(clientId, {});
      await settle();
    },
    async settle() {
      await settle();
    },
  };
}

/** A secret only where a method of the service takes one. */
function toSeed({ clientSecret, ...client }: TestClient, generate: () => string): SeedService {
  const { name = client.clientId, scopes = [] } = client;
  const registration = { ...client, name, scopes };
  const { authMethods: methods, jwks, jwksUri, tlsClientAuth, federatedIdentities = [] } = client;
  const isKeyed = jwks !== undefined || jwksUri !== undefined || tlsClientAuth !== undefined;
  const takesSecret =
    methods === undefined
      ? !isKeyed && federatedIdentities.length === 0
      : methods.some((method) => method.startsWith('client_secret'));
  return { registration, clientSecret: clientSecret ?? (takesSecret ? generate() : undefined) };
}

function union(some: readonly string[] = [], more: readonly string[] = []): readonly string[] {
  return [...new Set([...some, ...more])];
}
