/** Every name that an entry point exports is used by the type tests, as a user would import it. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);

/** The source of each entry point, by the path of the configuration that stands for it. */
const sources = new Map(
  Object.entries(options.paths ?? {})
    .filter(([subpath]) => /^service-auth(\/[a-z]+)?$/.test(subpath))
    .map(([subpath, [file = '']]) => [subpath, join(root, file)]),
);
const { exports }: { exports: object } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const program = ts.createProgram([...sources.values()], options);
const checker = program.getTypeChecker();

function exportsOf(file: string): readonly string[] {
  const source = program.getSourceFile(file);
  const symbol = source && checker.getSymbolAtLocation(source);
  if (symbol === undefined) throw new Error(`${file} is no module`);
  return checker.getExportsOfModule(symbol).map(({ name }) => name);
}

/** What the type tests import, as `subpath name`. */
const used = new Set(
  readdirSync(import.meta.dirname)
    .filter((name) => name.endsWith('.types.ts'))
    .flatMap((name) => importsOf(join(import.meta.dirname, name))),
);

function importsOf(file: string): readonly string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements.filter(ts.isImportDeclaration).flatMap(({ moduleSpecifier, importClause }) => {
    if (!ts.isStringLiteral(moduleSpecifier) || importClause === undefined) return [];
    const bindings = importClause.namedBindings;
    const named = bindings !== undefined && ts.isNamedImports(bindings) ? bindings.elements : [];
    const names = named.map(({ name, propertyName }) => (propertyName ?? name).text);
    if (importClause.name !== undefined) names.push('default');
    return names.map((name) => `${moduleSpecifier.text} ${name}`);
  });
}

it('knows every entry point', () => {
  const subpaths = Object.keys(exports).filter((name) => name !== './package.json');
  expect([...sources.keys()].sort()).toEqual(subpaths.map((name) => `service-auth${name.slice(1)}`).sort());
});

describe.each([...sources])('%s', (subpath, file) => {
  it('exports nothing that no type test uses', () => {
    expect(exportsOf(file).filter((name) => !used.has(`${subpath} ${name}`))).toEqual([]);
  });
});
