/** What is too large to be installed for everybody is fetched when an example needs it. */
import { execFile, execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

export const BUN = 'bun@1.4.5';
export const DENO = 'deno@2.9.6';
export const MINIFLARE = 'miniflare@4.20260426.0';

const FETCH_MS = 300_000;
const cache = fileURLToPath(new URL('../../node_modules/.cache/service-auth-examples', import.meta.url));

/** Whether a runtime is here or comes when asked for. Says so loudly if not, and under `CI=true` fails. */
export function hasRuntime(name: string): boolean {
  try {
    execFileSync('npx', ['-y', name, '--version'], { stdio: 'ignore', timeout: FETCH_MS });
    return true;
  } catch {
    return announce(name);
  }
}

/** The Workers runtime with what drives it, installed aside. */
export async function loadMiniflare(): Promise<unknown> {
  const entry = join(cache, 'node_modules/miniflare/dist/src/index.js');
  if (!existsSync(entry)) {
    const flags = ['install', '--silent', '--no-save', '--prefix', cache, MINIFLARE];
    await promisify(execFile)('npm', flags, { timeout: FETCH_MS });
  }
  return import(pathToFileURL(entry).href);
}

/** As `hasRuntime`, for the Workers runtime. */
export async function hasMiniflare(): Promise<boolean> {
  return loadMiniflare().then(
    () => true,
    () => announce(MINIFLARE),
  );
}

function announce(name: string): false {
  if (process.env.CI === 'true')
    throw new Error(`${name} cannot be fetched, and CI must run the examples on it`);
  console.warn(`\n*** ${name} cannot be fetched: NO EXAMPLE OF IT IS RUN ***\n`);
  return false;
}
