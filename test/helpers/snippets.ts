/** The code in documents and doc comments. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

export interface Snippet {
  /** The document or source, from the project's root. */
  readonly file: string;
  /** The line before the snippet's first, counted from one. */
  readonly line: number;
  /** The first word of the fence, empty where it has none. */
  readonly language: string;
  /** What stands after the language, such as `before`. */
  readonly mark: string;
  /** What a shell fence calls it, such as `app.mjs`: other programs of the document import it by that name. */
  readonly name?: string;
  readonly code: string;
}

/** The languages that are compiled, and the endings of their files. */
export const compiled: Readonly<Record<string, string>> = {
  ts: '.ts',
  typescript: '.ts',
  tsx: '.tsx',
  js: '.mjs',
  mjs: '.mjs',
  javascript: '.mjs',
  jsx: '.jsx',
};

/** README, the documents of `docs` and those of the examples. */
export function documentFiles(): readonly string[] {
  const found = ['docs', 'examples'].flatMap((folder) => filesIn(folder, '.md'));
  // What is made of the doc comments is compiled there.
  return ['README.md', 'CONTRIBUTING.md', 'SECURITY.md', ...found].filter(
    (file) => !/^docs\/(?:node_modules|reference|source|\.vitepress)\//.test(file),
  );
}

export function sourceFiles(): readonly string[] {
  return ['src', 'adapters'].flatMap((folder) => filesIn(folder, '.ts'));
}

function filesIn(folder: string, ending: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(ending) && !name.includes('node_modules'))
    .map((name) => `${folder}/${name.replaceAll('\\', '/')}`)
    .sort();
}

export const readText = (file: string): string => readFileSync(join(root, file), 'utf8');

/** All fences of a document, and the programs that its shell fences write with `cat > name.mjs`. */
export function snippetsOf(file: string, text: string): readonly Snippet[] {
  const fences = [...text.matchAll(/^([ \t]*)(`{3,})([^\n`]*)\n([\s\S]*?)^\1\2[ \t]*$/gm)].map(
    ({ 1: indent = '', 3: info = '', 4: body = '', index }): Snippet => {
      const [language = '', ...marks] = info.trim().split(/\s+/);
      const code = body.replaceAll(new RegExp(`^${indent}`, 'gm'), '');
      return { file, line: lineAt(text, index), language, mark: marks.join(' '), code };
    },
  );
  return fences.flatMap((fence) => [fence, ...programsIn(fence)]);
}

function programsIn({ file, line, language, code }: Snippet): readonly Snippet[] {
  if (language !== 'sh') return [];
  return [...code.matchAll(/cat > (\S+)\.(mjs|js|ts) <<'EOF'\n([\s\S]*?)^EOF$/gm)].map(
    ({ 1: name = '', 2: ending = '', 3: program = '', index }) => ({
      file,
      line: line + lineAt(code, index),
      language: ending,
      mark: '',
      name: `${name}.${ending}`,
      code: program,
    }),
  );
}

/** The fences of a source's doc comments; lines keep their numbers. */
export function commentSnippetsOf(file: string, text: string): readonly Snippet[] {
  return snippetsOf(file, text.replaceAll(/^[ \t]*\* ?/gm, ''));
}

function lineAt(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
