/** The rooms of the issuer that make and know tokens, without HTTP around them. */
import { createSecrets } from '../../../../src/issuer/clients/secrets.ts';
import {
  type IssuerOptions,
  type IssuerStorage,
  memoryStorage,
  type StoredService,
} from '../../../../src/issuer/index.ts';
import { type IssuerSettings, resolveIssuerOptions } from '../../../../src/issuer/issuer-settings.ts';
import { createSigningKeys, type SigningKeys } from '../../../../src/issuer/keys/signing-keys.ts';
import { type AccessTokens, createAccessTokens } from '../../../../src/issuer/tokens/access-tokens.ts';
import { type Harness, ISSUER, START_MS } from '../harness.ts';
import { serviceRecord } from '../service-records.ts';

export const SECRET_KEY = 'a secret key of the issuer for these tests';

export interface Rooms {
  readonly settings: IssuerSettings;
  readonly storage: IssuerStorage;
  readonly keys: SigningKeys;
  readonly tokens: AccessTokens;
  advance(seconds: number): void;
  now(): number;
}

export function createRooms(options: Partial<IssuerOptions> = {}): Rooms {
  let nowMs = START_MS;
  const now = options.now ?? (() => nowMs);
  const storage = options.storage ?? memoryStorage();
  const settings = resolveIssuerOptions({ issuer: ISSUER, secretKey: SECRET_KEY, now, ...options, storage });
  const keys = createSigningKeys({
    storage,
    secretKey: settings.secretKey,
    algorithm: settings.signingAlgorithm,
    tokenSeconds: settings.accessTokenSeconds,
    publishAheadSeconds: settings.keyPublishAheadSeconds,
    rotationSeconds: settings.keyRotationSeconds,
    now,
    emit: undefined,
  });
  const tokens = createAccessTokens(settings, keys, createSecrets(settings.secretKey, settings.randomBytes));
  return {
    settings,
    storage,
    keys,
    tokens,
    now,
    advance: (seconds) => {
      nowMs += seconds * 1000;
    },
  };
}

export const audit = {
  atMs: START_MS,
  actor: 'admin',
  action: 'test',
  target: 'a service',
  before: undefined,
  after: undefined,
};

/** Registers a service in the storage itself. */
export async function addService(storage: IssuerStorage, clientId: string): Promise<void> {
  const members = { clientId, scopes: [], resources: [], serves: [] };
  await storage.createService(serviceRecord(members), audit);
}

/** Changes what is registered of a service, whatever the admin API would say. */
export async function change(
  { storage }: Pick<Harness, 'storage'>,
  clientId: string,
  changes: Partial<StoredService>,
): Promise<void> {
  const service = await storage.findService(clientId);
  if (service === undefined) throw new Error('there is no such service');
  await storage.updateService({ ...service, ...changes, version: service.version + 1 }, audit);
}
