/** The clients of Redis that a user may bring, each made as its own documentation says. */
import { Cluster, Redis } from 'ioredis';
import { Redis as Valkey } from 'iovalkey';
import { createClient, createCluster } from 'redis';
import type { RedisSubscriber } from '../../adapters/redis/subscription.ts';
import type { RedisClient } from '../../adapters/redis.ts';

export interface Connection {
  readonly client: RedisClient;
  readonly subscriber: RedisSubscriber;
  close(): void;
}

type Connect = (url: string) => Promise<Connection>;

const soon = (): number => 20;

function ioredis(make: () => Redis | Valkey): Connection {
  const [client, subscriber] = [make(), make()];
  // Without a listener they write each failure to standard error.
  for (const one of [client, subscriber]) one.on('error', () => {});
  return {
    client,
    subscriber,
    close: () => {
      for (const one of [client, subscriber]) one.disconnect();
    },
  };
}

async function nodeRedis(url: string): Promise<Connection> {
  const make = () => createClient({ url, socket: { reconnectStrategy: soon } });
  const [client, subscriber] = [make(), make()];
  await Promise.all([client, subscriber].map((one) => one.connect()));
  return {
    client,
    subscriber,
    close: () => {
      for (const one of [client, subscriber]) one.destroy();
    },
  };
}

export const connectors: readonly (readonly [name: string, connect: Connect])[] = [
  ['ioredis', async (url) => ioredis(() => new Redis(url, { retryStrategy: soon }))],
  ['iovalkey', async (url) => ioredis(() => new Valkey(url, { retryStrategy: soon }))],
  ['node-redis', nodeRedis],
];

/** Each is told one node, and finds the others. */
export const clusterConnectors: readonly (readonly [
  name: string,
  connect: (port: number) => Promise<Connection>,
])[] = [
  [
    'ioredis',
    async (port) => {
      const make = (): Cluster => new Cluster([{ host: '127.0.0.1', port }]);
      const [client, subscriber] = [make(), make()];
      for (const one of [client, subscriber]) one.on('error', () => {});
      return {
        client,
        subscriber,
        close: () => {
          for (const one of [client, subscriber]) one.disconnect();
        },
      };
    },
  ],
  [
    'node-redis',
    async (port) => {
      const make = () => createCluster({ rootNodes: [{ url: `redis://127.0.0.1:${port}` }] });
      const [client, subscriber] = [make(), make()];
      for (const one of [client, subscriber]) one.on('error', () => {});
      await Promise.all([client.connect(), subscriber.connect()]);
      return {
        client,
        subscriber,
        close: () => {
          for (const one of [client, subscriber]) one.destroy();
        },
      };
    },
  ],
];
