/** The clients of Redis that services use, each as a program would make it, save that it soon connects again. */
import type { EventEmitter } from 'node:events';
import * as ioredis from 'ioredis';
import * as iovalkey from 'iovalkey';
import { createClient, createCluster, createSentinel } from 'redis';
import type { RedisClient, RedisSubscriber } from '../../adapters/redis.ts';

export interface RedisConnection<C = RedisClient & RedisSubscriber> {
  readonly client: C;
  close(): void;
}

export interface RedisClientKind<C = RedisClient & RedisSubscriber> {
  readonly name: string;
  readonly isCluster: boolean;
  /** Connects to the server at a port; that of a cluster or of a sentinel finds the others there. */
  connect(port: number): Promise<RedisConnection<C>>;
}

/** What sentinels of the tests call their master. */
export const MASTER_NAME = 'main';

const host = '127.0.0.1';
const soon = (): number => 20;

type Calling = ioredis.Redis | ioredis.Cluster | iovalkey.Redis | iovalkey.Cluster;

function calling(name: string, isCluster: boolean, make: (port: number) => Calling): RedisClientKind {
  return {
    name,
    isCluster,
    async connect(port) {
      const client = make(port);
      const emitter: EventEmitter = client;
      // Without a listener it writes each failed connection to the console.
      emitter.on('error', () => {});
      return { client, close: () => client.disconnect() };
    },
  };
}

interface Sending {
  connect(): Promise<unknown>;
  destroy(): unknown;
}

function sending<C extends Sending>(
  name: string,
  isCluster: boolean,
  make: (port: number) => C,
): RedisClientKind<C> {
  return {
    name,
    isCluster,
    async connect(port) {
      const client = make(port);
      await client.connect();
      return { client, close: () => void client.destroy() };
    },
  };
}

const again = { retryStrategy: soon };
// A machine that is busy is no fault.
const socket = { reconnectStrategy: soon, connectTimeout: 60_000 };

export const singleClients: readonly RedisClientKind[] = [
  calling('ioredis', false, (port) => new ioredis.Redis({ host, port, ...again })),
  calling('iovalkey', false, (port) => new iovalkey.Redis({ host, port, ...again })),
  sending('node-redis', false, (port) => createClient({ url: `redis://${host}:${port}`, socket })),
];

export const clusterClients: readonly RedisClientKind[] = [
  calling('ioredis Cluster', true, (port) => new ioredis.Cluster([{ host, port }])),
  calling('iovalkey Cluster', true, (port) => new iovalkey.Cluster([{ host, port }])),
  sending('node-redis cluster', true, (port) =>
    createCluster({ rootNodes: [{ url: `redis://${host}:${port}` }], defaults: { socket } }),
  ),
];

const sentinel = (port: number) => ({
  sentinels: [{ host, port }],
  name: MASTER_NAME,
  sentinelRetryStrategy: soon,
  ...again,
});

export const sentinelClients: readonly RedisClientKind[] = [
  calling('ioredis', false, (port) => new ioredis.Redis(sentinel(port))),
  calling('iovalkey', false, (port) => new iovalkey.Redis(sentinel(port))),
  sending('node-redis', false, (port) =>
    createSentinel({
      name: MASTER_NAME,
      sentinelRootNodes: [{ host, port }],
      nodeClientOptions: { socket },
      sentinelClientOptions: { socket },
      scanInterval: 100,
    }),
  ),
];
