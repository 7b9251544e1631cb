/** A fleet of a hundred token clients in ten processes, which share a Redis: one of them asks for a token. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { printTable } from '../helpers/fleet-counts.ts';
import { startProcess, type TalkingProcess } from '../helpers/issuer-process.ts';
import { hasRedis, type PrivateRedis, startRedis, until } from '../helpers/redis.ts';
import { sendJson, startTokenServer } from '../unit/outbound/support.ts';

const PROCESSES = 10;
const CLIENTS = 10;
const file = new URL('../helpers/fleet-token-process.ts', import.meta.url);

describe.runIf(hasRedis())('a hundred token clients in ten processes', () => {
  let redis: PrivateRedis;
  const processes: TalkingProcess[] = [];
  beforeAll(async () => {
    redis = await startRedis();
  });
  afterAll(async () => {
    await Promise.all(processes.map((one) => one.end()));
    await redis.remove();
  });

  it('send one token request between them', async () => {
    const server = await startTokenServer();
    const { tokenEndpoint, clientId, clientSecret } = server.options;
    const storeKey = 'the secret that the fleet shares, 32 bytes or more';
    const environment = {
      REDIS_PORT: `${redis.port}`,
      CLIENTS: `${CLIENTS}`,
      OPTIONS: JSON.stringify({ tokenEndpoint, clientId, clientSecret, storeKey, timeoutMs: 60_000 }),
    };
    const started = Array.from({ length: PROCESSES }, () => startProcess(file, environment));
    processes.push(...(await Promise.all(started)));
    // No answer before each of them has tried to be the one that asks.
    server.next.push(async (_, response) => {
      await until(async () => (await leasesTried()) >= PROCESSES * CLIENTS);
      sendJson(response, { access_token: 'shared', token_type: 'Bearer', expires_in: 600 });
    });
    const answers = await Promise.all(processes.map((one) => one.ask('go')));
    const tokens = answers.flatMap((line): string[] => JSON.parse(line));
    const requests = server.received.length;
    printTable([{ clients: tokens.length, processes: PROCESSES, 'token requests': requests }]);
    expect(tokens).toEqual(Array(PROCESSES * CLIENTS).fill('shared'));
    expect(requests).toBe(1);
  });

  async function leasesTried(): Promise<number> {
    const stats = await redis.command('INFO', 'commandstats');
    return Number(/^cmdstat_set:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
  }
});
