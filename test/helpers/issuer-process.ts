/** A program of the tests that answers each line with one line. */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export interface TalkingProcess {
  readonly pid: number;
  /** What it said first. */
  readonly greeting: string;
  ask(line: string): Promise<string>;
  end(): Promise<void>;
}

/** What it writes to standard error becomes the error of whoever waits. */
export async function startProcess(
  file: URL,
  environment: Readonly<Record<string, string>>,
): Promise<TalkingProcess> {
  const path = fileURLToPath(file);
  const env = { PATH: process.env.PATH, ...environment };
  const child = spawn(process.execPath, ['--import', 'tsx', path], { env, stdio: 'pipe' });
  let problems = '';
  child.stderr.on('data', (chunk) => {
    problems += chunk;
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();

  async function nextLine(): Promise<string> {
    const { done, value } = await lines.next();
    if (done) throw new Error(`${path} has ended: ${problems}`);
    return value;
  }

  return {
    pid: child.pid ?? 0,
    greeting: await nextLine(),
    ask(line) {
      child.stdin.write(`${line}\n`);
      return nextLine();
    },
    end() {
      child.kill('SIGKILL');
      return ended;
    },
  };
}
