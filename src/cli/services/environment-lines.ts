/** The variables that a service needs to obtain tokens, as a shell and most readers of `.env` files take them. */
export interface ServiceEnvironment {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  readonly scopes: readonly string[];
  readonly resources: readonly string[];
}

export function environmentOf(service: ServiceEnvironment): Readonly<Record<string, string>> {
  const { issuer, clientId, clientSecret, scopes, resources } = service;
  return {
    SERVICE_AUTH_ISSUER: issuer,
    SERVICE_AUTH_CLIENT_ID: clientId,
    ...(clientSecret !== undefined && { SERVICE_AUTH_CLIENT_SECRET: clientSecret }),
    ...(scopes.length > 0 && { SERVICE_AUTH_SCOPE: scopes.join(' ') }),
    ...(resources.length > 0 && { SERVICE_AUTH_RESOURCE: resources.join(' ') }),
  };
}

/** @throws Error where the issuer answered with what would be lines of its own */
export function environmentLines(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .map(([name, value]) => `${name}=${quoted(value)}`)
    .join('\n');
}

function quoted(value: string): string {
  if (/\p{Cc}/u.test(value)) throw new Error('the issuer answered with control characters');
  return /^[\w.:/@%+=,-]*$/.test(value) ? value : `'${value.replaceAll("'", `'\\''`)}'`;
}
