/** The `SERVICE_AUTH_*` environment variables as options; what is missing is named by who needs it. */
import { type OptionError, optionError } from './errors.ts';
import { environmentVariable } from './shared/runtime.ts';
import { secretOfFile } from './shared/secret-file.ts';

export type EnvironmentVariable =
  | 'SERVICE_AUTH_ISSUER'
  | 'SERVICE_AUTH_AUDIENCE'
  | 'SERVICE_AUTH_CLIENT_ID'
  | 'SERVICE_AUTH_CLIENT_SECRET'
  | 'SERVICE_AUTH_CLIENT_SECRET_FILE'
  | 'SERVICE_AUTH_SCOPE'
  | 'SERVICE_AUTH_RESOURCE'
  | 'SERVICE_AUTH_TOKEN_AUDIENCE'
  | 'SERVICE_AUTH_TARGETS'
  | 'SERVICE_AUTH_INTROSPECTION_CLIENT_ID'
  | 'SERVICE_AUTH_INTROSPECTION_CLIENT_SECRET';

/** The value of a variable; blank counts as missing. */
export function fromEnvironment(name: EnvironmentVariable): string | undefined {
  return environmentVariable(name)?.trim();
}

/** The values of a variable that holds a list separated by white space. */
export function listFromEnvironment(name: EnvironmentVariable): readonly string[] | undefined {
  return fromEnvironment(name)?.split(/\s+/);
}

/**
 * The client secret: the variable itself, or what is in the file that the other variable names, read at each use
 * (see `secretFile`).
 *
 * @throws TypeError if neither variable is set.
 */
export function secretFromEnvironment(where: string): string | (() => string) {
  const secret = fromEnvironment('SERVICE_AUTH_CLIENT_SECRET');
  if (secret !== undefined) return secret;
  const path = fromEnvironment('SERVICE_AUTH_CLIENT_SECRET_FILE');
  if (path === undefined) throw missing(where, 'clientSecret', 'SERVICE_AUTH_CLIENT_SECRET');
  return secretOfFile(path, `${where}: the file of SERVICE_AUTH_CLIENT_SECRET_FILE (${path})`);
}

/** The mistake of an option that is given neither in code nor in the environment. */
export function missing(where: string, option: string, variable: EnvironmentVariable): OptionError {
  return optionError('option_missing', `${where}: ${option} is required; give it or set ${variable}`);
}
