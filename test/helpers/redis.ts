/** Redis servers of the tests' own: on free ports of this machine, in directories that go when they stop. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { serving } from './serving.ts';

export interface PrivateRedis {
  readonly port: number;
  readonly url: string;
  /** The process that runs now. */
  readonly pid: number;
  /** Sends one command by a connection of its own, and gives the reply as redis-cli prints it. */
  command(...args: readonly string[]): Promise<string>;
  /** Starts the server again on the same port: empty, unless it was told to write a log (`appendonly`). */
  start(): Promise<void>;
  /** Ends the server at once, as a power cut does. */
  kill9(): Promise<void>;
  /** Kills the server and starts another in its place. */
  restart(): Promise<void>;
  /** Stops the process where it is: connections stay open, and nobody answers. */
  pause(): void;
  resume(): void;
  /** Ends the server and removes its data. */
  remove(): Promise<void>;
}

export interface PrivateRedisCluster {
  readonly nodes: readonly PrivateRedis[];
  /** The node that keeps a key. */
  nodeOf(key: string): Promise<PrivateRedis>;
  remove(): Promise<void>;
}

/** Whether there is a Redis to start. Says so loudly if there is none, and under `CI=true` fails. */
export function hasRedis(): boolean {
  try {
    execFileSync('redis-server', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    if (process.env.CI === 'true') throw new Error('redis-server is not installed, and CI must test with it');
    console.warn('\n*** redis-server is not installed: NOTHING OF IT IS TESTED ***\n');
    return false;
  }
}

/** Starts a server. It keeps nothing on disk, unless the settings say so; each is `name: value` of redis.conf. */
export async function startRedis(settings: Readonly<Record<string, string>> = {}): Promise<PrivateRedis> {
  const directory = mkdtempSync(join(tmpdir(), 'service-auth-redis-'));
  const port = await freePort();
  const all = { bind: '127.0.0.1', save: '', appendonly: 'no', 'enable-debug-command': 'yes', ...settings };
  const flags = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    server = await redisProcess(['--port', String(port), '--dir', directory, ...flags]);
  }

  async function kill9(): Promise<void> {
    const ending = server;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = new Promise((resolve) => ending.once('exit', resolve));
    ending.kill('SIGKILL');
    await exited;
  }

  const endAtOnce = (): void => void server?.kill('SIGKILL');
  process.once('exit', endAtOnce);
  await start();
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return server?.pid ?? 0;
    },
    command: (...args) => redisCli(port, args),
    start,
    kill9,
    async restart() {
      await kill9();
      await start();
    },
    pause: () => void server?.kill('SIGSTOP'),
    resume: () => void server?.kill('SIGCONT'),
    async remove() {
      await kill9();
      process.off('exit', endAtOnce);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

const SLOTS = 16_384;

/** Starts a cluster of three nodes, each with a third of the slots and none with a replica. */
export async function startRedisCluster(
  settings: Readonly<Record<string, string>> = {},
): Promise<PrivateRedisCluster> {
  const busPorts = [await freePort(), await freePort(), await freePort()];
  const nodes = await Promise.all(
    busPorts.map((busPort) =>
      startRedis({
        'cluster-enabled': 'yes',
        'cluster-port': String(busPort),
        'cluster-node-timeout': '2000',
        // What is kept of one node can be had while another is away.
        'cluster-require-full-coverage': 'no',
        ...settings,
      }),
    ),
  );
  const slotAt = (at: number): number => Math.floor((SLOTS * at) / nodes.length);
  for (const [at, node] of nodes.entries()) {
    await node.command('CLUSTER', 'ADDSLOTSRANGE', String(slotAt(at)), String(slotAt(at + 1) - 1));
    // Each names itself to the first.
    if (at > 0) {
      await nodes[0]?.command('CLUSTER', 'MEET', '127.0.0.1', String(node.port), String(busPorts[at]));
    }
  }
  for (const node of nodes) await until(async () => knowsAll(await node.command('CLUSTER', 'INFO')));
  return {
    nodes,
    async nodeOf(key) {
      const slot = Number(await nodes[0]?.command('CLUSTER', 'KEYSLOT', key));
      const node = nodes.find((_, at) => slot < slotAt(at + 1));
      if (node === undefined) throw new Error(`no node has the slot of ${key}`);
      return node;
    },
    remove: async () => void (await Promise.all(nodes.map((node) => node.remove()))),
  };
}

function knowsAll(info: string): boolean {
  return info.includes('cluster_state:ok') && info.includes(`cluster_slots_assigned:${SLOTS}`);
}

/** Asks again until it is so; the time limit of the test is the only one. */
export async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setTimeout(resolve, 10));
}

export async function redisCli(port: number, args: readonly string[]): Promise<string> {
  const all = ['-h', '127.0.0.1', '-p', String(port), '--raw', ...args];
  const { stdout } = await promisify(execFile)('redis-cli', all, { encoding: 'utf8' });
  return stdout.trimEnd();
}

/** Starts the program itself: a server, or a sentinel. */
export function redisProcess(flags: readonly string[]): Promise<ChildProcess> {
  return serving({
    name: 'redis-server',
    launch: () => spawn('redis-server', flags, { stdio: ['ignore', 'pipe', 'ignore'] }),
    logOf: ({ stdout }) => stdout,
    ready: /Ready to accept connections|\+monitor master/,
  });
}
