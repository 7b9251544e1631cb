/** Which resources a token is for (RFC 8707). */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { ResourceOptions } from '../issuer-options.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import type { StoredService } from '../storage/records.ts';

/**
 * Chooses among the resources of a service: registration decides, the request may only choose among what is registered.
 * Where several are registered and none is asked for there is no good choice: with a token for all of them, one
 * resource server could call the others. Gives an empty list where neither has any.
 */
export async function grantResources(
  registry: ResourceRegistry,
  { resources }: StoredService,
  asked: readonly string[],
): Promise<readonly ResourceOptions[] | OAuthFault> {
  const requested = [...new Set(asked)];
  const registered = new Set(resources);
  // Before anything is looked up: a request may name as many as it likes.
  if (!requested.every((resource) => registered.has(resource))) return unknownResource();
  const found = await findAll(registry, requested.length === 0 ? resources : requested);
  if (requested.length > 0) return found.length === requested.length ? found : unknownResource();
  // What became of its resources must not make its tokens good for something else.
  if (found.length === 0 && resources.length > 0) return unknownResource();
  return found.length > 1
    ? new OAuthFault('invalid_target', 'several resources are registered for this client; ask for one')
    : found;
}

async function findAll(
  registry: ResourceRegistry,
  names: readonly string[],
): Promise<readonly ResourceOptions[]> {
  const found = await Promise.all(names.map((name) => registry.find(name)));
  return found.filter((resource) => resource !== undefined);
}

function unknownResource(): OAuthFault {
  return new OAuthFault(
    'invalid_target',
    'a requested resource is unknown or not registered for this client',
  );
}
