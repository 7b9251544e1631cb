/** A PostgreSQL of the tests' own: on a free port of this machine, in a directory that goes when it stops. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { freePort } from './free-port.ts';
import { serving } from './serving.ts';

export interface PrivatePostgres {
  /** Makes a database without tables, and gives its URL. */
  createDatabase(): Promise<string>;
  /** Starts the server again, on the same data and port. */
  start(): Promise<void>;
  /** Ends the server and all its processes at once, as a power cut does. */
  kill9(): Promise<void>;
  /** Ends the server in an orderly manner; its clients are told. */
  stop(): Promise<void>;
  /** Ends the server and removes its data. */
  remove(): Promise<void>;
}

const binaries = findBinaries();

/** Whether there is a PostgreSQL to start. Says so loudly if there is none, and under `CI=true` fails. */
export function hasPostgres(): boolean {
  if (binaries !== undefined) return true;
  if (process.env.CI === 'true') throw new Error('PostgreSQL is not installed, and CI must test with it');
  console.warn('\n*** PostgreSQL is not installed: NOTHING OF IT IS TESTED ***\n');
  return false;
}

export async function startPostgres(): Promise<PrivatePostgres> {
  if (binaries === undefined) throw new Error('PostgreSQL is not installed');
  const directory = mkdtempSync(join(tmpdir(), 'service-auth-postgres-'));
  const user = unprivilegedUser();
  if (user.uid !== undefined && user.gid !== undefined) chownSync(directory, user.uid, user.gid);
  const data = join(directory, 'data');
  const initdb = join(binaries, 'initdb');
  execFileSync(initdb, ['-A', 'trust', '-U', 'postgres', '-D', data], { ...user, stdio: 'ignore', cwd: '/' });

  const port = await freePort();
  const admin = `postgresql://postgres@127.0.0.1:${port}/postgres`;
  const settings = [`unix_socket_directories=${directory}`, 'listen_addresses=127.0.0.1', 'fsync=on'];
  let server: ChildProcess | undefined;
  let databases = 0;

  async function start(): Promise<void> {
    const args = ['-D', data, '-p', String(port), ...settings.flatMap((setting) => ['-c', setting])];
    const program = join(binaries ?? '', 'postgres');
    server = await serving({
      name: 'PostgreSQL',
      launch: () => spawn(program, args, { ...user, cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] }),
      logOf: ({ stderr }) => stderr,
      ready: /ready to accept connections/,
    });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    if (ending?.pid === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const exited = new Promise((resolve) => ending.once('exit', resolve));
    const workers = signal === 'SIGKILL' ? childrenOf(ending.pid) : [];
    ending.kill(signal);
    for (const pid of workers) killIfThere(pid);
    await exited;
  }

  const endAtOnce = (): void => void server?.kill('SIGQUIT');
  process.once('exit', endAtOnce);
  await start();
  return {
    async createDatabase() {
      const name = `test_${++databases}`;
      const client = new pg.Client(admin);
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return `postgresql://postgres@127.0.0.1:${port}/${name}`;
    },
    start,
    kill9: () => end('SIGKILL'),
    stop: () => end('SIGINT'),
    async remove() {
      await end('SIGQUIT');
      process.off('exit', endAtOnce);
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** The newest installed; Debian keeps them outside the path. */
function findBinaries(): string | undefined {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const candidates = [
    ...versions.map((version) => join(debian, version, 'bin')),
    ...(process.env.PATH ?? '').split(':'),
  ];
  return candidates.find((path) => existsSync(join(path, 'initdb')) && existsSync(join(path, 'postgres')));
}

/** PostgreSQL refuses to run as root. */
function unprivilegedUser(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function childrenOf(pid: number): readonly number[] {
  const list = execFileSync('ps', ['-e', '-o', 'pid=,ppid='], { encoding: 'utf8' });
  const pairs = list.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
  return pairs.flatMap(([child, parent]) => (parent === pid && child !== undefined ? [child] : []));
}

function killIfThere(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended by itself.
  }
}
