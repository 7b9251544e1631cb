/** Creates what a seed names and is not there yet. What is there stays as it is; differences are said. */
import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { createSecrets } from '../../issuer/clients/secrets.ts';
import {
  type AdminClient,
  createAdminClient,
  type IssuerServer,
  type NewResource,
  type Service,
} from '../../issuer/index.ts';
import { hasStatus } from '../admin-client.ts';
import { keepSecret } from '../services/secret-file.ts';
import type { Seed, SeedService } from './seed.ts';
import type { ChosenStorage } from './storage-choice.ts';

export interface Planting extends ChosenStorage {
  readonly seed: Seed;
  readonly server: IssuerServer;
  readonly adminToken: string;
  /** Where secrets that the issuer made are written to. */
  readonly seedSecrets: string | undefined;
}

/** Something to be said of the seed. */
export interface SeedNews {
  readonly event: string;
  readonly members: object;
  readonly text: string;
}

export async function plantSeed(planting: Planting): Promise<readonly SeedNews[]> {
  const { seed, server, adminToken } = planting;
  const { issuer } = server.issuer;
  // No detour over the network, where the issuer's public name may not lead to this machine.
  const client = createAdminClient({
    issuer,
    adminToken,
    fetch: (url, init) => server.issuer.fetch(new Request(url, init)),
  });
  const news: SeedNews[] = [];
  for (const resource of seed.resources) news.push(...(await plantResource(client, resource)));
  for (const service of seed.services) news.push(...(await plantService(client, service, planting)));
  return news;
}

async function plantResource(client: AdminClient, wanted: NewResource): Promise<readonly SeedNews[]> {
  const { resource } = wanted;
  try {
    await client.resources.create(wanted);
    return [
      { event: 'seed.resource_created', members: { resource }, text: `seed: created resource ${resource}` },
    ];
  } catch (error) {
    if (!hasStatus(error, 409)) throw seedError(`resource ${resource}`, error);
  }
  return difference('resource', resource, wanted, await client.resources.get(resource));
}

async function plantService(
  client: AdminClient,
  service: SeedService,
  planting: Planting,
): Promise<readonly SeedNews[]> {
  const { clientId, registration, clientSecret } = service;
  const { seedSecrets } = planting;
  let existing = await findService(client, clientId);
  if (existing === undefined) {
    const isMade = clientSecret === undefined && seedSecrets !== undefined;
    const path = isMade ? await fileOf(seedSecrets, clientId) : undefined;
    try {
      const { clientSecret: made } = await keepSecret(path, () => client.services.create(registration));
      if (clientSecret === undefined || made === undefined) return [created(clientId, made, path)];
      await replaceSecret(client, service, clientSecret, planting);
      return [created(clientId, undefined, undefined)];
    } catch (error) {
      // Another instance was faster.
      if (!hasStatus(error, 409)) throw seedError(`service ${clientId}`, error);
      existing = await client.services.get(clientId);
    }
  }
  const news = difference('service', clientId, registration, existing);
  if (existing.revokedAt !== undefined)
    return [...news, tell('revoked', 'service', clientId, 'it is revoked')];
  const isKnown = clientSecret === undefined || (await hasSecret(clientId, clientSecret, planting));
  return isKnown ? news : [...news, tell('differs', 'service', clientId, 'it has another secret')];
}

/** The admin API takes no secrets, since few people make good ones; a seed is for those who bring theirs along. */
async function replaceSecret(
  client: AdminClient,
  { clientId, registration }: SeedService,
  clientSecret: string,
  { storage, secretKey }: Planting,
): Promise<void> {
  const { secrets: made } = await client.services.get(clientId);
  const keepSecret = registration.authMethods?.includes('client_secret_jwt') ?? false;
  const nowMs = Date.now();
  const secret = createSecrets(secretKey, randomBytes).seal(clientId, clientSecret, { nowMs, keepSecret });
  const { id, hint } = secret;
  const audit = {
    atMs: nowMs,
    actor: 'seed',
    action: 'secret.created',
    target: clientId,
    before: undefined,
    after: { id, hint },
  };
  await storage.addSecret({ clientId, secret, expireOthersAtMs: nowMs }, audit);
  for (const other of made) await client.secrets.remove(clientId, other.id);
}

async function hasSecret(
  clientId: string,
  secret: string,
  { storage, secretKey }: Planting,
): Promise<boolean> {
  const service = await storage.findService(clientId);
  const match = createSecrets(secretKey, randomBytes).match;
  return service !== undefined && match(clientId, secret, service.secrets, Date.now()) !== undefined;
}

async function findService(client: AdminClient, clientId: string): Promise<Service | undefined> {
  try {
    return await client.services.get(clientId);
  } catch (error) {
    if (hasStatus(error, 404)) return undefined;
    throw error;
  }
}

async function fileOf(directory: string, clientId: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return join(directory, encodeURIComponent(clientId));
}

function created(clientId: string, made: string | undefined, secretFile: string | undefined): SeedNews {
  const event = 'seed.service_created';
  const text = `seed: created service ${clientId}`;
  if (made === undefined) return { event, members: { clientId }, text };
  if (secretFile !== undefined) {
    return { event, members: { clientId, secretFile }, text: `${text}; its secret is in ${secretFile}` };
  }
  return { event, members: { clientId, clientSecret: made }, text: `${text}; secret, shown once: ${made}` };
}

function difference(
  what: 'service' | 'resource',
  name: string,
  wanted: object,
  existing: object,
): readonly SeedNews[] {
  const members = Object.entries(wanted)
    .filter(([member, value]) => canonical(value) !== canonical(Reflect.get(existing, member)))
    .map(([member]) => member);
  return members.length === 0 ? [] : [tell('differs', what, name, `it differs in ${members.join(', ')}`)];
}

function tell(
  word: 'differs' | 'revoked',
  what: 'service' | 'resource',
  name: string,
  problem: string,
): SeedNews {
  const text = `seed: ${what} ${name} is left as it is: ${problem}`;
  return { event: `seed.${what}_${word}`, members: { [what]: name, problem }, text };
}

/** The same text for the same meaning: scopes, for example, are in no order. */
function canonical(value: unknown): string {
  const isNothing = value === undefined || value === null || (Array.isArray(value) && value.length === 0);
  if (isNothing) return '';
  if (Array.isArray(value)) return `[${[...new Set(value.map(canonical))].sort().join()}]`;
  if (typeof value !== 'object') return JSON.stringify(value);
  const members = Object.entries(value).map(([name, member]) => `${name}:${canonical(member)}`);
  return `{${members.sort().join()}}`;
}

function seedError(what: string, error: unknown): Error {
  const reason = error instanceof Error ? error.message : 'unexpected failure';
  return new Error(`the seed's ${what} could not be created: ${reason}`);
}
