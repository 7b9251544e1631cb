/** Processes beside this one, which are asked one thing at a time. */
import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Child {
  readonly process: ChildProcess;
  /** Sends a question and gives what comes back; rejects where the process ends instead. */
  ask<T>(question: object): Promise<T>;
  stop(): void;
}

/** Starts a file of this folder as in production. It does not hold this process, and ends with it. */
export function startChild(file: string): Child {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    env: { ...process.env, NODE_ENV: 'production' },
  });
  child.unref();
  child.channel?.unref();
  return {
    process: child,
    async ask<T>(question: object): Promise<T> {
      child.channel?.ref();
      const waiting = new AbortController();
      const ended = once(child, 'exit', { signal: waiting.signal }).then(([code]) => {
        throw new Error(`${file} ended with ${code}`);
      });
      try {
        child.send(question);
        const [answer] = await Promise.race([once(child, 'message', { signal: waiting.signal }), ended]);
        return answer as T;
      } finally {
        ended.catch(() => {});
        waiting.abort();
        child.channel?.unref();
      }
    },
    stop: () => void child.kill(),
  };
}

/** Answers the questions of the process that started this one, and ends with it. */
export function answerParent(answer: (question: never) => unknown): void {
  process.on('message', async (question) => process.send?.((await answer(question as never)) ?? null));
  process.once('disconnect', () => process.exit());
}

/** Binds a process with all its threads to the first core; false where that cannot be done. */
export function pinToOneCore({ pid }: ChildProcess): boolean {
  return spawnSync('taskset', ['-a', '-c', '-p', '0', `${pid}`]).status === 0;
}
