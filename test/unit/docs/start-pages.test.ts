/** What the pages of "Getting started" have their readers paste: the same on each, and their tests pass. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { entryPoints } from '../../../docs/.vitepress/entry-points.ts';
import { documentFiles, readText, type Snippet, snippetsOf } from '../../helpers/snippets.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const pages = documentFiles().filter((file) => file.startsWith('docs/start/'));
const snippets = (page: string): readonly Snippet[] => snippetsOf(page, readText(page));
let folder = '';

/** A package of the name, made of the sources: the checkout may not be built. */
async function installSources(modules: string): Promise<void> {
  const home = join(modules, 'service-auth');
  await mkdir(home, { recursive: true });
  const exports: Record<string, string> = {};
  for (const [at, { name, file }] of entryPoints.entries()) {
    const source = JSON.stringify(join(root, file));
    const isDefault = /^export default |export \{[^}]*\bdefault\b/m.test(readText(file));
    const names = isDefault ? ['*', '{ default }'] : ['*'];
    await writeFile(join(home, `${at}.mjs`), names.map((one) => `export ${one} from ${source};\n`).join(''));
    exports[name.replace('service-auth', '.')] = `./${at}.mjs`;
  }
  await writeFile(join(home, 'package.json'), JSON.stringify({ name: 'service-auth', exports }));
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'service-auth-start-'));
  const modules = join(folder, 'node_modules');
  await installSources(modules);
  for (const name of ['express', 'fastify', 'hono', 'koa', 'supertest']) {
    await symlink(join(root, 'node_modules', name), join(modules, name));
  }
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('there is a page for every framework without one of its own', () => {
  const names = pages.map((page) => page.replace(/^docs\/start\/|\.md$/g, ''));
  const adapters = ['express', 'fastify', 'hono', 'koa', 'web'];
  expect(names.sort()).toEqual([...adapters, 'bun-deno', 'callers', 'next', 'workers'].sort());
});

describe.each(pages)('%s', (page) => {
  it('shows one issuer, one service, one call', () => {
    const text = snippets(page)
      .filter(({ language }) => language === 'sh')
      .map(({ code }) => code)
      .join('');
    expect(text).toMatch(/service-auth issuer --memory --port 4000/);
    expect(text).toMatch(/3000/);
    expect(text).toMatch(/services create --name Billing .*\\\n {2}--resource https:\/\/orders\.example/);
    expect(text).toMatch(/^set -a && \. \.\/billing\.env && set \+a$/m);
  });

  it('has tests that pass', async () => {
    const home = join(folder, page.replaceAll(/\W/g, '-'));
    await mkdir(home);
    await writeFile(join(home, 'package.json'), '{"type":"module"}');
    const programs = snippets(page).flatMap(({ name, code }) => (name === undefined ? [] : [{ name, code }]));
    for (const { name, code } of programs) {
      await mkdir(dirname(join(home, name)), { recursive: true });
      await writeFile(join(home, name), code);
    }
    const tests = programs.map(({ name }) => name).filter((name) => /\.test\.m?js$/.test(name));
    expect(tests).toHaveLength(1);
    const { PATH, HOME } = process.env;
    const env = { PATH, HOME, NO_COLOR: '1' };
    const loader = import.meta.resolve('tsx');
    const args = ['--import', loader, '--test', '--test-reporter=tap', ...tests];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: home, env });
    expect(stdout).toMatch(/^# pass [1-9]/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  }, 60_000);
});
