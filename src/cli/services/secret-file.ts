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
  const file = await openSecretFile(path);
  let made: T | undefined;
  try {
    made = await make();
    return made;
  } finally {
    await file.keep(made?.clientSecret);
  }
}

/** A new file that waits for its secret. */
export interface SecretFile {
  readonly path: string;
  /** Writes the secret and closes the file; takes it away where there is none, or it cannot be written. */
  keep(clientSecret: string | undefined): Promise<void>;
}

/** @throws UsageError if the file is there already or cannot be made */
export async function openSecretFile(path: string): Promise<SecretFile> {
  const file = await openNew(path);
  return {
    path,
    async keep(clientSecret) {
      let isKept = false;
      try {
        if (clientSecret === undefined) return;
        await file.writeFile(`${clientSecret}\n`);
        isKept = true;
      } finally {
        await file.close();
        if (!isKept) await unlink(path);
      }
    },
  };
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
