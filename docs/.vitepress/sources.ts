/** Pages for the programs and configurations that documents link to. */
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { documents } from './documents.ts';
import { sourceOf, sourcePageOf } from './site-paths.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const languages: Readonly<Record<string, string>> = { '.conf': 'nginx', '.yml': 'yaml', '.mjs': 'js' };

/** @throws Error if a document links to a file that does not exist */
export function writeSources(): void {
  rmSync(join(root, 'docs/source'), { recursive: true, force: true });
  for (const document of documents()) {
    const text = readFileSync(join(root, document), 'utf8');
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      const source = isImage(link) ? undefined : sourceOf(document, link);
      if (source !== undefined) writeSource(document, source);
    }
  }
}

function writeSource(document: string, source: string): void {
  const path = join(root, source);
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw new Error(`${document} links to ${source}, which does not exist`);
  const page = join(root, 'docs', sourcePageOf(source));
  mkdirSync(dirname(page), { recursive: true });
  const body = stats.isDirectory() ? listOf(path) : fenceOf(path);
  writeFileSync(page, `---\neditLink: false\nsearch: false\n---\n\n# ${source}\n\n${body}\n`);
}

function listOf(path: string): string {
  return readdirSync(path)
    .map((name) => `- \`${name}\``)
    .join('\n');
}

function fenceOf(path: string): string {
  const extension = extname(path);
  const language = languages[extension] ?? extension.slice(1);
  return `\`\`\`\`\`${language}\n${readFileSync(path, 'utf8').trimEnd()}\n\`\`\`\`\``;
}

function isImage(link: string): boolean {
  return /\.(svg|png)$/.test(link);
}
