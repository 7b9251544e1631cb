import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { documents } from '../../../docs/.vitepress/documents.ts';

it('the package brings the documents, and nothing of what makes a site of them', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [packed]: readonly { readonly files: readonly { readonly path: string }[] }[] = JSON.parse(output);
  const files = packed?.files.map(({ path }) => path).filter((path) => path.startsWith('docs/')) ?? [];
  const written = documents().filter((file) => file.startsWith('docs/') && file !== 'docs/index.md');
  expect(files.filter((file) => !file.startsWith('docs/diagrams/')).sort()).toEqual(written);
});
