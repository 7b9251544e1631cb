/** Builds the site into `docs/.vitepress/dist`: reference, pages of programs, all pages; then checks every link. */
import { fileURLToPath } from 'node:url';
import { build, createServer } from 'vitepress';
import { checkSite } from './check-site.ts';
import { writeReference } from './reference.ts';
import { writeSources } from './sources.ts';

const docs = fileURLToPath(new URL('..', import.meta.url));

await writeReference();
writeSources();
if (process.argv.includes('--dev')) {
  const server = await createServer(docs);
  await server.listen();
  server.printUrls();
} else {
  await build(docs);
  const base = new URL(process.env.DOCS_URL ?? 'http://localhost/').pathname;
  const faults = checkSite(fileURLToPath(new URL('dist', import.meta.url)), base);
  for (const fault of faults) console.error(fault);
  if (faults.length > 0) process.exitCode = 1;
  console.log(`${faults.length} links lead nowhere`);
}
