/** The registry of resources (RFC 8707): which there are, and which scopes tokens for them may carry. */
import * as z from 'zod';
import type { IssuerContext } from '../context.ts';
import { empty, json } from '../http/http-answers.ts';
import type { PathParameters } from '../http/incoming.ts';
import type { StoredResource } from '../storage/records.ts';
import { mergePatch } from './merge-patch.ts';
import { type AdminRequest, type Operation, operation } from './operation.ts';
import { refuse } from './problems.ts';
import { showResource } from './show.ts';
import { line, resourceUri, scopes } from './texts.ts';

const name = line.max(200);
const newResource = z.strictObject({
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
      answer: { status: 201, schema: 'Resource', headers: ['Location'] },
      problems: ['resource_taken'],
      handle: (request) => createResource(context, request),
    }),
    operation({
      id: 'getResource',
      method: 'GET',
      path: '/resources/:resource',
      summary: 'Shows a resource.',
      answer: { status: 200, schema: 'Resource' },
      problems: ['unknown_resource'],
      async handle({ parameters }) {
        const resource = await findResource(context, parameters);
        return resource instanceof Response ? resource : json(showResource(resource));
      },
    }),
    operation({
      id: 'updateResource',
      method: 'PATCH',
      path: '/resources/:resource',
      summary: 'Changes a resource by a JSON merge patch: what is left out stays, null takes away.',
      body: resourcePatch,
      answer: { status: 200, schema: 'Resource' },
      problems: ['unknown_resource'],
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
  { settings, emit }: IssuerContext,
  { actor, body }: AdminRequest<z.output<typeof newResource>, undefined>,
): Promise<Response> {
  const { storage, resources, baseUrl, now } = settings;
  // Those of the options come first: what is registered under their name would be without effect.
  if (resources?.has(body.resource) === true) return refuse('resource_taken');
  const atMs = now();
  const { resource, name: label, scopes: allowed } = body;
  const stored = { resource, name: label, scopes: allowed, createdAtMs: atMs, updatedAtMs: atMs };
  const after = showResource(stored);
  const audit = { atMs, actor, action: 'resource.created', target: resource, before: undefined, after };
  if (!(await storage.createResource(stored, audit))) return refuse('resource_taken');
  emit?.({ type: 'issuer.resource_changed', resource, change: 'created' });
  return json(after, { location: `${baseUrl}/admin/resources/${encodeURIComponent(resource)}` }, 201);
}

async function updateResource(
  context: IssuerContext,
  { actor, parameters, body }: AdminRequest<z.output<typeof resourcePatch>, undefined>,
): Promise<Response> {
  const { settings, emit } = context;
  const known = await findResource(context, parameters);
  if (known instanceof Response) return known;
  const { resource, createdAtMs } = known;
  const merged = newResource.parse(mergePatch({ resource, name: known.name, scopes: known.scopes }, body));
  const atMs = settings.now();
  const changed = { resource, name: merged.name, scopes: merged.scopes, createdAtMs, updatedAtMs: atMs };
  const [before, after] = [showResource(known), showResource(changed)];
  const audit = { atMs, actor, action: 'resource.updated', target: resource, before, after };
  if (!(await settings.storage.updateResource(changed, audit))) return refuse('unknown_resource');
  emit?.({ type: 'issuer.resource_changed', resource, change: 'updated' });
  return json(after);
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
