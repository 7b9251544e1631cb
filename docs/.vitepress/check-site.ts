/** Whether every link, anchor and image of the built site leads somewhere. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, posix } from 'node:path';

/** What a link means is read from the built pages, so that it does not matter what made them. */
export interface Page {
  /** From the root of the site, such as `reference/service-auth.html`. */
  readonly path: string;
  readonly links: readonly string[];
  readonly anchors: ReadonlySet<string>;
}

/** One line for each link that leads nowhere; foreign ones are judged by their form alone. */
export function checkSite(folder: string, base = '/'): readonly string[] {
  const pages = new Map(
    readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .map((name) => name.replaceAll('\\', '/'))
      .filter((name) => name.endsWith('.html'))
      .map((name) => [name, readPage(name, readFileSync(join(folder, name), 'utf8'))] as const),
  );
  if (pages.size === 0) return [`${folder} holds no page`];
  return [...pages.values()].flatMap((page) =>
    [...new Set(page.links)].flatMap((link) => {
      const fault = faultOf(link, page, { pages, folder, base });
      return fault === undefined ? [] : [`${page.path}: ${link} ${fault}`];
    }),
  );
}

interface Site {
  readonly pages: ReadonlyMap<string, Page>;
  readonly folder: string;
  readonly base: string;
}

function faultOf(link: string, page: Page, { pages, folder, base }: Site): string | undefined {
  if (/^(?:data|mailto):/.test(link)) return undefined;
  if (/^[a-z][a-z0-9+.-]*:|^\/\//i.test(link)) return faultOfForeign(link);
  const { path, anchor } = targetOf(link, page.path, base);
  if (path === undefined) return 'leads out of the site';
  const target = pages.get(path);
  if (target === undefined) {
    const isFile = statSync(join(folder, path), { throwIfNoEntry: false })?.isFile() ?? false;
    return isFile ? undefined : 'leads to no page';
  }
  return anchor === '' || target.anchors.has(anchor) ? undefined : 'names no heading';
}

function targetOf(
  link: string,
  from: string,
  base: string,
): { readonly path: string | undefined; readonly anchor: string } {
  const { pathname, hash } = new URL(link, `http://site${posix.join(base, from)}`);
  const anchor = decodeURIComponent(hash.slice(1));
  if (!pathname.startsWith(base)) return { path: undefined, anchor };
  const path = decodeURIComponent(pathname.slice(base.length));
  return { path: path === '' || path.endsWith('/') ? `${path}index.html` : path, anchor };
}

/** Nothing is asked of the network: what is foreign may change, and this must not. */
function faultOfForeign(link: string): string | undefined {
  if (!URL.canParse(link)) return 'is no URL';
  const { protocol, hostname } = new URL(link);
  if (protocol !== 'https:' && hostname !== '127.0.0.1' && hostname !== 'localhost') return 'is not https';
  return /\s/.test(link) ? 'has a space' : undefined;
}

function readPage(path: string, html: string): Page {
  const text = html.replaceAll(/<script\b[\s\S]*?<\/script>/g, '');
  const values = (pattern: RegExp): readonly string[] =>
    [...text.matchAll(pattern)].map(([, value = '']) => value.replaceAll('&amp;', '&'));
  return {
    path,
    links: values(/<(?:a|img|link)\b[^>]*?\s(?:href|src)="([^"]*)"/g),
    anchors: new Set(values(/\sid="([^"]*)"/g)),
  };
}
