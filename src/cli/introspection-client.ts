import { type IntrospectionOptions, secretFile } from '../index.ts';
import { UsageError } from './errors.ts';
import { variable } from './secret-input.ts';

/**
 * Who introspects: the client that is set for it, else the client itself.
 *
 * @throws UsageError if neither is set
 */
export function introspectionClient(): IntrospectionOptions {
  const found = findIntrospectionClient();
  if (found !== undefined) return found;
  throw new UsageError(
    'introspection needs SERVICE_AUTH_INTROSPECTION_CLIENT_ID and SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET',
  );
}

export function findIntrospectionClient(): IntrospectionOptions | undefined {
  const special = variable('SERVICE_AUTH_INTROSPECTION_CLIENT_ID');
  if (special !== undefined) {
    const secret = variable('SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET');
    return secret === undefined ? undefined : { clientId: special, clientSecret: secret };
  }
  const clientId = variable('SERVICE_AUTH_CLIENT_ID');
  const path = variable('SERVICE_AUTH_CLIENT_SECRET_FILE');
  const clientSecret =
    variable('SERVICE_AUTH_CLIENT_SECRET') ?? (path === undefined ? undefined : secretFile(path));
  return clientId === undefined || clientSecret === undefined ? undefined : { clientId, clientSecret };
}
