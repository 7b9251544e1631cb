/** Runs the tests of an example by vitest, with the sources of this package in place of the installed one. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { startVitest } from 'vitest/node';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { compilerOptions } = JSON.parse(readFileSync(`${root}tsconfig.json`, 'utf8'));
const alias = Object.entries<string[]>(compilerOptions.paths).map(([name, [path = '']]) => ({
  find: new RegExp(`^${name}$`),
  replacement: root + path.slice('./'.length),
}));
const example = `${root}examples/${process.argv[2]}`;
await startVitest(
  'test',
  [],
  { root: example, config: false, watch: false },
  { resolve: { alias }, cacheDir: `${root}node_modules/.vite` },
);
