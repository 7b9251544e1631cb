/** A master, its replica, and a sentinel that puts the one in the place of the other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './free-port.ts';
import { type PrivateRedis, redisCli, redisProcess, startRedis, until } from './redis.ts';
import { MASTER_NAME } from './redis-clients.ts';

export interface PrivateSentinel {
  /** Of the sentinel, which clients ask for the master. */
  readonly port: number;
  readonly master: PrivateRedis;
  readonly replica: PrivateRedis;
  /** Resolves once the replica has all that the master has now. */
  replicated(): Promise<void>;
  /** Resolves once the sentinel names the replica as the master, and that is one. */
  failedOver(): Promise<void>;
  remove(): Promise<void>;
}

export async function startSentinel(): Promise<PrivateSentinel> {
  const settings = { 'repl-diskless-sync-delay': '0' };
  const [master, replica] = await Promise.all([startRedis(settings), startRedis(settings)]);
  await replica.command('REPLICAOF', '127.0.0.1', String(master.port));
  await until(async () => (await replica.command('INFO', 'replication')).includes('master_link_status:up'));
  const directory = mkdtempSync(join(tmpdir(), 'service-auth-sentinel-'));
  const port = await freePort();
  const file = join(directory, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    `dir ${directory}`,
    'bind 127.0.0.1',
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master.port} 1`,
    `sentinel down-after-milliseconds ${MASTER_NAME} 500`,
    `sentinel failover-timeout ${MASTER_NAME} 2000`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  const sentinel = await redisProcess([file, '--sentinel']);
  const endAtOnce = (): void => void sentinel.kill('SIGKILL');
  process.once('exit', endAtOnce);
  const ask = (...args: readonly string[]): Promise<string> => redisCli(port, args);
  await until(async () => (await ask('SENTINEL', 'REPLICAS', MASTER_NAME)).includes(`${replica.port}`));
  async function offsetOf(server: PrivateRedis, name: string): Promise<number> {
    const [, offset] =
      new RegExp(`^${name}:(\\d+)`, 'm').exec(await server.command('INFO', 'replication')) ?? [];
    return Number(offset);
  }

  return {
    port,
    master,
    replica,
    async replicated() {
      const offset = await offsetOf(master, 'master_repl_offset');
      await until(async () => (await offsetOf(replica, 'slave_repl_offset')) >= offset);
    },
    async failedOver() {
      const address = (): Promise<string> => ask('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME);
      await until(async () => (await address()).includes(`${replica.port}`));
      await until(async () => (await replica.command('INFO', 'replication')).includes('role:master'));
    },
    async remove() {
      const exited = new Promise((resolve) => sentinel.once('exit', resolve));
      endAtOnce();
      await exited;
      process.off('exit', endAtOnce);
      await Promise.all([master.remove(), replica.remove()]);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
