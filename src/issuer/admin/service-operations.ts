/** Services: registered, listed, shown, changed and revoked. */
import * as z from 'zod';
import type { IssuerContext } from '../context.ts';
import { empty, type InputFault, json } from '../http/http-answers.ts';
import type { StoredService } from '../storage/records.ts';
import { etagOf, refuseVersion } from './entity-tags.ts';
import { findService } from './find-service.ts';
import { createOnce, type Prepared, type Seed } from './idempotency.ts';
import { mergePatch } from './merge-patch.ts';
import { newServiceRecord } from './new-service-record.ts';
import { type AdminRequest, judge, type Operation, operation } from './operation.ts';
import { cursor, cutPage, limit, readCursor, toCursor } from './pages.ts';
import { refuse } from './problems.ts';
import { newService, type RegistrationInput, servicePatch, toInput } from './registration.ts';
import { retryUpdate } from './retry-update.ts';
import { showService, toIso } from './show.ts';

const servicePage = z.strictObject({ after: cursor.optional(), limit });
type ServicePage = z.output<typeof servicePage>;
type Patch = z.output<typeof servicePatch>;

export function createServiceOperations(context: IssuerContext): readonly Operation[] {
  return [
    operation({
      id: 'listServices',
      method: 'GET',
      path: '/services',
      summary: 'Lists services in order of registration, revoked ones included.',
      query: servicePage,
      answer: { status: 200, schema: 'ServiceList' },
      handle: (request) => listServices(context, request),
    }),
    operation({
      id: 'createService',
      method: 'POST',
      path: '/services',
      summary: 'Registers a service.',
      headers: ['Idempotency-Key'],
      body: newService,
      answer: { status: 201, schema: 'CreatedService', headers: ['Location', 'ETag'] },
      problems: ['client_id_taken', 'invalid_idempotency_key', 'idempotency_key_reused', 'update_conflict'],
      handle: (request) => createService(context, request),
    }),
    operation({
      id: 'getService',
      method: 'GET',
      path: '/services/:clientId',
      summary: 'Shows a service.',
      answer: { status: 200, schema: 'Service', headers: ['ETag'] },
      problems: ['unknown_service'],
      async handle({ parameters }) {
        const service = await findService(context, parameters);
        return service instanceof Response ? service : answer(service);
      },
    }),
    operation({
      id: 'updateService',
      method: 'PATCH',
      path: '/services/:clientId',
      summary: 'Changes a service by a JSON merge patch: what is left out stays, null takes away.',
      headers: ['If-Match'],
      body: servicePatch,
      answer: { status: 200, schema: 'Service', headers: ['ETag'] },
      problems: [
        'unknown_service',
        'service_revoked',
        'version_mismatch',
        'update_conflict',
        'invalid_if_match',
      ],
      handle: (request) => updateService(context, request),
    }),
    operation({
      id: 'revokeService',
      method: 'DELETE',
      path: '/services/:clientId',
      summary: 'Revokes a service for good: its tokens stop working. It stays on record.',
      headers: ['If-Match'],
      answer: { status: 204 },
      problems: ['unknown_service', 'version_mismatch', 'invalid_if_match'],
      handle: (request) => revokeService(context, request),
    }),
  ];
}

function answer(service: StoredService): Response {
  return json(showService(service), { etag: etagOf(service.version) });
}

function createService(
  context: IssuerContext,
  { actor, request, body }: AdminRequest<RegistrationInput, undefined>,
): Promise<Response> {
  return createOnce(context, {
    actor,
    request,
    purpose: 'service',
    content: body,
    async check() {
      const errors = await findUnknownResources(context, body);
      return errors.length === 0 ? undefined : refuse('invalid_input', { errors });
    },
    prepare: (seed) => prepareService(context, actor, body, seed),
    done: ({ clientId }) => context.emit?.({ type: 'issuer.service_created', clientId }),
  });
}

function prepareService(
  { settings, secrets }: IssuerContext,
  actor: string,
  { clientId: wanted, ...registration }: RegistrationInput,
  { clientSecret, createdAtMs, known }: Seed,
): Prepared {
  const { storage, baseUrl } = settings;
  const clientId = known?.clientId ?? wanted ?? `svc_${secrets.identifier()}`;
  const { service, audit } = newServiceRecord(secrets, {
    actor,
    clientId,
    registration,
    clientSecret,
    secretId: known?.secretId,
    createdAtMs,
  });
  const [sealed] = service.secrets;
  return {
    clientId,
    secretId: sealed?.id,
    store: (request) => storage.createService(service, audit, request),
    refused: () => refuse('client_id_taken'),
    answer: () => {
      const headers = {
        location: `${baseUrl}/admin/services/${encodeURIComponent(clientId)}`,
        etag: etagOf(service.version),
      };
      return json({ ...showService(service), clientSecret: sealed && clientSecret }, headers, 201);
    },
  };
}

/** Those that tokens could never be for. */
export async function findUnknownResources(
  { resources }: IssuerContext,
  input: { readonly [List in 'resources' | 'serves']?: readonly string[] | null | undefined },
): Promise<readonly InputFault[]> {
  const faults: InputFault[] = [];
  for (const path of ['resources', 'serves'] as const) {
    const found = await Promise.all((input[path] ?? []).map((uri) => resources.find(uri)));
    if (found.includes(undefined)) faults.push({ path, message: 'has a resource that is not known here' });
  }
  return faults;
}

async function listServices(
  { settings: { storage } }: IssuerContext,
  { query: { after, limit: most } }: AdminRequest<undefined, ServicePage>,
): Promise<Response> {
  const position = after && readCursor(after);
  const services = await storage.listServices({ after: position, limit: most + 1 });
  const { page, last } = cutPage(services, most);
  return json({ services: page.map(showService), next: last && toCursor(last.clientId) });
}

function updateService(
  context: IssuerContext,
  { actor, request, parameters, body }: AdminRequest<Patch, undefined>,
): Promise<Response> {
  const { settings, emit } = context;
  const ifMatch = request.headers.get('if-match');
  return retryUpdate(async () => {
    const known = await findService(context, parameters);
    if (known instanceof Response) return known;
    const refusal = refuseUpdate(known, ifMatch);
    if (refusal !== undefined) return refusal;
    const changed = judge(newService, mergePatch(toInput(known), body));
    if (changed instanceof Response) return changed;
    const errors = await findUnknownResources(context, body);
    if (errors.length > 0) return refuse('invalid_input', { errors });
    const { clientId: _, ...registration } = changed;
    if (JSON.stringify(registration) === JSON.stringify(toInput(known))) return answer(known);
    const atMs = settings.now();
    const service = { ...known, ...registration, updatedAtMs: atMs, version: known.version + 1 };
    const { clientId, version } = service;
    const [before, after] = [showService(known), showService(service)];
    const audit = { atMs, actor, action: 'service.updated', target: clientId, before, after };
    if (!(await settings.storage.updateService(service, audit))) return undefined;
    emit?.({ type: 'issuer.service_updated', clientId, version });
    return answer(service);
  });
}

function refuseUpdate({ version, revokedAtMs }: StoredService, ifMatch: string | null): Response | undefined {
  return (
    refuseVersion(ifMatch, version) ?? (revokedAtMs === undefined ? undefined : refuse('service_revoked'))
  );
}

async function revokeService(
  context: IssuerContext,
  { actor, request, parameters }: AdminRequest<undefined, undefined>,
): Promise<Response> {
  const { settings, emit } = context;
  const service = await findService(context, parameters);
  if (service instanceof Response) return service;
  const refusal = refuseVersion(request.headers.get('if-match'), service.version);
  if (refusal !== undefined) return refusal;
  if (service.revokedAtMs !== undefined) return empty(204);
  const { clientId } = service;
  const atMs = settings.now();
  const before = showService(service);
  const after = { ...before, revokedAt: toIso(atMs) };
  const audit = { atMs, actor, action: 'service.revoked', target: clientId, before, after };
  if (!(await settings.storage.revokeService(clientId, atMs, audit))) return refuse('unknown_service');
  emit?.({ type: 'issuer.service_revoked', clientId });
  return empty(204);
}
