import { type FileHandle, open, unlink } from 'node:fs/promises';
import { errorCode } from '../../shared/http.ts';
import { UsageError } from '../errors.ts';

export const secretFileHelp =
  '  --secret-file <file>      write the secret to a new file of mode 0600, instead of printing it';

/**
 * Makes a new file for a secret before there is one, so that none is made that cannot be kept; takes the file away
 * again where no secret comes of it.
 *
 * @throws UsageError if the file is there already or cannot be made
 */
export async function keepSecret<T extends { readonly clientSecret?: string | undefined }>(
  path: string | undefined,
  make: () => Promise<T>,
): Promise<T> {
  if (path === undefined) return make();
  const file = await openNew(path);
  try {
    const made = await make();
    if (made.clientSecret !== undefined) await file.writeFile(`${made.clientSecret}\n`);
    else await unlink(path);
    return made;
  } catch (error) {
    await unlink(path);
    throw error;
  } finally {
    await file.close();
  }
}

async function openNew(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o600);
  } catch (error) {
    throw new UsageError(
      `a new file for the secret cannot be made: ${path} (${errorCode(error) ?? 'unknown'})`,
    );
  }
}
