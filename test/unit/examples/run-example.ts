/** Examples as their users run them: each a process of its own, which starts what it needs. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../..', import.meta.url));

/** On the sources instead of the build: the checkout may not be built. */
export const onSources: readonly string[] = [
  process.execPath,
  'node_modules/tsx/dist/cli.mjs',
  '--tsconfig',
  'tsconfig.json',
  'examples/run.ts',
];

/** The very command of the documents, which builds first. */
export const asDocumented: readonly string[] = ['npm', 'run', '-s', 'example', '--'];

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Outcome>;
  /** What it has printed, once that is so. */
  saying(words: string): Promise<string>;
}

export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function startExample(
  [command = '', ...args]: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(command, args, { cwd: root, env: { ...process.env, ...environment }, stdio: 'pipe' });
  let [stdout, stderr] = ['', ''];
  const ended = new Promise<Outcome>((resolve) => {
    child.once('close', (code) => resolve({ code, stdout, stderr }));
  });
  child.stdout.on('data', (chunk) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk) => {
    stderr += chunk;
  });
  return {
    child,
    ended,
    saying: (words) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (stdout.includes(words)) resolve(stdout);
        };
        child.stdout.on('data', look);
        child.once('close', () => reject(new Error(`it ended, and said: ${stdout}${stderr}`)));
        look();
      }),
  };
}

/** Runs it to its end, and gives its report: a line for each step, without columns and times. */
export async function reportOf(
  command: readonly string[],
  environment?: Readonly<Record<string, string>>,
): Promise<{ outcome: Outcome; steps: readonly string[]; summary: string }> {
  const outcome = await startExample(command, environment).ended;
  const lines = outcome.stdout.split('\n');
  const steps = lines.filter((line) => /^[✓✗] /.test(line));
  return {
    outcome,
    steps: steps.map((line) =>
      line
        .replace(/ +\d+ ms$/, '')
        .replace(/ {2,}/g, ': ')
        .trimEnd(),
    ),
    summary: lines.find((line) => / passed, /.test(line)) ?? outcome.stderr,
  };
}
