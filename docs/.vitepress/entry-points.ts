/** The entry points that the package exports, and the files that they are made of. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (name: string): unknown => JSON.parse(readFileSync(`${root}/${name}`, 'utf8'));

export interface EntryPoint {
  /** What an import says. */
  readonly name: string;
  /** From the project's root. */
  readonly file: string;
}

const { exports } = read('package.json') as { readonly exports: Readonly<Record<string, unknown>> };
const { compilerOptions } = read('tsconfig.json') as {
  readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly string[]>> };
};

export const entryPoints: readonly EntryPoint[] = Object.keys(exports)
  .filter((subpath) => subpath !== './package.json')
  .map((subpath) => {
    const name = `service-auth${subpath.slice(1)}`;
    const [file] = compilerOptions.paths[name] ?? [];
    if (file === undefined) throw new Error(`tsconfig.json has no path for ${name}`);
    return { name, file: file.replace(/^\.\//, '') };
  });
