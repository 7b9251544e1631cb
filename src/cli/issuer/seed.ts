/** The file of `--seed`: what is to be there. */
import * as z from 'zod';
import type { IssuerSeed, SeedService } from '../../issuer/index.ts';
import { UsageError } from '../errors.ts';
import { readJsonFile, variable } from '../secret-input.ts';

const LEAST_SECRET_CHARACTERS = 32;

const secret = z
  .string()
  .regex(/^[\x21-\x7e]+$/)
  .min(LEAST_SECRET_CHARACTERS);

/** Registrations are judged by the issuer; what is said of their secrets is for the seed alone. */
const service = z.looseObject({
  clientId: z.string().min(1),
  name: z.string(),
  scopes: z.array(z.string()),
  clientSecret: secret.optional(),
  clientSecretEnv: z.string().min(1).optional(),
});

const resource = z.looseObject({ resource: z.string().min(1) });

const seedFile = z.strictObject({
  resources: z.array(z.union([z.string().transform((uri) => ({ resource: uri })), resource])).default([]),
  services: z.array(service),
});

/** @throws UsageError that names the member which is wrong; values are not shown, as some are secret */
export async function readSeed(path: string): Promise<IssuerSeed> {
  const { success, data, error } = seedFile.safeParse(await readJsonFile(path, 'the seed file'));
  if (!success) {
    const at = error.issues[0]?.path.join('.') || 'the whole';
    const rule = at.endsWith('clientSecret')
      ? `a secret of at least ${LEAST_SECRET_CHARACTERS} visible ASCII characters`
      : '{ resources?: [...], services: [{ clientId, name, scopes, ... }] }';
    throw new UsageError(`the seed file is not valid at ${at}: it must be ${rule}`);
  }
  const { resources, services } = data;
  const ids = services.map(({ clientId }) => clientId);
  const twice = ids.find((id, at) => ids.indexOf(id) !== at);
  if (twice !== undefined) throw new UsageError(`the seed file names the service ${twice} twice`);
  return { resources, services: services.map(readService) };
}

function readService(given: z.output<typeof service>): SeedService {
  const { clientSecret, clientSecretEnv, ...registration } = given;
  const { clientId } = given;
  if (clientSecretEnv === undefined) return { registration, clientSecret };
  if (clientSecret !== undefined) {
    throw new UsageError(`the seed file gives ${clientId} both clientSecret and clientSecretEnv`);
  }
  const fromEnvironment = secret.safeParse(variable(clientSecretEnv));
  if (fromEnvironment.success) return { registration, clientSecret: fromEnvironment.data };
  throw new UsageError(
    `${clientSecretEnv}, which the seed file names, must be set to at least ${LEAST_SECRET_CHARACTERS} visible ASCII characters`,
  );
}
