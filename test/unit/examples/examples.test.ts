/** Every example that Node alone can run, by the report that it gives; the others are among the tests of services. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onSources, reportOf, root, startExample } from './run-example.ts';

const MOST_MS = 120_000;
const elsewhere = ['bun', 'deno', 'workers', 'bullmq', 'gateway'];

/** What a service of any framework answers. */
const answers = [
  '✓ no token: 401 Bearer',
  '✓ the wrong scope: 403 Bearer error="insufficient_scope"',
  '✓ the right scope: 201',
  '✓ a client that is not allowed: 403 Bearer error="insufficient_scope"',
  '✓ a token for another audience: 401 Bearer error="invalid_token"',
  '✓ a tampered token: 401 Bearer error="invalid_token"',
  '✓ the issuer is stopped: 200',
];

/** Name, steps, and what must be among them. */
const table: readonly (readonly [string, number, readonly string[]])[] = [
  ...['express', 'hono', 'fastify', 'koa'].map(
    (name) => [name, 11, [...answers, '✓ /health, open to all: 200']] as const,
  ),
  ['nest', 11, [...answers, '✓ /ready, open to all: 200']],
  ['next', 10, [...answers, '✓ a good token: 200 {"order":"7","caller":"billing"}']],
  [
    'kubernetes',
    9,
    [
      '✓ billing registered, by its service account: no secret is made',
      '✓ billing asks orders: 200 {"orders":["tea"],"caller":"billing"}',
      '✓ it asks orders: 502 {"error":"token_request_rejected"}',
    ],
  ],
  ['observability', 2, ['✓ calls that were accepted, and one that was not: both are counted']],
  [
    'chain',
    9,
    [
      '✓ web asks orders, and the warehouse sees: web, through stock, through orders',
      '✓ web exchanges a token for orders by itself: invalid_target, as web may not call stock',
    ],
  ],
  [
    'webhooks',
    9,
    [
      '✓ the same once more: 204 and 204, and no second event',
      '✓ a request of the sender, sent again by another: 401 error="invalid_dpop_proof"',
      '✓ its token and proof, at the other subscriber: 401 error="invalid_token"',
    ],
  ],
  [
    'seed-a',
    12,
    [
      '✓ C, asked on behalf of A: {"subject":"system-a","actor":{"sub":"system-b"}}, before and after',
      '✓ no secret in the environment: an error at start, before and after',
      '✓ 50 calls at once, no token yet: 50 token requests before, 1 token requests after',
      '✓ a call to what is not B: it gets the token before, untrusted_target after',
      '✓ B just started, issuer down: 401 before, 503 Retry-After after',
    ],
  ],
  [
    'seed-b',
    9,
    [
      '✓ no token: 401, before and after',
      '✓ a token: 200, before and after',
      '✓ the token, revoked: 401, before and after',
      '✓ 50 calls: 50 introspections before, 1 introspections after',
      '✓ the issuer is down, nothing known: 401 before, 503 Retry-After after',
    ],
  ],
  [
    'seed-c',
    11,
    [
      '✓ its client with the other service: {"orders":["tea"],"caller":"billing"}, before and after',
      '✓ a scope that is not registered: 400 invalid_scope, before and after',
      '✓ a request that somebody sends again: 200 before, 401 after',
    ],
  ],
  [
    'seed-d',
    10,
    [
      '✓ a token of a machine: {"kind":"service","caller":"billing"}, before and after',
      '✓ a token of a user: {"kind":"user","caller":"web"}, before and after',
      '✓ two calls, when expires_in is missing: 1 token, before and after',
    ],
  ],
  [
    'seed-e',
    12,
    [
      '✓ a service is created, listed and read: the secret is shown once, before and after',
      '✓ its secret is rotated: old and new, then the new one alone, before and after',
      '✓ a token of the old registry: 200, before and after',
      '✓ a live token of a revoked service: 200 before, 401 after',
    ],
  ],
];

describe('examples', () => {
  it.each(table)(
    '%s',
    async (name, count, expected) => {
      const { outcome, steps, summary } = await reportOf([...onSources, name, '--check']);
      expect(outcome).toMatchObject({ code: 0 });
      expect(summary).toMatch(new RegExp(`^${count} passed, 0 failed in \\d`));
      expect(steps).toEqual(expect.arrayContaining([...expected]));
    },
    MOST_MS,
  );

  it('are listed when none is named, and stand in the README with the same words', async () => {
    const { stdout, code } = await startExample(onSources).ended;
    const listed = [...stdout.matchAll(/^ {2}(\S+) +(.+)$/gm)].map(([, name = '', shows = '']) => ({
      name,
      shows,
    }));
    expect(code).toBe(0);
    expect(listed.map(({ name }) => name).sort()).toEqual(
      [...table.map(([name]) => name), ...elsewhere].sort(),
    );
    const readme = readFileSync(join(root, 'examples/README.md'), 'utf8');
    for (const { name, shows } of listed)
      expect(readme).toContain(`| ${shows} | \`npm run example ${name}\` |`);
  });

  it('with a wrong name, are listed and fail', async () => {
    const { code, stdout, stderr } = await startExample([...onSources, 'nothing']).ended;
    expect([code, stderr.trim()]).toEqual([1, 'There is no example nothing.']);
    expect(stdout).toContain('npm run example <name>');
  });

  it(
    'serve until they are stopped, and say how to call them',
    async () => {
      const example = startExample([...onSources, 'express']);
      const said = await example.saying('Ctrl-C ends it.');
      const [line = '', name = ''] =
        /^(?:[A-Z_]+=\S+ )+\\\n(?:[A-Z_]+=\S+ )+(npx service-auth call \S+)$/m.exec(said) ?? [];
      const variables = [...line.matchAll(/([A-Z_]+)=(\S+)/g)].map(([, key = '', value = '']) => [
        key,
        value,
      ]);
      const url = name.split(' ').at(-1) ?? '';
      const program = [...onSources.slice(0, -1), 'src/cli/main.ts'];
      const called = await startExample([...program, 'call', url], Object.fromEntries(variables)).ended;
      expect(called).toMatchObject({ code: 0, stdout: expect.stringContaining('"caller":"billing"') });
      expect((await fetch(url)).status).toBe(401);
      example.child.kill('SIGINT');
      expect((await example.ended).code).toBe(0);
      await expect(fetch(url)).rejects.toThrow();
    },
    MOST_MS,
  );
});
