/** Services and resources that are to be there from the start: what is missing is created, nothing else is touched. */
import type * as z from 'zod';
import { optionError } from '../../errors.ts';
import { OptionChecker } from '../../shared/options.ts';
import type { IssuerContext } from '../context.ts';
import type { Registration, StoredService } from '../storage/records.ts';
import type { NewResource, NewService } from './admin-types.ts';
import { bare } from './bare.ts';
import { differingMembers } from './differing-members.ts';
import { newServiceRecord } from './new-service-record.ts';
import { toInputFaults } from './operation.ts';
import { newService, toInput } from './registration.ts';
import { newResource, registerResource } from './resource-operations.ts';
import { needsSecret } from './secret-operations.ts';
import { findUnknownResources } from './service-operations.ts';
import { clientId as clientIdText, resourceUri } from './texts.ts';

/** A service of a seed. */
export interface SeedService {
  /** As the admin API takes it; its `clientId` tells whether the service is there already. */
  readonly registration: NewService & { readonly clientId: string };
  /**
   * The secret that it is to have, of 32 to 1000 visible ASCII characters.
   * @default a generated one, where a method of the service needs one
   */
  readonly clientSecret?: string | undefined;
}

/** What is to be there. */
export interface IssuerSeed {
  /** @default none */
  readonly resources?: readonly NewResource[] | undefined;
  readonly services: readonly SeedService[];
}

/** `differs`: it was there already, otherwise than the seed says, and stays so. */
export type SeedOutcome = 'created' | 'unchanged' | 'differs';

export interface SeededResource {
  readonly resource: string;
  readonly outcome: SeedOutcome;
  /** The members that differ. */
  readonly differences: readonly string[];
}

export interface SeededService {
  readonly clientId: string;
  readonly outcome: SeedOutcome;
  /** The members that differ: those of a registration, `revokedAt` for a revoked one, `secret` for another secret. */
  readonly differences: readonly string[];
  /** The generated secret of a service that was just created; shown this once. */
  readonly clientSecret?: string | undefined;
}

/** What became of a seed, in its order. */
export interface SeedReport {
  readonly resources: readonly SeededResource[];
  readonly services: readonly SeededService[];
}

/** A service of a seed that was judged. */
interface WantedService {
  readonly clientId: string;
  readonly registration: Registration;
  readonly clientSecret: string | undefined;
}

const ACTOR = 'seed';

/** All is judged before anything is created; each thing is then created whole, or found. */
export async function plantSeed(context: IssuerContext, seed: IssuerSeed): Promise<SeedReport> {
  const wanted = readSeed(seed);
  const resources: SeededResource[] = [];
  for (const resource of wanted.resources) resources.push(await plantResource(context, resource));
  for (const service of wanted.services) await checkResources(context, service);
  const services: SeededService[] = [];
  for (const service of wanted.services) services.push(await plantService(context, service));
  return { resources, services };
}

async function plantResource(context: IssuerContext, wanted: NewResource): Promise<SeededResource> {
  const { resource, name, scopes } = wanted;
  if (await registerResource(context, ACTOR, wanted)) {
    return { resource, outcome: 'created', differences: [] };
  }
  const existing = await context.resources.find(resource);
  return { resource, ...compared(differingMembers({ name, scopes }, existing ?? {})) };
}

/** Tokens could never be for a resource that is not known. What is there already is not asked again. */
async function checkResources(
  context: IssuerContext,
  { clientId, registration }: WantedService,
): Promise<void> {
  if ((await context.settings.storage.findService(clientId)) !== undefined) return;
  const [fault] = await findUnknownResources(context, registration);
  if (fault !== undefined) throw mistake(`service ${clientId}`, `${fault.path}: ${fault.message}`);
}

async function plantService(context: IssuerContext, wanted: WantedService): Promise<SeededService> {
  const { settings, secrets, emit } = context;
  const { storage, now } = settings;
  const { clientId, registration, clientSecret: given } = wanted;
  const known = await storage.findService(clientId);
  if (known !== undefined) return { clientId, ...compareService(context, wanted, known) };
  const clientSecret = given ?? secrets.generate();
  const { service, audit } = newServiceRecord(secrets, {
    actor: ACTOR,
    clientId,
    registration,
    clientSecret,
    createdAtMs: now(),
  });
  if ((await storage.createService(service, audit)) !== 'created') {
    // Another instance was faster, and no service is ever taken away.
    const twin = await storage.findService(clientId);
    if (twin === undefined) throw new Error(`the service ${clientId} can neither be created nor found`);
    return { clientId, ...compareService(context, wanted, twin) };
  }
  emit?.({ type: 'issuer.service_created', clientId });
  const isShown = given === undefined && service.secrets.length > 0;
  return { clientId, outcome: 'created', differences: [], ...(isShown && { clientSecret }) };
}

function compareService(
  { secrets, settings }: IssuerContext,
  { clientId, registration, clientSecret }: WantedService,
  existing: StoredService,
) {
  const differences = [...differingMembers(registration, toInput(existing))];
  if (existing.revokedAtMs !== undefined) differences.push('revokedAt');
  const hasSecret =
    clientSecret === undefined ||
    secrets.match(clientId, clientSecret, existing.secrets, settings.now()) !== undefined;
  if (!hasSecret) differences.push('secret');
  return compared(differences);
}

function compared(differences: readonly string[]) {
  const outcome: SeedOutcome = differences.length === 0 ? 'unchanged' : 'differs';
  return { outcome, differences };
}

interface WantedSeed {
  readonly resources: readonly NewResource[];
  readonly services: readonly WantedService[];
}

/** Judged as the admin API judges; a mistake is a TypeError that repeats no value but the name of what is wrong. */
export function readSeed(seed: IssuerSeed): WantedSeed {
  const check = new OptionChecker('Issuer.seed');
  const given = check.object('seed', seed, ['resources', 'services']);
  const resources = list(check, 'resources', given.resources ?? []).map((resource, at) =>
    read(newResource, resource, nameOf('resource', resource, at)),
  );
  const services = list(check, 'services', given.services).map((service, at) =>
    readService(check, service, at),
  );
  refuseTwice(resources.map(({ resource }) => `resource ${resource}`));
  refuseTwice(services.map(({ clientId }) => `service ${clientId}`));
  return { resources, services };
}

function readService(check: OptionChecker, given: unknown, at: number): WantedService {
  const service = check.object(`services[${at}]`, given, ['registration', 'clientSecret']);
  const { registration: input, clientSecret } = service;
  const what = nameOf('service', input, at);
  const { clientId, ...registration } = read(newService, input, what);
  if (clientId === undefined) throw mistake(what, 'clientId must be given');
  if (clientSecret === undefined) return { clientId, registration, clientSecret };
  if (typeof clientSecret !== 'string' || !/^[\x21-\x7e]{32,1000}$/.test(clientSecret)) {
    throw mistake(what, 'clientSecret must be 32 to 1000 visible ASCII characters');
  }
  if (!needsSecret(registration.authMethods)) {
    throw mistake(what, 'clientSecret is for a method with a secret, which authMethods does not have');
  }
  return { clientId, registration, clientSecret };
}

function list(check: OptionChecker, option: string, value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : check.failKind(option, 'a list', value);
}

function read<T>(schema: z.ZodType<T>, input: unknown, what: string): T {
  const { success, data, error } = schema.safeParse(input);
  if (success) return bare(data);
  const faults = toInputFaults(error).map(({ path, message }) => [path, message].filter(Boolean).join(': '));
  throw mistake(what, faults.join('; '));
}

function refuseTwice(names: readonly string[]): void {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw optionError('option_invalid', `Issuer.seed: the seed names ${twice} twice`);
}

/** By its name, if that is one, else by its place. */
function nameOf(kind: 'resource' | 'service', input: unknown, at: number): string {
  const { success, data } =
    kind === 'resource'
      ? resourceUri.safeParse(Reflect.get(Object(input), 'resource'))
      : clientIdText.safeParse(Reflect.get(Object(input), 'clientId'));
  return success ? `${kind} ${data}` : `${kind}s[${at}]`;
}

function mistake(what: string, problem: string): TypeError {
  return optionError('option_invalid', `Issuer.seed: the seed's ${what} could not be created: ${problem}`);
}
