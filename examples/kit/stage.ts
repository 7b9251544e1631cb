/** What every example is given to run on. */
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Environment, type Program, startProgram, stopPrograms } from './programs.ts';
import { createReport, type Report } from './report.ts';

export interface Stage extends Pick<Report, 'step'> {
  /** Whether to show what happens and end, instead of serving until it is stopped. */
  readonly check: boolean;
  /** Starts a program, which ends with the example. */
  start(command: readonly string[], environment: Environment, listensAt?: RegExp): Promise<Program>;
  /** Serves in this process on a free port, until the example ends. */
  serve(listener: RequestListener): Promise<Program>;
  atEnd(cleanUp: () => unknown): void;
  /** Resolves when it is asked to stop. */
  stopped(): Promise<void>;
  /** Ends everything, and says whether all went well. */
  finish(): Promise<boolean>;
}

export function createStage(check: boolean): Stage {
  const { step, finish } = createReport();
  const cleanUps: (() => unknown)[] = [];
  const { promise, resolve } = deferred();
  const end = async (): Promise<void> => {
    for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
    await stopPrograms();
  };
  let isAsked = false;
  const stop = (): void => {
    // npm passes on what the terminal has sent already, and whoever is impatient asks again.
    if (isAsked) return;
    isAsked = true;
    resolve();
    if (check) void end().finally(() => process.exit(1));
  };
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, stop);
  return {
    check,
    step,
    async start(command, environment, listensAt) {
      const program = await startProgram(command, environment, !check, listensAt);
      // The last one first: what a program needs was there before it.
      cleanUps.push(program.stop);
      return program;
    },
    async serve(listener) {
      const server = createServer(listener);
      await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
      const stop = async (): Promise<void> => {
        server.closeAllConnections();
        await new Promise<unknown>((closed) => server.close(closed));
      };
      cleanUps.push(stop);
      return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop };
    },
    atEnd: (cleanUp) => void cleanUps.push(cleanUp),
    stopped: () => promise,
    async finish() {
      await end();
      return check ? finish() : true;
    },
  };
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
