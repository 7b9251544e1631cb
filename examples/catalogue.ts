/** Every example that `npm run example <name>` runs. */
import { fileURLToPath } from 'node:url';
import type { Example } from './kit/example.ts';
import { node } from './kit/programs.ts';
import { BUN, DENO, hasRuntime, MINIFLARE } from './kit/runtimes.ts';
import { runService } from './kit/service-check.ts';
import type { Stage } from './kit/stage.ts';

type Run = (stage: Stage) => Promise<void>;

/** A protected service that Node runs. */
function service(framework: string, file: string, openPath = '/health'): Example {
  const start = (stage: Stage) => (environment: Record<string, string>) =>
    stage.start(node(file), environment);
  return {
    shows: `A protected service on ${framework}`,
    file,
    serves: true,
    run: (stage) => runService(stage, { start: start(stage), openPath }),
  };
}

/** The same by another runtime. */
function foreign(runtime: string, name: string, flags: readonly string[], file: string): Example {
  const path = fileURLToPath(new URL(file, import.meta.url));
  return {
    shows: `A protected service on ${runtime}`,
    file,
    needs: `\`${name}\`, which npx fetches`,
    serves: true,
    async run(stage) {
      if (!hasRuntime(name)) throw new Error(`${name} is needed`);
      const command = ['npx', '-y', name, ...flags, path];
      await runService(stage, { start: (env) => stage.start(command, env), openPath: '/health' });
    },
  };
}

/** Loaded when it is run, since not everything that an example needs is everywhere. */
function program(shows: string, file: string, load: () => Promise<{ run: Run }>, more = {}): Example {
  return { shows, file, run: async (stage) => (await load()).run(stage), ...more };
}

/** What users of another system write today, and what they write then. */
function migration(system: string, letter: string): Example {
  const load = async (): Promise<{ run: Run }> => import(`./seeds/${letter}/run.ts`);
  return program(`Moving over from ${system}`, `seeds/${letter}/README.md`, load);
}

export const catalogue: Readonly<Record<string, Example>> = {
  express: service('Express', 'express/main.ts'),
  hono: service('Hono', 'hono/main.ts'),
  fastify: service('Fastify', 'fastify/main.ts'),
  koa: service('Koa', 'koa/main.ts'),
  nest: service('NestJS', 'nest/main.ts', '/ready'),
  next: {
    shows: 'A route handler of Next, called as Next calls it',
    file: 'next/app/orders/[id]/route.ts',
    serves: true,
    run: (stage) =>
      runService(stage, { start: (env) => stage.start(node('next/server.ts'), env), path: '/orders/7' }),
  },
  bun: foreign('Bun', BUN, [], 'bun/main.ts'),
  deno: foreign('Deno', DENO, ['run', '-A'], 'deno/main.ts'),
  workers: program(
    'A Cloudflare Worker with a cron trigger',
    'workers/worker.ts',
    () => import('./workers/run.ts'),
    { needs: `\`${MINIFLARE}\`, which npm fetches`, serves: true },
  ),
  bullmq: program(
    'A worker of a queue that calls a protected service for each job',
    'bullmq/worker.ts',
    () => import('./bullmq/run.ts'),
    { needs: '`redis-server`, or `REDIS_URL`' },
  ),
  gateway: program(
    'Services in any language behind nginx, Traefik or Envoy, by one policy file',
    'gateway/policy.json',
    () => import('./gateway/run.ts'),
  ),
  kubernetes: program(
    'A caller without a secret: the token that Kubernetes projects into its pod',
    'kubernetes/services/billing.ts',
    () => import('./kubernetes/run.ts'),
  ),
  observability: program(
    'Metrics for Prometheus, a dashboard and alerts',
    'observability/telemetry.ts',
    () => import('./observability/run.ts'),
    { serves: true },
  ),
  chain: program(
    'Three services that ask one another on behalf of a fourth (token exchange)',
    'chain/orders.ts',
    () => import('./chain/run.ts'),
  ),
  webhooks: program(
    'A sender of webhooks, its calls bound to a key (DPoP), and its subscribers',
    'webhooks/sender.ts',
    () => import('./webhooks/run.ts'),
  ),
  'seed-a': migration('an API that calls another, by the recipe of an auth platform', 'a'),
  'seed-b': migration('an introspection cookbook', 'b'),
  'seed-c': migration('a token client with DPoP and its Hono middleware', 'c'),
  'seed-d': migration('opaque tokens of oidc-provider', 'd'),
  'seed-e': migration('a registry of service credentials, with Nest guards', 'e'),
};
