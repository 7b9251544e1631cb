/** What is on the site, in the order in which it is read. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { documents } from './documents.ts';
import { entryPoints } from './entry-points.ts';
import { pageOf } from './site-paths.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

interface Item {
  readonly text: string;
  readonly link: string;
}

interface Plan {
  readonly text: string;
  /** Files in this order; with another title where the document's own is too long for a list. */
  readonly files: readonly (readonly [file: string, text?: string])[];
  /** A folder of `docs` whose other pages follow, by name. */
  readonly folder?: string;
}

const plan: readonly Plan[] = [
  {
    text: 'Getting started',
    files: [
      ['README.md', 'Overview'],
      ['docs/start/express.md', 'Express'],
      ['docs/start/fastify.md', 'Fastify'],
      ['docs/start/hono.md', 'Hono'],
      ['docs/start/koa.md', 'Koa'],
      ['docs/nest.md', 'NestJS'],
      ['docs/start/next.md', 'Next route handlers'],
      ['docs/start/bun-deno.md', 'Bun and Deno'],
      ['docs/start/workers.md', 'Cloudflare Workers'],
      ['docs/start/web.md', 'Web-standard handlers'],
      ['docs/start/callers.md', 'Calling with a token'],
      ['docs/runtimes.md', 'Runtimes'],
      ['examples/README.md', 'Examples'],
    ],
    folder: 'start',
  },
  {
    text: 'Concepts',
    files: [
      ['docs/concepts/tokens-and-services.md'],
      ['docs/concepts/verification.md'],
      ['docs/concepts/outcomes.md'],
      ['docs/concepts/token-cache.md', 'The token cache'],
      ['docs/concepts/outages.md'],
      ['docs/concepts/dpop.md', 'Bound tokens'],
      ['docs/concepts/delegation.md'],
      ['docs/concepts/revocation.md'],
    ],
    folder: 'concepts',
  },
  {
    text: 'Protect and call',
    files: [
      ['docs/inbound.md', 'Protect a service'],
      ['docs/outbound.md', 'Call a service'],
      ['docs/outbound-states.md', 'States of a token'],
    ],
  },
  { text: 'Guides', files: [], folder: 'guides' },
  { text: 'Migration', files: [], folder: 'migration' },
  {
    text: 'The issuer',
    files: [
      ['docs/issuer.md', 'Running an issuer'],
      ['docs/cli.md', 'Commands'],
    ],
  },
  {
    text: 'Security',
    files: [
      ['SECURITY.md', 'In short, and reporting'],
      ['docs/security/model.md'],
      ['docs/reasons.md', 'Reasons'],
      ['docs/errors.md', 'Errors and their codes'],
      ['docs/faults.md', 'Faults'],
    ],
    folder: 'security',
  },
  {
    text: 'Operations',
    files: [
      ['docs/operations/production-checklist.md'],
      ['docs/operations/key-rotation.md'],
      ['docs/operations/incident-guide.md'],
      ['docs/redis.md', 'Redis'],
      ['docs/kubernetes.md', 'Kubernetes'],
      ['docs/observability.md', 'Observability'],
      ['docs/gateway.md', 'Gateway'],
    ],
    folder: 'operations',
  },
  {
    text: 'Performance',
    files: [
      ['docs/performance.md', 'Goals and reasons'],
      ['docs/scale.md', 'Scale'],
      ['bench/results/results.md', 'Every table'],
    ],
  },
  { text: 'Testing', files: [['docs/testing.md', 'The testing kit']], folder: 'testing' },
  {
    text: 'Project',
    files: [
      ['CONTRIBUTING.md', 'Contributing'],
      ['CHANGELOG.md', 'Changelog'],
    ],
  },
];

/** @throws Error if a document of `docs` stands nowhere, so that none is forgotten */
export function sidebar(): { readonly text: string; readonly items: Item[] }[] {
  const written = documents().filter((file) => file.startsWith('docs/'));
  const placed = new Set(['docs/index.md']);
  const groups = plan.map(({ text, files, folder }) => {
    for (const [file] of files) placed.add(file);
    const rest = written.filter((file) => folder !== undefined && file.startsWith(`docs/${folder}/`));
    const entries = [...files, ...rest.filter((file) => !placed.has(file)).map((file) => [file] as const)];
    for (const [file] of entries) placed.add(file);
    return {
      text,
      items: entries.map(([file, title]) => ({ text: title ?? titleOf(file), link: linkOf(file) })),
    };
  });
  const forgotten = written.filter((file) => !placed.has(file));
  if (forgotten.length > 0)
    throw new Error(`docs/.vitepress/sidebar.ts has no place for ${forgotten.join(', ')}`);
  const reference = entryPoints.map(({ name }) => ({ text: name, link: `/reference/${name}` }));
  return [...groups, { text: 'Reference', items: reference }].filter(({ items }) => items.length > 0);
}

/** @throws Error if the file has no title, or does not exist */
function titleOf(file: string): string {
  const [, title] = /^# (.+)$/m.exec(readFileSync(join(root, file), 'utf8')) ?? [];
  if (title === undefined) throw new Error(`${file} has no title`);
  return title.replaceAll('`', '');
}

function linkOf(file: string): string {
  const page = pageOf(file);
  if (page === undefined) throw new Error(`${file} is no page`);
  return `/${page.replace(/\.md$/, '')}`;
}
