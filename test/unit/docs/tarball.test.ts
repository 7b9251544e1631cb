import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

/** What `explain` prints, and the reference of what most users have; all of them would be a third of the package. */
const brought = ['cli', 'errors', 'inbound', 'outbound', 'reasons'].map((name) => `docs/${name}.md`);

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
