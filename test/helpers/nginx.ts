/** An nginx of the tests' own: on a free port of this machine, in a directory that goes when it stops. */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './free-port.ts';

export interface PrivateNginx {
  readonly port: number;
  stop(): Promise<void>;
}

const program = findProgram();

/** Whether there is an nginx to start. Says so loudly if there is none, and under `CI=true` fails. */
export function hasNginx(): boolean {
  if (program !== undefined) return true;
  if (process.env.CI === 'true') throw new Error('nginx is not installed, and CI must test with it');
  console.warn('\n*** nginx is not installed: NOTHING IS TESTED BEHIND IT ***\n');
  return false;
}

/** Starts nginx with this content of its http block, made for the port that it listens on. */
export async function startNginx(content: (port: number) => string): Promise<PrivateNginx> {
  if (program === undefined) throw new Error('nginx is not installed');
  const directory = mkdtempSync(join(tmpdir(), 'service-auth-nginx-'));
  const port = await freePort();
  const config = join(directory, 'nginx.conf');
  writeFileSync(config, configOf(directory, content(port)));
  // One process, under whatever user the tests run.
  const args = ['-p', directory, '-c', config, '-e', 'stderr'];
  const server = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: directory });
  const endAtOnce = (): void => void server.kill('SIGKILL');
  process.once('exit', endAtOnce);
  const ended = new Promise<void>((resolve) => server.once('exit', () => resolve()));
  const said: string[] = [];
  await new Promise<void>((resolve, reject) => {
    createInterface({ input: server.stderr }).on('line', (line) => {
      said.push(line);
      // By then it listens.
      if (line.includes('event method')) resolve();
    });
    void ended.then(() => reject(new Error(`nginx does not start: ${said.join('\n')}`)));
  });
  return {
    port,
    async stop() {
      server.kill('SIGTERM');
      await ended;
      process.off('exit', endAtOnce);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function configOf(directory: string, content: string): string {
  const folders = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const paths = folders.map((name) => {
    const path = join(directory, name);
    mkdirSync(path);
    return `${name}_temp_path ${path};`;
  });
  return [
    'daemon off;',
    'master_process off;',
    `pid ${join(directory, 'nginx.pid')};`,
    'error_log stderr notice;',
    'events { worker_connections 512; }',
    `http {\naccess_log off;\n${paths.join('\n')}\n${content}\n}`,
  ].join('\n');
}

/** Outside the path of ordinary users on some systems. */
function findProgram(): string | undefined {
  return ['nginx', '/usr/sbin/nginx', '/usr/local/sbin/nginx'].find((name) => {
    try {
      execFileSync(name, ['-v'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
