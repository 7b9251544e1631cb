/** Services as the admin API takes and shows them. */
import * as z from 'zod';
import { isScopeName } from '../../shared/scope.ts';
import type { Secrets } from '../clients/secrets.ts';
import type { InputFault } from '../http/http-answers.ts';
import { type IssuerSettings, isResourceUri } from '../issuer-settings.ts';
import type { StoredService } from '../storage/records.ts';

/** Visible ASCII. A dot segment could not be named in the path of the admin API. */
const clientId = z
  .string()
  .max(200)
  .regex(/^[\x21-\x7e]+$/, 'must be visible ASCII characters without spaces')
  .refine((text) => text !== '.' && text !== '..', 'must not be a dot segment');
/** RFC 6749 section 3.3. */
const scope = z
  .string()
  .max(200)
  .refine(isScopeName, 'must be visible ASCII characters without quotes and backslashes');
const resource = z.string().max(500).refine(isResourceUri, 'must be an absolute URI without fragment');
/** No control characters, line separators, marks of direction or halves of characters. */
const line = z.string().regex(/^[^\p{C}\p{Zl}\p{Zp}]+$/u, 'must be one line of text');

/** A token names them all, and must stay short enough for a header and for whoever reads it. */
const MOST_CHARACTERS = 3000;
const together = (list: z.ZodArray<z.ZodString>): z.ZodArray<z.ZodString> =>
  list.refine(
    (texts) => texts.join(' ').length <= MOST_CHARACTERS,
    `must be at most ${MOST_CHARACTERS} characters together`,
  );

/** Members that are not named here are refused: no input reaches the storage that was not looked at. */
const registration = z.strictObject({
  clientId: clientId.optional(),
  name: line.max(200),
  description: line.max(1000).optional(),
  scopes: together(z.array(scope).max(100)),
  resources: together(z.array(resource).max(50)).default([]),
  serves: together(z.array(resource).max(50)).default([]),
});

export type Registration = z.output<typeof registration>;

/** Judges the input of a registration. */
export function parseRegistration(
  input: unknown,
  known: IssuerSettings['resources'],
): Registration | readonly InputFault[] {
  const { success, data, error } = registration.safeParse(input);
  if (!success) return toInputFaults(error);
  const unknown = data.resources.find((uri) => known !== undefined && !known.has(uri));
  return unknown === undefined
    ? data
    : [{ path: 'resources', message: 'has a resource that is not known here' }];
}

const MOST_FAULTS = 20;
const LONGEST_MESSAGE = 200;

export function toInputFaults(error: z.ZodError): readonly InputFault[] {
  return error.issues.slice(0, MOST_FAULTS).map(({ path, message }) => ({
    path: path.join('.'),
    message: message.slice(0, LONGEST_MESSAGE),
  }));
}

/** Makes a service of a registration, with its first secret. */
export function createService(
  input: Registration,
  secrets: Secrets,
  now: IssuerSettings['now'],
): { readonly service: StoredService; readonly clientSecret: string } {
  const { clientId = `svc_${secrets.identifier()}`, name, description } = input;
  const clientSecret = secrets.generate();
  const createdAtMs = now();
  const service: StoredService = {
    clientId,
    name,
    description,
    scopes: [...new Set(input.scopes)],
    resources: [...new Set(input.resources)],
    secrets: [secrets.seal(clientId, clientSecret, { nowMs: createdAtMs })],
    createdAtMs,
    updatedAtMs: createdAtMs,
    revokedAtMs: undefined,
    version: 1,
    serves: [...new Set(input.serves)],
    authMethods: ['client_secret_basic', 'client_secret_post'],
    tokenFormat: 'jwt',
    accessTokenSeconds: undefined,
    dpopBound: false,
    certificateBound: false,
    jwks: undefined,
    jwksUri: undefined,
    tlsClientAuth: undefined,
    federatedIdentities: [],
  };
  return { service, clientSecret };
}

/** A service as the admin API shows it: member by member, so that what is added to storage stays there. */
export function showService(service: StoredService): Record<string, unknown> {
  const { clientId, name, description, scopes, resources, serves, secrets, createdAtMs, revokedAtMs } =
    service;
  return {
    clientId,
    name,
    description,
    scopes,
    resources,
    serves,
    secrets: secrets.map(({ id, hint, createdAtMs: at }) => ({ id, hint, createdAt: toIso(at) })),
    createdAt: toIso(createdAtMs),
    revokedAt: revokedAtMs === undefined ? undefined : toIso(revokedAtMs),
  };
}

export function toIso(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
