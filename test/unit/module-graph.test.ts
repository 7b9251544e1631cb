import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const index = fileURLToPath(new URL('../../src/index.ts', import.meta.url));

/** What a module imports or exports from, type-only statements aside, which leave no trace at run time. */
function specifiersOf(source: string): readonly string[] {
  const statements = source.matchAll(
    /^(?:import|export)\s+(?!type\b)[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm,
  );
  return [...statements].map(([, from, bare]) => from ?? bare ?? '');
}

/** Every module that the entry loads, and every package that they name. */
async function graphOf(
  entry: string,
): Promise<{ modules: ReadonlySet<string>; packages: ReadonlySet<string> }> {
  const modules = new Set([entry]);
  const packages = new Set<string>();
  for (const module of modules) {
    for (const specifier of specifiersOf(await readFile(module, 'utf8'))) {
      if (specifier.startsWith('.')) modules.add(fileURLToPath(new URL(specifier, `file://${module}`)));
      else packages.add(specifier);
    }
  }
  return { modules, packages };
}

it('imports nothing of Node in the graph of the main entry', async () => {
  const { modules, packages } = await graphOf(index);
  expect(modules.size).toBeGreaterThan(30);
  expect([...packages]).toEqual(['lru-cache']);
});

it('would see an import of Node', () => {
  const source = `import { a } from './a.ts';\nimport {\n  b,\n} from 'node:fs';\nimport type { C } from 'node:http';\nimport 'd';\nexport { e } from 'e';\n`;
  expect(specifiersOf(source)).toEqual(['./a.ts', 'node:fs', 'd', 'e']);
});
