/** One run of work at a time, whose result serves all who ask meanwhile. */
import { sharesPromises } from './runtime.ts';

export interface SingleFlight<T> {
  /** Joins the run under way, or begins one. */
  run(work: () => Promise<T>): Promise<T>;
  /** Whether one is under way, so that nobody need begin another in the background. */
  isRunning(): boolean;
  /** The run under way, where it may be waited for. */
  current(): Promise<T> | undefined;
}

/** Longer runs were most likely ended together with the request that began them. */
const LONGEST_RUN_MS = 5000;

/**
 * Makes a single flight. Where requests must not wait for what another one began (Cloudflare Workers), everybody runs
 * the work for himself, and only what is begun in the background is begun once.
 */
export function createSingleFlight<T>(shares = sharesPromises): SingleFlight<T> {
  return shares ? shared() : separate();
}

function shared<T>(): SingleFlight<T> {
  let running: Promise<T> | undefined;
  return {
    run(work) {
      running ??= work().finally(() => {
        running = undefined;
      });
      return running;
    },
    isRunning: () => running !== undefined,
    current: () => running,
  };
}

function separate<T>(): SingleFlight<T> {
  let latest: { readonly startedAt: number } | undefined;
  return {
    async run(work) {
      const run = { startedAt: Date.now() };
      latest = run;
      try {
        return await work();
      } finally {
        if (latest === run) latest = undefined;
      }
    },
    isRunning: () => latest !== undefined && Date.now() - latest.startedAt < LONGEST_RUN_MS,
    current: () => undefined,
  };
}
