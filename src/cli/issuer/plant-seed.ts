/** Has an issuer create what a seed names and is not there yet, and says what came of it. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Issuer, IssuerSeed, IssuerStorage, SeededResource, SeededService } from '../../issuer/index.ts';
import { openSecretFile, type SecretFile } from '../services/secret-file.ts';

export interface Planting {
  readonly seed: IssuerSeed;
  readonly issuer: Issuer;
  readonly storage: IssuerStorage;
  /** Where secrets that the issuer made are written to. */
  readonly seedSecrets: string | undefined;
}

/** Something to be said of the seed. */
export interface SeedNews {
  readonly event: string;
  readonly members: object;
  readonly text: string;
}

type SecretFiles = Map<string, SecretFile>;

export async function plantSeed(planting: Planting): Promise<readonly SeedNews[]> {
  const files: SecretFiles = new Map();
  let made: readonly SeededService[] = [];
  try {
    await openFiles(planting, files);
    const { resources, services } = await planting.issuer.seed(planting.seed);
    made = services;
    return [...resources.flatMap(resourceNews), ...services.flatMap((one) => serviceNews(one, files))];
  } finally {
    const secretOf = (name: string): string | undefined =>
      made.find(({ clientId }) => clientId === name)?.clientSecret;
    // All are begun whatever becomes of one: a secret that is not kept is lost.
    await Promise.all([...files].map(([clientId, file]) => file.keep(secretOf(clientId))));
  }
}

/** Before anything is created, so that no secret is made that cannot be kept. */
async function openFiles({ seed, seedSecrets, storage }: Planting, files: SecretFiles): Promise<void> {
  if (seedSecrets === undefined) return;
  await mkdir(seedSecrets, { recursive: true, mode: 0o700 });
  for (const { registration, clientSecret } of seed.services) {
    const { clientId } = registration;
    const isThere = clientSecret !== undefined || (await storage.findService(clientId)) !== undefined;
    if (!isThere) files.set(clientId, await openSecretFile(join(seedSecrets, encodeURIComponent(clientId))));
  }
}

function resourceNews({ resource, outcome, differences }: SeededResource): readonly SeedNews[] {
  if (outcome !== 'created') return differenceNews('resource', resource, differences);
  const text = `seed: created resource ${resource}`;
  return [{ event: 'seed.resource_created', members: { resource }, text }];
}

function serviceNews(service: SeededService, files: SecretFiles): readonly SeedNews[] {
  const { clientId, outcome, differences, clientSecret } = service;
  if (outcome !== 'created') return differenceNews('service', clientId, differences);
  const event = 'seed.service_created';
  const text = `seed: created service ${clientId}`;
  const secretFile = files.get(clientId)?.path;
  if (clientSecret === undefined) return [{ event, members: { clientId }, text }];
  if (secretFile !== undefined) {
    return [{ event, members: { clientId, secretFile }, text: `${text}; its secret is in ${secretFile}` }];
  }
  const shown = `${text}; secret, shown once: ${clientSecret}`;
  return [{ event, members: { clientId, clientSecret }, text: shown }];
}

function differenceNews(
  what: 'service' | 'resource',
  name: string,
  differences: readonly string[],
): readonly SeedNews[] {
  const members = differences.filter((member) => member !== 'secret' && member !== 'revokedAt');
  const tell = (word: 'differs' | 'revoked', problem: string): SeedNews => ({
    event: `seed.${what}_${word}`,
    members: { [what]: name, problem },
    text: `seed: ${what} ${name} is left as it is: ${problem}`,
  });
  return [
    ...(members.length > 0 ? [tell('differs', `it differs in ${members.join(', ')}`)] : []),
    ...(differences.includes('revokedAt') ? [tell('revoked', 'it is revoked')] : []),
    ...(differences.includes('secret') ? [tell('differs', 'it has another secret')] : []),
  ];
}
