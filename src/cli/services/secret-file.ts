import { open } from 'node:fs/promises';
import { errorCode } from '../../shared/http.ts';
import { UsageError } from '../errors.ts';

export const secretFileHelp =
  '  --secret-file <file>      write the secret to a new file of mode 0600, instead of printing it';

/**
 * Opens a new file for a secret before there is one, so that none is made that cannot be kept; gives what writes it.
 *
 * @throws UsageError if the file is there already or cannot be made
 */
export async function keepSecret(path: string): Promise<(secret: string) => Promise<void>> {
  try {
    const file = await open(path, 'wx', 0o600);
    return async (secret) => {
      await file.writeFile(`${secret}\n`);
      await file.close();
    };
  } catch (error) {
    throw new UsageError(
      `--secret-file: no new file can be made: ${path} (${errorCode(error) ?? 'unknown'})`,
    );
  }
}
