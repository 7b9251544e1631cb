/** The packed tarball, installed into an empty project as a user would. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let project = '';
let packed = '';

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'service-auth-package-'));
  // Into a folder of its own: the build of the checkout may be in use.
  await run('npx', ['tsup', '--silent', '--out-dir', join(project, 'dist')], { cwd: root });
  const manifest = await readFile(join(root, 'package.json'), 'utf8');
  await writeFile(join(project, 'package.json'), manifest);
  const { stdout } = await run('npm', ['pack', '--silent', '--ignore-scripts'], { cwd: project });
  packed = join(project, stdout.trim());
  const user = join(project, 'user');
  await run('mkdir', [user]);
  await writeFile(join(user, 'package.json'), '{"name":"user","private":true}');
  await run('npm', ['install', '--prefer-offline', '--ignore-scripts', '--omit=dev', packed], { cwd: user });
}, 300_000);
afterAll(() => rm(project, { recursive: true, force: true }));

const inUser = (...args: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, args, { cwd: join(project, 'user') });

const subpaths = [
  'service-auth',
  ...['express', 'hono', 'koa', 'fastify', 'web', 'redis', 'issuer'].map((name) => `service-auth/${name}`),
];

describe('the packed tarball in an empty project', () => {
  it.each(subpaths)('import of %s needs no framework', async (name) => {
    const { stdout } = await inUser(
      '--input-type=module',
      '-e',
      `console.log(Object.keys(await import('${name}')).join())`,
    );
    expect(stdout.trim()).not.toBe('');
  });

  it.each(subpaths)('require of %s', async (name) => {
    const { stdout } = await inUser(
      '--no-warnings',
      '--input-type=commonjs',
      '-e',
      `console.log(typeof require('${name}'))`,
    );
    expect(stdout.trim()).toBe('object');
  });

  it.each([
    ['createVerifier', 'client_credentials'],
    ['createAuthedFetch', 'bad_signature'],
  ])('a bundle of %s alone holds nothing of the other direction', async (name, foreign) => {
    const { outputFiles } = await build({
      stdin: { contents: `export { ${name} } from 'service-auth';`, resolveDir: join(project, 'user') },
      bundle: true,
      write: false,
      format: 'esm',
      platform: 'browser',
      conditions: ['workerd', 'worker'],
      external: ['node:*'],
      tsconfigRaw: '{}',
    });
    const text = outputFiles[0]?.text ?? '';
    expect(text).toContain(`function ${name}(`);
    expect(text).not.toContain(foreign);
  });

  it('runs its command by its own name, as npx does', async () => {
    const { stdout } = await run(join(project, 'user/node_modules/.bin/service-auth'), ['--version']);
    expect(stdout.trim()).toBe(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version);
  });

  it('holds no tests, sources or secrets, and types for every subpath', async () => {
    const folder = join(project, 'user/node_modules/service-auth');
    expect((await readdir(folder)).sort()).toEqual(['dist', 'package.json']);
    const files = await readdir(join(folder, 'dist'));
    for (const name of subpaths) {
      const file = name === 'service-auth' ? 'index' : name.slice('service-auth/'.length);
      expect(files).toContain(`${file}.d.ts`);
    }
  });
});
