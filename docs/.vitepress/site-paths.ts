/** Where the files of the project stand on the site. */
import { posix } from 'node:path';

/** Documents outside of `docs` that are pages, too. */
const named: Readonly<Record<string, string>> = {
  'README.md': 'readme.md',
  'CHANGELOG.md': 'changelog.md',
  'CONTRIBUTING.md': 'contributing.md',
  'SECURITY.md': 'security.md',
  'bench/results/results.md': 'results.md',
};

/** The path of a page, by that of its file from the project's root; undefined for files that are no pages. */
export function pageOf(file: string): string | undefined {
  if (!file.endsWith('.md')) return undefined;
  const name = named[file];
  if (name !== undefined) return name;
  if (file.startsWith('docs/')) return file.slice('docs/'.length);
  return file.startsWith('examples/') ? file.replace(/README\.md$/, 'index.md') : undefined;
}

/** The page that shows a file which is none itself: a program, a configuration, a folder. */
export function sourcePageOf(file: string): string {
  // Brackets would make a page of it that has parameters.
  return `source/${file.replaceAll(/[[\]]/g, '_')}.md`;
}

/** A link of a document as the site has it; what leads out of the project stays as it is. */
export function siteLink(document: string, link: string): string {
  if (isForeign(link)) return link;
  const [, anchor] = link.split('#', 2);
  const file = fileOf(document, link);
  const page = pageOf(file) ?? sourcePageOf(file);
  return `/${page}${anchor === undefined ? '' : `#${anchor}`}`;
}

/** The file that a link needs a page of its own for. */
export function sourceOf(document: string, link: string): string | undefined {
  if (isForeign(link)) return undefined;
  const file = fileOf(document, link);
  return file.endsWith('.md') ? undefined : file;
}

function fileOf(document: string, link: string): string {
  const [path = ''] = link.split('#', 1);
  return posix.join(posix.dirname(document), decodeURIComponent(path)).replace(/\/$/, '');
}

function isForeign(link: string): boolean {
  return link.startsWith('#') || link.startsWith('/') || /^[a-z][a-z0-9+.-]*:/i.test(link);
}
