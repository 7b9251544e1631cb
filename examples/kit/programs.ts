/** Programs of the examples as processes of their own: started, waited for until they listen, and surely ended. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Program {
  /** Where it listens, as it said itself. */
  readonly url: string;
  stop(): Promise<void>;
}

export type Environment = Readonly<Record<string, string>>;

const START_MS = 60_000;
const STOP_MS = 5000;
const running = new Set<ChildProcess>();
const heard: string[] = [];

// However this process ends: nobody else knows of groups of their own.
process.once('exit', () => {
  for (const { pid } of running) if (pid !== undefined) signalGroup(pid, 'SIGKILL');
});
const addressIn = /https?:\/\/127\.0\.0\.1:\d+|"port":(\d+)/;

/** A file of this folder, by the Node that runs this one. */
export const node = (file: string): readonly string[] => [
  process.execPath,
  ...process.execArgv,
  fileURLToPath(new URL(`../${file}`, import.meta.url)),
];

/** Starts a program and waits until it has said where it listens: by an address, or a port in the one group of `listensAt`. */
export async function startProgram(
  [command = '', ...args]: readonly string[],
  environment: Environment,
  isLoud = false,
  listensAt = addressIn,
): Promise<Program> {
  const env = { ...process.env, PORT: '0', ...environment };
  // A group of its own, so that what a program starts ends with it.
  const child = spawn(command, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let said = '';
  const url = await new Promise<string>((resolve, reject) => {
    setTimeout(() => reject(new Error(`it does not listen: ${said}`)), START_MS).unref();
    const hear = (chunk: Buffer): void => {
      said += chunk;
      heard.push(String(chunk));
      if (isLoud) process.stderr.write(chunk);
      const found = listensAt.exec(said);
      if (found !== null) resolve(found[1] === undefined ? found[0] : `http://127.0.0.1:${found[1]}`);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`it ended with code ${code}: ${said}`)));
  }).catch(async (error: unknown) => {
    await stop(child);
    throw error;
  });
  return { url, stop: () => stop(child) };
}

/** What all of them have printed, for whoever looks for a failure. */
export const printed = (): string => heard.join('');

export async function stopPrograms(): Promise<void> {
  await Promise.all([...running].map(stop));
}

async function stop(child: ChildProcess): Promise<void> {
  if (!running.has(child) || child.pid === undefined) return;
  const exited = once(child, 'exit');
  signalGroup(child.pid, 'SIGTERM');
  const timer = setTimeout(signalGroup, STOP_MS, child.pid, 'SIGKILL');
  await exited;
  clearTimeout(timer);
}

function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It has just ended by itself.
  }
}
