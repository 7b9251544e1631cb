/** Jobs that are done, one that waits for an issuer that is away, and one that nobody tries again. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Job, Queue, QueueEvents } from 'bullmq';
import express from 'express';
import { requireServiceAuth } from 'service-auth/express';
import { type ExampleIssuer, startIssuer } from '../kit/issuer.ts';
import { node } from '../kit/programs.ts';
import { startRedis } from '../kit/redis.ts';
import { ORDERS } from '../kit/service-check.ts';
import type { Stage } from '../kit/stage.ts';

const JOBS = 8;
const ATTEMPTS = 50;

export async function run(stage: Stage): Promise<void> {
  let issued = 0;
  const issuer = await stage.step(
    'an issuer',
    () =>
      startIssuer(stage, {
        onEvent: (event) => {
          if (event.type === 'issuer.token_issued') issued++;
        },
      }),
    ({ url }) => url,
  );
  const redis = await stage.step('Redis', () => startRedis(stage));
  const orders = await stage.step('orders', () => startOrders(stage, issuer));
  const clientSecret = await issuer.register({
    clientId: 'invoicing',
    scopes: ['orders:read'],
    resources: [ORDERS],
  });
  const startWorker = () =>
    stage.start(node('bullmq/worker.ts'), {
      REDIS_URL: redis,
      ORDERS_URL: orders,
      SERVICE_AUTH_ISSUER: issuer.url,
      SERVICE_AUTH_CLIENT_ID: 'invoicing',
      SERVICE_AUTH_CLIENT_SECRET: clientSecret,
    });
  const queue = new Queue('invoices', { connection: { url: redis } });
  const events = new QueueEvents('invoices', { connection: { url: redis } });
  stage.atEnd(async () => {
    await queue.close();
    await events.close();
  });
  await events.waitUntilReady();
  const add = (orderId: string): Promise<Job> =>
    queue.add('invoice', { orderId }, { attempts: ATTEMPTS, backoff: { type: 'fixed', delay: 100 } });

  const worker = await stage.step('a worker', startWorker, () => 'it takes jobs');
  await stage.step(`${JOBS} jobs`, async () => {
    const jobs = await Promise.all(Array.from({ length: JOBS }, (_, at) => add(String(at))));
    const results: unknown[] = await Promise.all(jobs.map((job) => job.waitUntilFinished(events)));
    assert.deepEqual(results[7], { order: '7', for: 'invoicing' });
    assert.equal(issued, 1);
    return 'all done, with one token';
  });
  await worker.stop();

  const second = await stage.step(
    'a worker, the issuer being down',
    async () => {
      await issuer.stop();
      const started = await startWorker();
      const isPutOff = once(events, 'delayed');
      const job = await add('21');
      await isPutOff;
      await issuer.start();
      await job.waitUntilFinished(events);
      assert((await attemptsOf(queue, job)) > 1);
      return started;
    },
    () => 'tried again until it got a token',
  );
  await second.stop();

  await stage.step('a worker whose client is revoked', async () => {
    await issuer.admin.services.revoke('invoicing');
    await startWorker();
    const job = await add('22');
    await assert.rejects(job.waitUntilFinished(events), /invalid_client/);
    assert.equal(await attemptsOf(queue, job), 1);
    return 'the job has failed, and is not tried again';
  });
}

async function attemptsOf(queue: Queue, { id = '' }: Job): Promise<number> {
  const job: Job | undefined = await queue.getJob(id);
  return job?.attemptsMade ?? 0;
}

async function startOrders(stage: Stage, issuer: ExampleIssuer): Promise<string> {
  const app = express();
  const policy = { issuer: issuer.url, audience: ORDERS, scope: 'orders:read', clients: ['invoicing'] };
  app.get('/orders/:id', requireServiceAuth(policy), (req, res) => {
    res.json({ order: req.params.id, for: req.caller?.clientId });
  });
  return (await stage.serve(app)).url;
}
