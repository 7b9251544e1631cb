/** Makes links that work on files work on pages. */
import type { MarkdownRenderer } from 'vitepress';
import { siteLink } from './site-paths.ts';

/** @param root of the project, with which the paths of all documents begin */
export function linkPages(markdown: MarkdownRenderer, root: string): void {
  markdown.core.ruler.push('pages', ({ tokens, env }) => {
    const file = documentOf(env);
    // Texts of titles are parsed alone.
    if (file === undefined) return;
    const document = file.slice(`${root}/`.length);
    for (const token of tokens.flatMap(({ children }) => children ?? [])) {
      const link = token.type === 'link_open' ? token.attrGet('href') : null;
      if (link !== null) token.attrSet('href', siteLink(document, link));
    }
  });
}

/** The file of the page; `path` is where the page itself stands. */
function documentOf(env: { readonly path?: string; readonly realPath?: string }): string | undefined {
  return env.realPath ?? env.path;
}
