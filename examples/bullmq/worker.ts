/** A worker of the queue `invoices`: for each job it asks orders, under its own name and with a token of its own. */
import { type Job, UnrecoverableError, Worker } from 'bullmq';
import { createAuthedFetch, isServiceAuthError } from 'service-auth';

interface Invoice {
  readonly orderId: string;
}

const orders = process.env.ORDERS_URL ?? '';

// Issuer, client id and secret come from the environment. One for all jobs: they share its tokens.
const authedFetch = createAuthedFetch({
  targets: [{ origin: orders, scope: 'orders:read', resource: 'https://orders.example' }],
});

async function handle(job: Job<Invoice>): Promise<unknown> {
  const response = await authedFetch(`${orders}/orders/${encodeURIComponent(job.data.orderId)}`);
  if (response.ok) return response.json();
  await response.body?.cancel();
  const message = `orders answered ${response.status}`;
  // 503 says that orders cannot decide for the moment; what was refused stays refused.
  if (response.status >= 500 || response.status === 429) throw new Error(message);
  throw new UnrecoverableError(message);
}

/** An issuer that is away is worth another attempt, one that refuses this client is not. */
async function handleOrGiveUp(job: Job<Invoice>): Promise<unknown> {
  try {
    return await handle(job);
  } catch (error) {
    if (isServiceAuthError(error) && error.oauthError !== undefined) {
      throw new UnrecoverableError(error.message);
    }
    throw error;
  }
}

const worker = new Worker('invoices', handleOrGiveUp, {
  connection: { url: process.env.REDIS_URL ?? 'redis://127.0.0.1:6379' },
  concurrency: 10,
});
worker.on('error', (error) => console.error(error.message));
await worker.waitUntilReady();
console.log(`invoices are taken from the queue, and orders asked at ${orders}`);

process.once('SIGTERM', async () => {
  await worker.close();
  authedFetch.close();
});
