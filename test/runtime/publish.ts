/** Where the results of the runtimes are kept, and where they are shown. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { replaceBlock } from '../../bench/markdown.ts';
import { renderChecks, renderMatrix } from './matrix.ts';
import type { Results } from './results.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const file = join(root, 'test/runtime/results.json');

/** The documents that show the results, and what each shows. */
export const shown = [
  ['README.md', renderMatrix],
  ['docs/runtimes.md', renderChecks],
] as const;

export function readResults(): Results {
  return JSON.parse(readFileSync(file, 'utf8'));
}

export function publish(results: Results): void {
  writeFileSync(file, `${JSON.stringify(results, undefined, 2)}\n`);
  for (const [document, render] of shown) {
    const path = join(root, document);
    writeFileSync(path, replaceBlock(readFileSync(path, 'utf8'), 'runtimes', render(results)));
  }
}
