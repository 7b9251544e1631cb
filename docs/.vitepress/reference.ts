/** The reference: one page for each entry point, made of the doc comments. */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Application, Converter, ReflectionKind, TSConfigReader } from 'typedoc';
import { entryPoints } from './entry-points.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const referenceFolder = 'docs/reference';

/** @throws Error if a doc comment links to nothing. */
export async function writeReference(): Promise<void> {
  rmSync(join(root, referenceFolder), { recursive: true, force: true });
  const app = await Application.bootstrapWithPlugins(
    {
      tsconfig: join(root, 'docs/.vitepress/tsconfig.reference.json'),
      entryPoints: entryPoints.map(({ file }) => join(root, file)),
      plugin: ['typedoc-plugin-markdown'],
      name: 'service-auth',
      readme: 'none',
      excludePrivate: true,
      excludeInternal: true,
      excludeExternals: true,
      disableSources: true,
      githubPages: false,
      // `npm run types` checks them, and more strictly.
      skipErrorChecking: true,
      logLevel: 'Warn',
      validation: { invalidLink: true, notExported: false, notDocumented: false },
      ...pages,
    },
    [new TSConfigReader()],
  );
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }) => {
    for (const one of project.getChildrenByKind(ReflectionKind.Module)) {
      const entry = entryPoints.find(({ file }) => [`${one.name}.ts`, `${one.name}/index.ts`].includes(file));
      if (entry !== undefined) one.name = entry.name;
    }
  });
  const project = await app.convert();
  if (project === undefined) throw new Error('The reference could not be made: see above.');
  app.validate(project);
  if (app.logger.hasErrors() || app.logger.hasWarnings())
    throw new Error('The reference is not clean: see above.');
  await app.generateOutputs(project);
  if (app.logger.hasErrors()) throw new Error('The reference could not be written: see above.');
  nameHeadings();
}

/** Anchors stand before their headings; as the headings' own names they are on the page once. */
function nameHeadings(): void {
  for (const name of readdirSync(join(root, referenceFolder), { recursive: true, encoding: 'utf8' })) {
    if (!name.endsWith('.md')) continue;
    const path = join(root, referenceFolder, name);
    const text = readFileSync(path, 'utf8');
    writeFileSync(path, text.replaceAll(/^<a id="([^"]+)"><\/a>\n\n(#+ .+)$/gm, '$2 {#$1}'));
  }
}

/** How the pages look; names are those of typedoc-plugin-markdown. */
const pages = {
  outputs: [{ name: 'markdown', path: join(root, referenceFolder) }],
  router: 'module',
  entryFileName: 'index',
  hidePageHeader: true,
  hideBreadcrumbs: true,
  groupOrder: ['Functions', 'Classes', 'Variables', 'Interfaces', 'Type Aliases'],
  useCodeBlocks: true,
  useHTMLAnchors: true,
  expandObjects: false,
  parametersFormat: 'table',
  interfacePropertiesFormat: 'table',
  typeDeclarationFormat: 'table',
  tableColumnSettings: { hideSources: true, hideInherited: true, hideOverrides: true },
};
