/** The examples, run as their readers run them; that of jest has a script of its own, which installs jest. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../..', import.meta.url));

/** What the tests of an example print; their failure is one here. */
async function run(args: readonly string[]): Promise<string> {
  // What vitest tells its workers, another runner would take for itself.
  const { PATH, HOME } = process.env;
  const env = { PATH, HOME, NO_COLOR: '1', TSX_TSCONFIG_PATH: `${root}tsconfig.json` };
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', ...args], {
    cwd: root,
    env,
  });
  return stdout;
}

it('vitest', async () => {
  const said = await run(['test/helpers/vitest-example.ts', 'testing/vitest']);
  expect(said).toMatch(/Tests +19 passed \(19\)/);
}, 60_000);

it('node:test', async () => {
  const said = await run(['--test', '--test-reporter=tap', 'examples/testing/node-test/billing.test.ts']);
  expect(said).toContain('# pass 4');
}, 60_000);
