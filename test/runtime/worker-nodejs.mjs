/** A Worker with `nodejs_compat`: it has environment variables, files of its own, and what the issuer needs. */
import { writeFile } from 'node:fs/promises';
import { createIssuer } from 'service-auth/issuer';
import { createWorker } from './worker.mjs';

async function writeSecret(text) {
  const path = '/tmp/secret';
  await writeFile(path, text);
  return path;
}

// biome-ignore lint/style/noDefaultExport: that is what a Worker is
export default createWorker({ createIssuer, writeFile: writeSecret });
