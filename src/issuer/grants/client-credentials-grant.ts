/** The client credentials grant (RFC 6749 section 4.4): a service asks for a token of its own. */

import { OAuthFault } from '../http/oauth-fault.ts';
import type { IssuerSettings } from '../issuer-settings.ts';
import type { StoredService } from '../storage/records.ts';
import type { Grant } from './grant.ts';

export const clientCredentialsGrant: Grant = async ({ settings, tokens }, { service }, { form }) => {
  const scope = grantScope(service, form.get('scope'));
  if (scope instanceof OAuthFault) return scope;
  const audience = grantAudience(service, form.all('resource'), settings.resources, settings.issuer);
  if (audience instanceof OAuthFault) return audience;
  const { clientId, tokenFormat: format, accessTokenSeconds = settings.accessTokenSeconds } = service;
  const token = await tokens.issue(
    { clientId, subject: clientId, audience, scope, confirmation: undefined, actor: undefined },
    { format, lifetimeSeconds: accessTokenSeconds },
  );
  return { token };
};

/** What was asked for, provided that all of it is registered; all that is registered if nothing was. */
function grantScope({ scopes }: StoredService, asked: string | undefined): string | OAuthFault | undefined {
  const requested = new Set(asked?.split(' ').filter((scope) => scope !== '') ?? scopes);
  if (asked !== undefined && requested.size === 0) return new OAuthFault('invalid_scope', 'scope is empty');
  for (const scope of requested) {
    if (!scopes.includes(scope)) {
      return new OAuthFault('invalid_scope', 'a requested scope is not registered for this client');
    }
  }
  return requested.size === 0 ? undefined : [...requested].join(' ');
}

/**
 * The audience of a token (RFC 8707): registration decides, the request may only choose among what is registered.
 * Where several are registered and none is asked for there is no good choice: with a token for all of them, one
 * resource server could call the others. A service without any gets tokens that only this issuer itself accepts.
 */
function grantAudience(
  client: StoredService,
  asked: readonly string[],
  known: IssuerSettings['resources'],
  issuer: string,
): readonly string[] | OAuthFault {
  const registered = client.resources.filter((resource) => known?.has(resource) ?? true);
  const requested = [...new Set(asked)];
  if (!requested.every((resource) => registered.includes(resource))) {
    return new OAuthFault(
      'invalid_target',
      'a requested resource is unknown or not registered for this client',
    );
  }
  if (requested.length > 0) return requested;
  if (registered.length > 1) {
    return new OAuthFault('invalid_target', 'several resources are registered for this client; ask for one');
  }
  return registered.length === 1 ? registered : [issuer];
}
