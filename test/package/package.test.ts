/** The packed tarball, installed into an empty project as a user would. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
let project = '';
let packed = '';

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'service-auth-package-'));
  // Into a folder of its own: the build of the checkout may be in use.
  await run('npx', ['tsup', '--silent', '--out-dir', join(project, 'dist')], { cwd: root });
  // What the site is made of beside the documents is there too: it must not come along.
  const isInstalled = (path: string): boolean =>
    path.includes('node_modules') || path.includes('/.vitepress/');
  for (const name of ['package.json', 'README.md', 'CHANGELOG.md', 'LICENSE', 'docs']) {
    await cp(join(root, name), join(project, name), {
      recursive: true,
      filter: (path) => !isInstalled(path),
    });
  }
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
  ...['express', 'hono', 'koa', 'fastify', 'web', 'redis', 'issuer', 'testing'].map(
    (name) => `service-auth/${name}`,
  ),
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
    ['createVerifier', 'client_credentials', 47_000],
    ['createAuthedFetch', 'bad_signature', 35_000],
  ])(
    'a bundle of %s alone is small and holds nothing of the other direction',
    async (name, foreign, most) => {
      const { outputFiles } = await build({
        minifyWhitespace: true,
        minifySyntax: true,
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
      expect(gzipSync(text).length).toBeLessThan(most);
    },
  );

  it('is less than 300 kB', async () => {
    expect((await stat(packed)).size).toBeLessThan(300_000);
  });

  it.each(subpaths)('%s has every value that its types promise, and types for every value', async (name) => {
    const file = name === 'service-auth' ? 'index' : name.slice('service-auth/'.length);
    const types = join(project, 'user/node_modules/service-auth/dist', `${file}.d.ts`);
    const program = ts.createProgram([types], { module: ts.ModuleKind.NodeNext, skipLibCheck: true });
    const checker = program.getTypeChecker();
    const source = program.getSourceFile(types);
    const module = source && checker.getSymbolAtLocation(source);
    if (module === undefined) throw new Error(`${types} is no module`);
    const isValue = (symbol: ts.Symbol): boolean => {
      const { flags } = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
      return (flags & ts.SymbolFlags.Value) !== 0;
    };
    const promised = checker.getExportsOfModule(module).filter(isValue);
    const { stdout } = await inUser(
      '--input-type=module',
      '-e',
      `console.log(Object.keys(await import('${name}')).join())`,
    );
    expect(promised.map((symbol) => symbol.name).sort()).toEqual(stdout.trim().split(',').sort());
  });

  it('runs its command by its own name, as npx does', async () => {
    const { stdout } = await run(join(project, 'user/node_modules/.bin/service-auth'), ['--version']);
    expect(stdout.trim()).toBe(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')).version);
  });

  it('holds no tests, sources or secrets, and types for every subpath', async () => {
    const folder = join(project, 'user/node_modules/service-auth');
    const names = ['CHANGELOG.md', 'LICENSE', 'README.md', 'dist', 'docs', 'package.json'];
    expect((await readdir(folder)).sort()).toEqual(names);
    const files = await readdir(join(folder, 'dist'));
    for (const name of subpaths) {
      const file = name === 'service-auth' ? 'index' : name.slice('service-auth/'.length);
      expect(files).toContain(`${file}.d.ts`);
    }
  });
});
