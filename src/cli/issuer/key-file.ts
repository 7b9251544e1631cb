/** The secret key that is made for a data directory where none was configured. */
import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, stat, unlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../shared/http.ts';
import { UsageError } from '../errors.ts';
import type { Journal } from '../journal.ts';

const NAME = 'secret-key';
const OWNER_ONLY = 0o600;

/** Reads the key of the directory; makes it, and says so, where there is nothing yet. */
export async function keyOfDirectory(directory: string, journal: Journal): Promise<Uint8Array> {
  const path = join(directory, NAME);
  const known = await readKey(path, journal);
  if (known !== undefined) return known;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await refuseForeignData(directory, path);
  if (await makeKey(path)) {
    const text = `a secret key was made: ${path}. Keep a copy in a safe place: without it nothing stored can be used.`;
    journal.warn('cli.secret_key_made', { path, message: text }, `IMPORTANT: ${text}`);
  }
  const key = await readKey(path, journal);
  if (key === undefined) throw new Error(`the secret key cannot be read: ${path}`);
  return key;
}

async function readKey(path: string, journal: Journal): Promise<Uint8Array | undefined> {
  try {
    const text = (await readFile(path, 'utf8')).trim();
    if (text.length < 32) throw new UsageError(`the secret key is too short: ${path}`);
    const { mode } = await stat(path);
    if ((mode & 0o077) !== 0 && process.platform !== 'win32') {
      const problem = `other users may read the secret key; let its owner alone: chmod 600 ${path}`;
      journal.warn('cli.secret_key_readable', { path, message: problem }, `WARNING: ${problem}`);
    }
    return new TextEncoder().encode(text);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    if (error instanceof UsageError) throw error;
    throw new UsageError(`the secret key cannot be read: ${path} (${errorCode(error) ?? 'unknown'})`);
  }
}

/** Data without its key was encrypted with another one: to make a new key would hide that it is lost. */
async function refuseForeignData(directory: string, path: string): Promise<void> {
  const entries = await readdir(directory, { withFileTypes: true });
  const isData = entries.some(
    (entry) => entry.isFile() && !entry.name.startsWith('.') && entry.name !== NAME,
  );
  if (!isData) return;
  throw new UsageError(
    `there is data in ${directory}, but no secret key at ${path}; set SERVICE_AUTH_SECRET_KEY, or bring the file back`,
  );
}

/** Whole at once, so that another instance that starts now reads all of it; `false` where that was faster. */
async function makeKey(path: string): Promise<boolean> {
  const draft = join(path, '..', `.${NAME}-${randomBytes(6).toString('hex')}`);
  await writeFile(draft, `${randomBytes(32).toString('base64url')}\n`, { mode: OWNER_ONLY, flag: 'wx' });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await unlink(draft);
  }
}
