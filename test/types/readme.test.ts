/** What the documents say in code compiles, what they say of options is complete, and their links lead somewhere. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = [
  'README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

interface Snippet {
  readonly document: string;
  /** The line of the document before the snippet's first. */
  readonly line: number;
  readonly code: string;
}

/** The `ts` fences, and the programs that shell fences write with `cat > name.mjs`. */
function snippetsOf(document: string): readonly Snippet[] {
  const text = read(document);
  const patterns = [
    /^```ts\n([\s\S]*?)^```$/gm,
    /^(?:mkdir -p \S+ && )?cat > \S+\.mjs <<'EOF'\n([\s\S]*?)^EOF$/gm,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(pattern)].map(({ 1: code = '', index }) => ({
      document,
      line: text.slice(0, index).split('\n').length,
      code,
    })),
  );
}

const snippets = new Map(
  documents
    .flatMap(snippetsOf)
    .map((snippet, at) => [join(root, 'test/types', `snippet-${at}.ts`).replaceAll('\\', '/'), snippet]),
);

/** One program of all snippets, each a module of its own that exists in memory alone. */
function createProgram(): ts.Program {
  const file = join(root, 'tsconfig.json');
  const { config } = ts.readConfigFile(file, ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent({ ...config, include: [], files: [] }, ts.sys, root);
  const host = ts.createCompilerHost({ ...options, configFilePath: file });
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (name) => snippets.has(name) || fileExists(name);
  host.readFile = (name) => snippets.get(name)?.code ?? readFile(name);
  host.getSourceFile = (name, language) => {
    const snippet = snippets.get(name);
    return snippet === undefined
      ? getSourceFile(name, language)
      : ts.createSourceFile(name, snippet.code, language, true);
  };
  return ts.createProgram({
    rootNames: [...snippets.keys(), join(root, 'src/index.ts'), join(root, 'src/issuer/index.ts')],
    options: {
      ...options,
      moduleDetection: ts.ModuleDetectionKind.Force,
      // Snippets show how a thing is made; what becomes of it is the reader's.
      noUnusedLocals: false,
      noUnusedParameters: false,
    },
    host,
  });
}

const program = createProgram();

/** A complaint with its place in the document. */
function describeDiagnostic({ file, start = 0, messageText }: ts.Diagnostic): string {
  const snippet = file && snippets.get(file.fileName);
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
  const place = snippet === undefined ? file?.fileName : `${snippet.document}:${snippet.line + line}`;
  return `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
}

it('every snippet compiles', () => {
  expect(snippets.size).toBeGreaterThan(25);
  const diagnostics = program
    .getRootFileNames()
    .map((name) => program.getSourceFile(name))
    .flatMap((file) => [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]);
  expect([...program.getGlobalDiagnostics(), ...diagnostics].map(describeDiagnostic)).toEqual([]);
}, 120_000);

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

/** What a heading is called in links. */
function anchorsOf(document: string): readonly string[] {
  return [...read(document).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\w\s-]/g, '')
      .replaceAll(' ', '-'),
  );
}

function leadsSomewhere(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : join(dirname(document), path);
  if (!existsSync(join(root, target))) return false;
  return anchor === undefined || anchorsOf(target).includes(anchor);
}

it.each([...documents, 'CONTRIBUTING.md', 'CHANGELOG.md', 'SECURITY.md'])(
  'links of %s lead somewhere',
  (document) => {
    const links = [...read(document).matchAll(/\]\(([^)]+)\)/g)].map(([, link = '']) => link);
    const broken = links.filter((link) => !link.includes('://') && !leadsSomewhere(document, link));
    expect(broken).toEqual([]);
  },
);
