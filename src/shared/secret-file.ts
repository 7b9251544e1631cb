/** Secrets in files that are replaced while the service runs. */
import { ServiceAuthError } from '../errors.ts';
import { errorCode } from './http.ts';
import { OptionChecker } from './options.ts';
import { readTextFile } from './runtime.ts';

/**
 * Gives the secret that is in a file, without white space around it. The file is read at each use, so that a rotated
 * secret needs no restart; while it is empty or cannot be read, the last secret that was in it is used.
 *
 * Not checked: whether the file exists, until it is read; and who else may read it.
 *
 * @throws TypeError if the path is no text. When used: `client_auth_failed` if there never was a secret in the file,
 * or the runtime has no files.
 *
 * @example
 * ```ts
 * import { createTokenClient, secretFile } from 'service-auth';
 *
 * export const connect = () =>
 *   createTokenClient({
 *     issuer: 'https://idp.example',
 *     clientId: 'billing',
 *     clientSecret: secretFile('/run/secrets/billing'),
 *   });
 * ```
 */
export function secretFile(path: string): () => string {
  new OptionChecker('secretFile').path('path', path);
  return secretOfFile(path, `secretFile: ${path}`);
}

/** As `secretFile`, under the name by which messages call the file. */
export function secretOfFile(path: string, name: string): () => string {
  let last = '';
  return () => {
    const { text, problem } = readLocalFile(path);
    // Blank: somebody is just writing it.
    last = text?.trim() || last;
    if (last !== '') return last;
    const reason = problem === undefined ? 'holds no secret' : `could not be read (${problem})`;
    throw new ServiceAuthError('client_auth_failed', `${name} ${reason}`);
  };
}

/** What a file holds, or in few words why that is unknown. */
export interface LocalFile {
  readonly text?: string;
  readonly problem?: string;
}

/** Reads a small file; never throws. */
export function readLocalFile(path: string): LocalFile {
  try {
    const text = readTextFile(path);
    return text === undefined ? { problem: 'this runtime has no files' } : { text };
  } catch (error) {
    return { problem: errorCode(error) ?? 'unknown' };
  }
}
