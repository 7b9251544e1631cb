/** Child processes of the demo: started, asked, and surely ended. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const children = new Set<ChildProcess>();
const START_MS = 15_000;

export interface Issuer {
  readonly url: string;
  stop(): Promise<void>;
  /** Ends it as a power cut would. */
  kill(): Promise<void>;
}

/** Runs `service-auth issuer` as a user would. */
export async function startIssuer(adminToken: string, flags: readonly string[]): Promise<Issuer> {
  const cli = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
  const child = track(
    spawn(process.execPath, [cli, 'issuer', '--json', '--log-level', 'error', ...flags], {
      env: { ...process.env, SERVICE_AUTH_ADMIN_TOKEN: adminToken },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  if (child.stdout === null) throw new Error('the issuer has no output');
  const lines = createInterface({ input: child.stdout });
  const [line] = await orExit(child, once(lines, 'line'), 'the issuer');
  const { url } = JSON.parse(String(line)) as { url: string };
  return { url, stop: () => stop(child), kill: () => stop(child, 'SIGKILL') };
}

/** Starts one of the scripts beside this file; gives what it says first and a way to ask it more. */
export async function startScript(
  name: string,
  environment: Readonly<Record<string, string>>,
): Promise<{
  hello: Record<string, string>;
  ask(question: object): Promise<unknown>;
  stop(): Promise<void>;
}> {
  const script = fileURLToPath(new URL(name, import.meta.url));
  const child = track(fork(script, { env: { ...process.env, ...environment } }));
  const [hello] = await orExit(child, once(child, 'message'), name);
  return {
    hello: hello as Record<string, string>,
    async ask(question) {
      child.send(question);
      const [answer] = await orExit(child, once(child, 'message'), name);
      return answer;
    },
    stop: () => stop(child),
  };
}

export async function stopAll(): Promise<void> {
  await Promise.all([...children].map((child) => stop(child)));
}

function track<T extends ChildProcess>(child: T): T {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await exited;
  clearTimeout(timer);
}

/** Waits for news of a child, but not for ever, and not if it has died. */
async function orExit<T>(child: ChildProcess, news: Promise<T>, name: string): Promise<T> {
  const controller = new AbortController();
  const exited = once(child, 'exit', { signal: controller.signal }).then(([code]) => {
    throw new Error(`${name} ended early with code ${code}`);
  });
  exited.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${name} said nothing for ${START_MS} ms`)), START_MS);
  });
  try {
    return await Promise.race([news, exited, late]);
  } finally {
    clearTimeout(timer);
    controller.abort();
  }
}
