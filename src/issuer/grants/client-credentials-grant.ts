/** The client credentials grant (RFC 6749 section 4.4): a service asks for a token of its own. */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { ResourceOptions } from '../issuer-options.ts';
import type { ResourceRegistry } from '../resource-registry.ts';
import type { Grant } from './grant.ts';
import { grantResources } from './grant-resources.ts';
import { grantScope, joinScope, scopesOfResources } from './grant-scope.ts';

export const clientCredentialsGrant: Grant = async (
  { settings, resources: registry },
  { service },
  { form },
  { confirmation },
) => {
  const { clientId, tokenFormat: format } = service;
  const granted = await grantResources(registry, service, form.all('resource'));
  if (granted instanceof OAuthFault) return granted;
  // A service without any gets tokens that only this issuer itself accepts.
  const resources = granted.length === 0 ? [await issuerItself(registry, settings.issuer)] : granted;
  const scopes = grantScope(scopesOfResources(service.scopes, resources), form.get('scope'));
  if (scopes instanceof OAuthFault) return scopes;
  return {
    grant: {
      clientId,
      subject: clientId,
      audience: resources.map(({ resource }) => resource),
      scope: joinScope(scopes),
      confirmation,
      actor: undefined,
    },
    form: { format, lifetimeSeconds: service.accessTokenSeconds ?? settings.accessTokenSeconds },
  };
};

/** As the registry has it, where it says which scopes the issuer takes. */
async function issuerItself(registry: ResourceRegistry, issuer: string): Promise<ResourceOptions> {
  return (await registry.find(issuer)) ?? { resource: issuer };
}
