/** Shows which code of a migration is the one to leave: fences whose info is `ts before`. */
import type { MarkdownRenderer } from 'vitepress';
import { isBefore } from './fence.ts';

export function markBefore({ renderer: { rules } }: MarkdownRenderer): void {
  const { fence } = rules;
  if (fence === undefined) return;
  rules.fence = (tokens, at, ...rest) => {
    const html = fence(tokens, at, ...rest);
    return isBefore(tokens[at]?.info ?? '') ? `<div class="before">${html}</div>` : html;
  };
}
