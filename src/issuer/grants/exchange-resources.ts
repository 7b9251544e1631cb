/** Where an exchanged token may be used (RFC 8693 section 2.1: `resource` and `audience`). */
import type { IssuerContext } from '../context.ts';
import { OAuthFault } from '../http/oauth-fault.ts';
import type { Form } from '../http/request-body.ts';
import type { ResourceOptions } from '../issuer-options.ts';
import type { StoredService } from '../storage/records.ts';
import { grantResources } from './grant-resources.ts';

/** The resources that the request names, itself or by the client id of a service that is them. */
export async function exchangeResources(
  { settings, resources: registry }: IssuerContext,
  service: StoredService,
  form: Form,
): Promise<readonly ResourceOptions[] | OAuthFault> {
  const named = form.all('resource');
  const audience = form.get('audience');
  const served = audience === undefined ? [] : await servedBy(settings.storage, audience);
  if (served instanceof OAuthFault) return served;
  const granted = await grantResources(registry, service, [...named, ...served]);
  if (granted instanceof OAuthFault || granted.length > 0) return granted;
  return new OAuthFault('invalid_target', 'no resource is registered for this client');
}

async function servedBy(
  storage: IssuerContext['settings']['storage'],
  clientId: string,
): Promise<readonly string[] | OAuthFault> {
  const target = await storage.findService(clientId);
  if (target !== undefined && target.revokedAtMs === undefined && target.serves.length > 0)
    return target.serves;
  // The words for a resource that is not registered: who may not call a service need not learn that it is there.
  return new OAuthFault(
    'invalid_target',
    'a requested resource is unknown or not registered for this client',
  );
}
