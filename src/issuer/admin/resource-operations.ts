/** The registry of resources (RFC 8707): which there are, and which scopes tokens for them may carry. */
import * as z from 'zod';
import type { IssuerContext } from '../context.ts';
import { empty, json } from '../http/http-answers.ts';
import type { PathParameters } from '../http/incoming.ts';
import type { StoredResource } from '../storage/records.ts';
import type { NewResource } from './admin-types.ts';
import { etagOf, refuseVersion } from './entity-tags.ts';
import { mergePatch } from './merge-patch.ts';
import { type AdminRequest, type Operation, operation } from './operation.ts';
import { refuse } from './problems.ts';
import { retryUpdate } from './retry-update.ts';
import { showResource } from './show.ts';
import { line, resourceUri, scopes } from './texts.ts';

const name = line.max(200);
/** A resource to be registered. */
export const newResource = z.strictObject({
  resource: resourceUri,
  name: name.optional(),
  scopes: scopes.optional(),
});
const resourcePatch = z.strictObject({ name: name.nullish(), scopes: scopes.nullish() });

export function createResourceOperations(context: IssuerContext): readonly Operation[] {
  const { storage } = context.settings;
  return [
    operation({
      id: 'listResources',
      method: 'GET',
      path: '/resources',
      summary: 'Lists the registered resources; those in the options of the issuer are not among them.',
      answer: { status: 200, schema: 'ResourceList' },
      handle: async () => json({ resources: (await storage.listResources()).map(showResource) }),
    }),
    operation({
      id: 'createResource',
      method: 'POST',
      path: '/resources',
      summary: 'Registers a resource.',
      body: newResource,
      answer: { status: 201, schema: 'Resource', headers: ['Location', 'ETag'] },
      problems: ['resource_taken'],
      handle: (request) => createResource(context, request),
    }),
    operation({
      id: 'getResource',
      method: 'GET',
      path: '/resources/:resource',
      summary: 'Shows a resource.',
      answer: { status: 200, schema: 'Resource', headers: ['ETag'] },
      problems: ['unknown_resource'],
      async handle({ parameters }) {
        const resource = await findResource(context, parameters);
        return resource instanceof Response ? resource : answer(resource);
      },
    }),
    operation({
      id: 'updateResource',
      method: 'PATCH',
      path: '/resources/:resource',
      summary: 'Changes a resource by a JSON merge patch: what is left out stays, null takes away.',
      headers: ['If-Match'],
      body: resourcePatch,
      answer: { status: 200, schema: 'Resource', headers: ['ETag'] },
      problems: ['unknown_resource', 'version_mismatch', 'update_conflict', 'invalid_if_match'],
      handle: (request) => updateResource(context, request),
    }),
    operation({
      id: 'deleteResource',
      method: 'DELETE',
      path: '/resources/:resource',
      summary: 'Takes a resource out of the registry; services keep its name.',
      answer: { status: 204 },
      problems: ['unknown_resource'],
      handle: (request) => deleteResource(context, request),
    }),
  ];
}

function answer(resource: StoredResource): Response {
  return json(showResource(resource), { etag: etagOf(resource.version) });
}

/** What cannot be a resource is not asked for. */
async function findResource(
  { settings }: IssuerContext,
  parameters: PathParameters,
): Promise<StoredResource | Response> {
  const { success, data } = resourceUri.safeParse(parameters.get('resource'));
  const resource = success ? await settings.storage.findResource(data) : undefined;
  return resource ?? refuse('unknown_resource');
}

async function createResource(
  context: IssuerContext,
  { actor, body }: AdminRequest<z.output<typeof newResource>, undefined>,
): Promise<Response> {
  const stored = await registerResource(context, actor, body);
  if (stored === undefined) return refuse('resource_taken');
  const headers = {
    location: `${context.settings.baseUrl}/admin/resources/${encodeURIComponent(stored.resource)}`,
    etag: etagOf(stored.version),
  };
  return json(showResource(stored), headers, 201);
}

/** Stores a resource of judged input; `undefined` where its name is taken. */
export async function registerResource(
  { settings, emit }: IssuerContext,
  actor: string,
  { resource, name: label, scopes: allowed }: NewResource,
): Promise<StoredResource | undefined> {
  const { storage, resources, now } = settings;
  // Those of the options come first: what is registered under their name would be without effect.
  if (resources?.has(resource) === true) return undefined;
  const atMs = now();
  const stored = {
    resource,
    name: label,
    scopes: allowed,
    createdAtMs: atMs,
    updatedAtMs: atMs,
    version: 1,
  };
  const after = showResource(stored);
  const audit = { atMs, actor, action: 'resource.created', target: resource, before: undefined, after };
  if (!(await storage.createResource(stored, audit))) return undefined;
  emit?.({ type: 'issuer.resource_changed', resource, change: 'created' });
  return stored;
}

function updateResource(
  context: IssuerContext,
  { actor, request, parameters, body }: AdminRequest<z.output<typeof resourcePatch>, undefined>,
): Promise<Response> {
  const { settings, emit } = context;
  const ifMatch = request.headers.get('if-match');
  return retryUpdate(async () => {
    const known = await findResource(context, parameters);
    if (known instanceof Response) return known;
    const refusal = refuseVersion(ifMatch, known.version);
    if (refusal !== undefined) return refusal;
    const input = { resource: known.resource, name: known.name, scopes: known.scopes };
    const { resource, name: label, scopes: allowed } = newResource.parse(mergePatch(input, body));
    const patched = { resource, name: label, scopes: allowed };
    if (JSON.stringify(patched) === JSON.stringify(input)) return answer(known);
    const atMs = settings.now();
    const changed = { ...known, ...patched, updatedAtMs: atMs, version: known.version + 1 };
    const [before, after] = [showResource(known), showResource(changed)];
    const audit = { atMs, actor, action: 'resource.updated', target: resource, before, after };
    if (!(await settings.storage.updateResource(changed, audit))) return undefined;
    emit?.({ type: 'issuer.resource_changed', resource, change: 'updated' });
    return answer(changed);
  });
}

async function deleteResource(
  context: IssuerContext,
  { actor, parameters }: AdminRequest<undefined, undefined>,
): Promise<Response> {
  const { settings, emit } = context;
  const known = await findResource(context, parameters);
  if (known instanceof Response) return known;
  const { resource } = known;
  const before = showResource(known);
  const audit = {
    atMs: settings.now(),
    actor,
    action: 'resource.deleted',
    target: resource,
    before,
    after: undefined,
  };
  if (!(await settings.storage.deleteResource(resource, audit))) return refuse('unknown_resource');
  emit?.({ type: 'issuer.resource_changed', resource, change: 'deleted' });
  return empty(204);
}
