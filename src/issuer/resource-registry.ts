/** The resources that tokens may be for (RFC 8707): those of the options, and those of the admin API. */
import type { ResourceOptions } from './issuer-options.ts';
import type { IssuerSettings } from './issuer-settings.ts';

export interface ResourceRegistry {
  /** What is known of a resource; `undefined` for one that tokens must not be for. */
  find(resource: string): Promise<ResourceOptions | undefined>;
}

/**
 * Makes the registry. Where the options name no resources, whatever the admin registers a service for is one. The
 * issuer is one itself, as the resource server of its admin API. Options come before what is stored.
 */
export function createResourceRegistry({
  issuer,
  resources,
  storage,
}: Pick<IssuerSettings, 'issuer' | 'resources' | 'storage'>): ResourceRegistry {
  return {
    async find(resource) {
      const configured = resources?.get(resource);
      if (configured !== undefined) return configured;
      const stored = await storage.findResource(resource);
      if (stored !== undefined) return stored;
      return resources === undefined || resource === issuer ? { resource } : undefined;
    },
  };
}
