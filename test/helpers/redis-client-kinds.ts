/** The clients of Redis that services use, each as a program would make it, without further settings. */
import * as ioredis from 'ioredis';
import * as iovalkey from 'iovalkey';
import { createClient, createCluster } from 'redis';
import type { RedisClient } from '../../adapters/redis.ts';

export interface OpenRedisClient {
  readonly client: RedisClient;
  close(): void;
}

export interface RedisClientKind {
  readonly name: string;
  readonly isCluster: boolean;
  /** Connects to the server at a port; that of a cluster finds the others there. */
  connect(port: number): Promise<OpenRedisClient>;
}

const host = '127.0.0.1';
const ignore = (): void => {};

export const singleClients: readonly RedisClientKind[] = [
  {
    name: 'ioredis',
    isCluster: false,
    async connect(port) {
      // Without a listener it writes each failed connection to the console.
      const client = new ioredis.Redis({ host, port }).on('error', ignore);
      return { client, close: () => client.disconnect() };
    },
  },
  {
    name: 'node-redis',
    isCluster: false,
    async connect(port) {
      const client = createClient({ url: `redis://${host}:${port}` });
      await client.connect();
      return { client, close: () => client.destroy() };
    },
  },
  {
    name: 'iovalkey',
    isCluster: false,
    async connect(port) {
      const client = new iovalkey.Redis({ host, port }).on('error', ignore);
      return { client, close: () => client.disconnect() };
    },
  },
];

export const clusterClients: readonly RedisClientKind[] = [
  {
    name: 'ioredis Cluster',
    isCluster: true,
    async connect(port) {
      const client = new ioredis.Cluster([{ host, port }]).on('error', ignore);
      return { client, close: () => client.disconnect() };
    },
  },
  {
    name: 'node-redis cluster',
    isCluster: true,
    async connect(port) {
      const client = createCluster({ rootNodes: [{ url: `redis://${host}:${port}` }] });
      await client.connect();
      return { client, close: () => client.destroy() };
    },
  },
  {
    name: 'iovalkey Cluster',
    isCluster: true,
    async connect(port) {
      const client = new iovalkey.Cluster([{ host, port }]).on('error', ignore);
      return { client, close: () => client.disconnect() };
    },
  },
];
