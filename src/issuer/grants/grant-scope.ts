/** Which scopes a token gets (RFC 6749 section 3.3), whatever the grant. */
import { OAuthFault } from '../http/oauth-fault.ts';
import type { ResourceOptions } from '../issuer-options.ts';

/** Those scopes that at least one of the resources takes; one without a list of its own takes all. */
export function scopesOfResources(
  scopes: readonly string[],
  resources: readonly ResourceOptions[],
): readonly string[] {
  return scopes.filter((scope) =>
    resources.some(({ scopes: taken }) => taken === undefined || taken.includes(scope)),
  );
}

/** What was asked for, provided that all of it is allowed; all that is allowed if nothing was. */
export function grantScope(
  allowed: readonly string[],
  asked: string | undefined,
): readonly string[] | OAuthFault {
  if (asked === undefined) return allowed;
  const requested = splitScope(asked);
  if (requested.length === 0) return new OAuthFault('invalid_scope', 'scope is empty');
  const known = new Set(allowed);
  return requested.every((scope) => known.has(scope))
    ? requested
    : new OAuthFault('invalid_scope', 'a requested scope is not allowed for this client and target');
}

export function splitScope(scope: string | undefined): readonly string[] {
  return [...new Set(scope?.split(' ').filter((name) => name !== ''))];
}

/** As tokens and answers spell it; `undefined` for none. */
export function joinScope(scopes: readonly string[]): string | undefined {
  return scopes.length === 0 ? undefined : scopes.join(' ');
}
