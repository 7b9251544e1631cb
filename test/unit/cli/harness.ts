/** The real program, as a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { build } from 'esbuild';

export type Environment = Readonly<Record<string, string>>;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** The first line of standard output. */
  readonly firstLine: Promise<string>;
}

export interface Program {
  /** Where it lies. */
  readonly path: string;
  /** A directory for files of the test. */
  readonly directory: string;
  start(args: readonly string[], environment?: Environment, input?: string): Running;
  run(args: readonly string[], environment?: Environment, input?: string): Promise<Ended>;
  /** Runs with `--json` and gives what it printed. */
  json<T>(
    args: readonly string[],
    environment?: Environment,
    input?: string,
  ): Promise<T & { code: number | null }>;
  startIssuer(args: readonly string[], environment?: Environment): Promise<RunningIssuer>;
  /** Ends what is still running. */
  endAll(): void;
  remove(): Promise<void>;
}

export interface RunningIssuer extends Running {
  readonly url: string;
  readonly adminToken: string;
  stop(): Promise<Ended>;
}

/** Built as it is published: packages stay outside, so it must lie where they are found. */
export async function buildProgram(): Promise<Program> {
  const code = await mkdtemp(join('node_modules', '.service-auth-cli-'));
  await build({
    entryPoints: ['src/cli/main.ts'],
    bundle: true,
    splitting: true,
    packages: 'external',
    format: 'esm',
    platform: 'node',
    target: 'node20',
    outdir: code,
    outExtension: { '.js': '.mjs' },
    logLevel: 'error',
  });
  const program = join(code, 'main.mjs');
  const directory = await mkdtemp(join(tmpdir(), 'service-auth-cli-'));
  const running = new Set<ChildProcess>();

  function start(args: readonly string[], environment: Environment = {}, input?: string): Running {
    const env = { PATH: process.env.PATH, ...environment };
    const child = spawn(process.execPath, [program, ...args], { env, stdio: 'pipe' });
    running.add(child);
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const ended = new Promise<Ended>((resolve) => {
      child.on('close', (code) => {
        running.delete(child);
        resolve({ code, stdout, stderr });
      });
    });
    const lines = createInterface({ input: child.stdout });
    const firstLine = new Promise<string>((resolve) => lines.once('line', resolve));
    return { child, ended, firstLine };
  }

  const run: Program['run'] = (args, environment, input) => start(args, environment, input).ended;

  return {
    path: program,
    directory,
    start,
    run,
    async json(args, environment, input) {
      const { code, stdout, stderr } = await run([...args, '--json'], environment, input);
      if (stdout === '') throw new Error(`no document on standard output: ${stderr}`);
      return { ...JSON.parse(stdout), code };
    },
    async startIssuer(args, environment) {
      const issuer = start(['issuer', '--port', '0', '--json', ...args], environment);
      const early = issuer.ended.then(({ stderr }): never => {
        throw new Error(`the issuer has ended: ${stderr}`);
      });
      const { url, adminToken } = JSON.parse(await Promise.race([issuer.firstLine, early]));
      early.catch(() => {});
      const stop = (): Promise<Ended> => {
        issuer.child.kill('SIGTERM');
        return issuer.ended;
      };
      return { ...issuer, url, adminToken, stop };
    },
    endAll() {
      for (const child of running) child.kill('SIGKILL');
    },
    async remove() {
      await Promise.all([code, directory].map((path) => rm(path, { recursive: true, force: true })));
    },
  };
}

export interface TestServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function serve(listener: RequestListener): Promise<TestServer> {
  const server: Server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
