/** The examples that need more than Node, by the command that the documents name. */
import { describe, expect, it } from 'vitest';
import { BUN, DENO, hasMiniflare, hasRuntime } from '../../examples/kit/runtimes.ts';
import { hasPostgres, startPostgres } from '../helpers/postgres.ts';
import { hasRedis } from '../helpers/redis.ts';
import { asDocumented, reportOf } from '../unit/examples/run-example.ts';

const MOST_MS = 400_000;
const miniflare = await hasMiniflare();

async function check(
  name: string,
  count: number,
  expected: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<void> {
  const { outcome, steps, summary } = await reportOf([...asDocumented, name, '--check'], environment);
  expect(outcome).toMatchObject({ code: 0 });
  expect(summary).toMatch(new RegExp(`^${count} passed, 0 failed in \\d`));
  expect(steps).toEqual(expect.arrayContaining([...expected]));
}

/** What a service on any runtime answers. */
const answers = [
  '✓ no token: 401 Bearer',
  '✓ a good token: 200 {"orders":["tea"],"caller":"billing"}',
  '✓ the wrong scope: 403 Bearer error="insufficient_scope"',
  '✓ a tampered token: 401 Bearer error="invalid_token"',
  '✓ the issuer is stopped: 200',
];

describe('examples', () => {
  it('gateway', { timeout: MOST_MS }, () =>
    check('gateway', 10, [
      '✓ GET /orders: 200, X-Auth-Client-Id: billing',
      '✓ GET /payouts, not bound to a key: 401 Bearer error="invalid_token"',
      '✓ GET /elsewhere, which no route covers: 403',
    ]),
  );

  it.runIf(hasRuntime(BUN))('bun', { timeout: MOST_MS }, () => check('bun', 11, answers));

  it.runIf(hasRuntime(DENO))('deno', { timeout: MOST_MS }, () => check('deno', 11, answers));

  it.runIf(miniflare)('workers', { timeout: MOST_MS }, () =>
    check('workers', 8, [
      '✓ the cron trigger: it asked for the report, with a token of its own',
      '✓ what it has learned: 200 {"lastReport":{"sold":12,"for":"orders"},"caller":"billing"}',
    ]),
  );

  it.runIf(hasRedis())('bullmq', { timeout: MOST_MS }, () =>
    check('bullmq', 7, [
      '✓ 8 jobs: all done, with one token',
      '✓ a worker, the issuer being down: tried again until it got a token',
      '✓ a worker whose client is revoked: the job has failed, and is not tried again',
    ]),
  );

  it.runIf(hasPostgres())('seed-b, on PostgreSQL', { timeout: MOST_MS }, async () => {
    const postgres = await startPostgres();
    try {
      await check('seed-b', 9, ['✓ the token, revoked: 401, before and after'], {
        DATABASE_URL: await postgres.createDatabase(),
      });
    } finally {
      await postgres.remove();
    }
  });
});
