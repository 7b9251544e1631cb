/** Token clients of a fleet, in one of its processes: told to by a line, all ask at the same time. */
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { createRedisStores } from '../../adapters/redis.ts';
import { createTokenClient } from '../../src/index.ts';

const { REDIS_PORT = '', CLIENTS = '', OPTIONS = '' } = process.env;
const clients = await Promise.all(
  Array.from({ length: Number(CLIENTS) }, async () => {
    const client = new Redis({ host: '127.0.0.1', port: Number(REDIS_PORT) }).on('error', () => {});
    const { tokens: store } = createRedisStores({ client, timeoutMs: 10_000 });
    // As in a program that serves already: connected.
    await store.get('nothing');
    return createTokenClient({ ...JSON.parse(OPTIONS), store });
  }),
);
console.log('ready');
for await (const _ of createInterface({ input: process.stdin })) {
  const tokens = await Promise.all(clients.map((client) => client.getToken()));
  console.log(JSON.stringify(tokens.map(({ accessToken }) => accessToken)));
}
// The test has ended, however it did.
process.exit();
