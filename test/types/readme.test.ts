/** What the documents say of options, events and errors is complete, and their links lead somewhere. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { slugify } from '../../docs/.vitepress/slug.ts';
import { documentFiles } from '../helpers/snippets.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = documentFiles();
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The sources whose types the tables of options are compared with. */
function createProgram(): ts.Program {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const modules = ['src/index.ts', 'src/issuer/index.ts', 'adapters/testing.ts'];
  return ts.createProgram(
    modules.map((module) => join(root, module)),
    options,
  );
}

const program = createProgram();

/** The type that a module exports under a name. */
function exportedType(module: string, name: string): ts.Type {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(root, module).replaceAll('\\', '/'));
  const symbol = source && checker.getSymbolAtLocation(source);
  const found = symbol && checker.getExportsOfModule(symbol).find((one) => one.name === name);
  if (found === undefined) throw new Error(`${module} exports no ${name}`);
  const aliased = found.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(found) : found;
  return checker.getDeclaredTypeOfSymbol(aliased);
}

/** The first cells of the tables of one section. */
function rowsOf(document: string, section: string): readonly string[] {
  const [, rest] = read(document).split(new RegExp(`^#+ ${section}$`, 'm'));
  if (rest === undefined) throw new Error(`${document} has no section ${section}`);
  const [text = ''] = rest.split(/^#+ /m);
  return [...text.matchAll(/^\| `([\w.]+)` \|/gm)].map(([, name = '']) => name);
}

describe.each([
  ['docs/inbound.md', 'Verifier options', 'src/index.ts', 'VerifierOptions'],
  ['docs/inbound.md', 'Issuers', 'src/index.ts', 'TrustedIssuer'],
  ['docs/inbound.md', 'Policy', 'src/index.ts', 'Policy'],
  ['docs/inbound.md', 'Introspection', 'src/index.ts', 'IntrospectionOptions'],
  ['docs/inbound.md', 'DPoP', 'src/index.ts', 'DpopOptions'],
  ['docs/inbound.md', 'Protected resource metadata', 'src/index.ts', 'ProtectedResourceOptions'],
  ['docs/outbound.md', 'Options', 'src/index.ts', 'AuthedFetchOptions'],
  ['docs/outbound.md', 'Targets', 'src/index.ts', 'Target'],
  ['docs/issuer.md', 'In code', 'src/issuer/index.ts', 'ServeIssuerOptions'],
  ['docs/testing.md', 'Options', 'adapters/testing.ts', 'TestIssuerOptions'],
  ['docs/testing.md', 'Tokens', 'adapters/testing.ts', 'MintOptions'],
] as const)('%s, %s', (document, section, module, type) => {
  it(`has every option of ${type}, and no other`, () => {
    const options = exportedType(module, type)
      .getProperties()
      .map(({ name }) => name);
    expect(options.length).toBeGreaterThan(2);
    // `refresh.aheadSeconds` and the like belong to the option before the dot.
    const documented = new Set(rowsOf(document, section).map((name) => name.split('.', 1)[0]));
    expect([...documented].sort()).toEqual(options.sort());
  });
});

it('every event is documented once, and no other', () => {
  const source = read('src/events.ts');
  const events = [...source.matchAll(/type: '([\w.]+)'/g)].map(([, name = '']) => name);
  const documented = ['inbound', 'outbound', 'issuer'].flatMap((name) => rowsOf(`docs/${name}.md`, 'Events'));
  expect(documented.sort()).toEqual(events.sort());
});

it('every error code is documented once, and no other', () => {
  const [, body = ''] = read('src/errors.ts').split('export type ServiceAuthErrorCode =');
  const codes = [...(body.split(';\n', 1)[0] ?? '').matchAll(/\| '(\w+)'/g)].map(([, code = '']) => code);
  expect(rowsOf('docs/outbound.md', 'Errors').slice().sort()).toEqual(codes.sort());
});

/** What its headings are called in links. */
function anchorsOf(document: string): readonly string[] {
  return [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) => slugify(title));
}

function leadsSomewhere(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : join(dirname(document), decodeURIComponent(path));
  if (!existsSync(join(root, target))) return false;
  return anchor === undefined || anchorsOf(target).includes(anchor);
}

it.each([...documents, 'CHANGELOG.md'])('links of %s lead somewhere', (document) => {
  const links = [...read(document).matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
  const broken = links.filter((link) => !link.includes('://') && !leadsSomewhere(document, link));
  expect(broken).toEqual([]);
});
