import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** How a server program is started, and known to be ready. */
export interface Serving {
  /** Of the program, for the error. */
  readonly name: string;
  launch(): ChildProcess;
  /** Where it logs. */
  logOf(server: ChildProcess): Readable | null;
  /** What a line of its log says once it takes connections. */
  readonly ready: RegExp;
}

const MOST_STARTS = 20;

/**
 * Waits until the server says that it is ready. It may need a few attempts: a killed one leaves something behind, and a
 * port may have been taken since it was found free.
 */
export async function serving({ name, launch, logOf, ready }: Serving): Promise<ChildProcess> {
  for (let attempt = 1; ; attempt++) {
    const server = launch();
    const log = logOf(server);
    if (log === null) throw new Error(`the log of ${name} is not read`);
    const lines: string[] = [];
    const isReady = await new Promise<boolean>((resolve) => {
      createInterface({ input: log }).on('line', (line) => {
        lines.push(line);
        if (ready.test(line)) resolve(true);
      });
      server.once('exit', () => resolve(false));
    });
    if (isReady) return server;
    if (attempt === MOST_STARTS) throw new Error(`${name} does not start: ${lines.join('\n')}`);
  }
}
