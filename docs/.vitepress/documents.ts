/** The documents that the site is made of. */
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { pageOf } from './site-paths.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Folders that are made, not written. */
const made = /(^|\/)(node_modules|\.vitepress|docs\/reference|docs\/source)\//;

/** Their paths from the project's root, sorted. */
export function documents(): readonly string[] {
  const rooms = ['docs', 'examples', 'bench/results'].flatMap((folder) =>
    readdirSync(`${root}/${folder}`, { recursive: true, encoding: 'utf8' }).map(
      (name) => `${folder}/${name.replaceAll('\\', '/')}`,
    ),
  );
  return [...readdirSync(root), ...rooms]
    .filter((file) => !made.test(file) && pageOf(file) !== undefined)
    .sort();
}
