import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** What `explain` prints; all documents would be a third of the package. */
const brought = ['docs/errors.md', 'docs/reasons.md'];

it('the package brings some documents, and nothing of what makes a site of them', () => {
  const output = execFileSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], {
    cwd: fileURLToPath(new URL('../../..', import.meta.url)),
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const [packed]: readonly { readonly files: readonly { readonly path: string }[] }[] = JSON.parse(output);
  const files = packed?.files.map(({ path }) => path).filter((path) => path.startsWith('docs/')) ?? [];
  expect(files.sort()).toEqual(brought);
});
