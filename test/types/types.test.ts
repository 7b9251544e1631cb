import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What the compiler says; nothing if it is content. */
async function compile(project: string): Promise<string> {
  const compiler = `${root}node_modules/typescript/bin/tsc`;
  const run = promisify(execFile)(process.execPath, [compiler, '-p', `${root}test/types/${project}`]);
  return run.then(
    ({ stdout }) => stdout,
    (error: { stdout: string }) => error.stdout,
  );
}

it('gives users the types that they rely on, and refuses their mistakes', async () => {
  expect(await compile('tsconfig.json')).toBe('');
}, 120_000);

it('compiles the core without the types of any runtime', async () => {
  expect(await compile('tsconfig.core.json')).toBe('');
}, 120_000);
