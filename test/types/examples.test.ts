/** Every example of a doc comment compiles; those of the README and the docs have a test of their own. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

async function sources(): Promise<readonly string[]> {
  const folders = ['src', 'adapters'];
  const lists = await Promise.all(
    folders.map(async (folder) => {
      const names = await readdir(join(root, folder), { recursive: true });
      return names.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name));
    }),
  );
  return lists.flat();
}

/** The `ts` blocks of a text; comment asterisks are taken away. */
function blocks(text: string): readonly string[] {
  return [...text.replaceAll(/^ \* ?/gm, '').matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code);
}

it('examples compile', async () => {
  const files = await sources();
  const examples = new Map<string, string>();
  for (const file of files) {
    const text = await readFile(join(root, file), 'utf8');
    for (const [at, code] of blocks(text).entries()) {
      examples.set(`${file.replaceAll(/[/\\]/g, '-').slice(0, -3)}-${at}.ts`, code);
    }
  }
  expect(examples.size).toBeGreaterThan(12);

  await mkdir(join(root, 'node_modules/.cache'), { recursive: true });
  const folder = await mkdtemp(join(root, 'node_modules/.cache/examples-'));
  try {
    for (const [name, code] of examples) await writeFile(join(folder, name), `${code}\nexport {};\n`);
    const config = {
      extends: join(root, 'tsconfig.json'),
      compilerOptions: { noUnusedLocals: false, noUnusedParameters: false },
      include: ['.'],
    };
    await writeFile(join(folder, 'tsconfig.json'), JSON.stringify({ ...config, exclude: [] }));
    const compiler = join(root, 'node_modules/typescript/bin/tsc');
    const said = await promisify(execFile)(process.execPath, [compiler, '-p', folder]).then(
      ({ stdout }) => stdout,
      ({ stdout }: { stdout: string }) => stdout,
    );
    expect(said).toBe('');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 120_000);
