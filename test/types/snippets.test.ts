/** All code of the documents and doc comments compiles against the package as it is built. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'tsup';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import config from '../../tsup.config.ts';
import {
  commentSnippetsOf,
  compiled,
  documentFiles,
  readText,
  type Snippet,
  snippetsOf,
  sourceFiles,
} from '../helpers/snippets.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const documents = documentFiles();
const sources = sourceFiles();
const fences = [
  ...documents.flatMap((file) => snippetsOf(file, readText(file))),
  ...sources.flatMap((file) => commentSnippetsOf(file, readText(file))),
];
const isCompiled = ({ language }: Snippet): boolean => Object.hasOwn(compiled, language);
const isBefore = ({ mark }: Snippet): boolean => mark === 'before';
const placeOf = ({ file, line }: Snippet): string => `${file}:${line}`;

/** What may stand in a fence and is no program of ours. */
const others = [
  '',
  'sh',
  'json',
  'yaml',
  'http',
  'nginx',
  'dockerfile',
  'diff',
  'ini',
  'promql',
  'sql',
  'toml',
];

/** Programs of one document stand in one folder, under the names by which they import each other. */
const pathOf = ({ file, language, name }: Snippet, at: number): string =>
  name === undefined
    ? join(root, 'test/types', `snippet-${at}${compiled[language]}`)
    : join(root, 'test/types', `of-${file.replaceAll(/\W/g, '-')}`, name);

const programs = fences.filter((fence) => isCompiled(fence) && !isBefore(fence));
const program = new Map(programs.map((fence, at) => [pathOf(fence, at), fence]));

let surface = '';

// Below node_modules the declarations find the packages that they name.
beforeAll(async () => {
  await mkdir(join(root, 'node_modules/.cache'), { recursive: true });
  surface = await mkdtemp(join(root, 'node_modules/.cache/surface-'));
  if (typeof config === 'function' || Array.isArray(config) || typeof config.dts !== 'object') {
    throw new Error('tsup.config.ts is no longer one object');
  }
  const dts = { ...config.dts, only: true };
  await build({ ...config, config: false, silent: true, outDir: surface, dts });
}, 300_000);
afterAll(() => rm(surface, { recursive: true, force: true }));

/** Where imports of the package lead: the declarations that its `exports` name. */
function builtPaths(): Record<string, string[]> {
  const { exports }: { exports: Record<string, { types?: string }> } = JSON.parse(readText('package.json'));
  return Object.fromEntries(
    Object.entries(exports).flatMap(([subpath, { types }]) =>
      types === undefined
        ? []
        : [[`service-auth${subpath.slice(1)}`, [join(surface, types.replace('./dist/', ''))]]],
    ),
  );
}

/** One program of all snippets, each a module of its own that exists in memory alone. */
function compile(): readonly ts.Diagnostic[] {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile);
  const { options: usual } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [] },
    ts.sys,
    root,
  );
  const options: ts.CompilerOptions = {
    ...usual,
    paths: builtPaths(),
    allowJs: true,
    checkJs: true,
    jsx: ts.JsxEmit.Preserve,
    moduleDetection: ts.ModuleDetectionKind.Force,
    // Snippets show how a thing is made; what becomes of it is the reader's.
    noUnusedLocals: false,
    noUnusedParameters: false,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  const folders = new Set([...program.keys()].map((name) => dirname(name)));
  const directoryExists = host.directoryExists ?? (() => true);
  host.directoryExists = (name) => folders.has(name) || directoryExists(name);
  host.fileExists = (name) => program.has(name) || fileExists(name);
  host.readFile = (name) => program.get(name)?.code ?? readFile(name);
  host.getSourceFile = (name, language) => {
    const snippet = program.get(name);
    return snippet === undefined
      ? getSourceFile(name, language)
      : ts.createSourceFile(name, snippet.code, language, true);
  };
  const built = ts.createProgram({ rootNames: [...program.keys()], options, host });
  const files = [...program.keys()].map((name) => built.getSourceFile(name));
  return [
    ...built.getGlobalDiagnostics(),
    ...files.flatMap((file) => [
      ...built.getSyntacticDiagnostics(file),
      ...built.getSemanticDiagnostics(file),
    ]),
  ];
}

/** A complaint with its place in the document. */
function describeDiagnostic({ file, start = 0, messageText }: ts.Diagnostic): string {
  const snippet = file && program.get(file.fileName);
  const line = file === undefined ? 0 : file.getLineAndCharacterOfPosition(start).line + 1;
  const place = snippet === undefined ? file?.fileName : `${snippet.file}:${snippet.line + line}`;
  return `${place}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
}

it('all of it compiles', () => {
  expect(program.size).toBeGreaterThan(90);
  // Of two programs of one name in a document, one would not be looked at.
  expect(program.size).toBe(programs.length);
  expect(compile().map(describeDiagnostic)).toEqual([]);
}, 120_000);

it('every fence is of a language that is known here', () => {
  const unknown = fences.filter((fence) => !isCompiled(fence) && !others.includes(fence.language));
  expect(unknown.map((fence) => `${placeOf(fence)}: ${fence.language}`)).toEqual([]);
});

it('no program hides in a fence without a language', () => {
  const hidden = fences.filter(
    ({ language, code }) => language === '' && /^(?:import .* from |(?:export )?const \w+ = )/m.test(code),
  );
  expect(hidden.map(placeOf)).toEqual([]);
});

it('JSON is JSON', () => {
  const isJson = (text: string): boolean => {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  };
  const broken = fences.filter(({ language, code }) => language === 'json' && !isJson(code));
  expect(broken.map(placeOf)).toEqual([]);
});

it.each(sources.filter((file) => readText(file).includes('@example')))('examples of %s are code', (file) => {
  const comments = readText(file).replaceAll(/^[ \t]*\* ?/gm, '');
  const bare = [...comments.matchAll(/^@example(.*)\n(.*)/gm)].filter(
    ([, , next = '']) => !next.startsWith('```ts'),
  );
  expect(bare).toEqual([]);
});

describe('code of other libraries, which a migration leaves', () => {
  const before = fences.filter((fence) => isCompiled(fence) && isBefore(fence));

  it('is marked by `before`, the only mark that there is', () => {
    const marked = fences.filter((fence) => isCompiled(fence) && fence.mark !== '' && !isBefore(fence));
    expect(marked.map((fence) => `${placeOf(fence)}: ${fence.mark}`)).toEqual([]);
  });

  it('stands in documents of migrations alone, and uses nothing of this package', () => {
    const misplaced = before.filter(
      ({ file, code }) => !/migrat|^examples\//.test(file) || /['"]service-auth(?:\/[\w-]+)?['"]/.test(code),
    );
    expect(misplaced.map(placeOf)).toEqual([]);
  });

  it('is free of mistakes in its syntax', () => {
    const mistakes = before.flatMap((fence) => {
      const { diagnostics = [] } = ts.transpileModule(fence.code, {
        fileName: `before${compiled[fence.language]}`,
        reportDiagnostics: true,
        compilerOptions: { target: ts.ScriptTarget.ES2023, experimentalDecorators: true, allowJs: true },
      });
      return diagnostics.map(
        ({ messageText }) => `${placeOf(fence)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
      );
    });
    expect(mistakes).toEqual([]);
  });
});
