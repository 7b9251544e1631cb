/** Protected routes against the open one of the same server; a load of 32 connections from another process. */
import { type Child, startChild } from '../children.ts';
import { inTurns, median, type Row, spreadOf } from '../harness.ts';
import type { Answered, LoadQuestion } from './load.ts';
import { type Framework, type Route, routesOf, type Setup } from './routes.ts';
import type { Cost, ServerName, ServerQuestion } from './server.ts';

const CONNECTIONS = 32;
/** Sent before anything counts: code that was not run for a while must be compiled anew. */
const WARM_UP = 1500;

export interface Effort {
  readonly rounds: number;
  readonly requests: number;
}

export interface Sample extends Answered, Pick<Cost, 'longestBlockMs' | 'longestTurnMs'> {
  readonly cpuUs: number;
}

/** A server and a load generator, each a process of its own. */
export interface Pair {
  readonly server: Child;
  sample(route: Route, requests: number, connections: number, watchLoop: boolean): Promise<Sample>;
  stop(): void;
}

export async function startPair(name: ServerName): Promise<Pair> {
  const load = startChild('http/load.ts');
  const server = startChild('http/server.ts');
  const askLoad = <T>(question: LoadQuestion): Promise<T> => load.ask(question);
  const askServer = <T>(question: ServerQuestion): Promise<T> => server.ask(question);
  const jwk = await askLoad<Setup['jwk']>({ do: 'key' });
  const port = await askServer<number>({ do: 'listen', name, jwk });
  return {
    server,
    async sample({ path, credentials }, requests, connections, watchLoop) {
      const prepared = requests + WARM_UP;
      await askLoad({ do: 'prepare', port, path, credentials, requests: prepared, connections });
      await askLoad({ do: 'send', count: WARM_UP });
      await askServer({ do: 'begin', watchLoop });
      const answered = await askLoad<Answered>({ do: 'send', count: requests });
      const { cpuMicroseconds, ...blocked } = await askServer<Cost>({ do: 'end' });
      await askLoad({ do: 'hang up' });
      return { ...answered, cpuUs: cpuMicroseconds / requests, ...blocked };
    },
    stop() {
      server.stop();
      load.stop();
    },
  };
}

/** What each route of a server gave in every round; they take turns. */
export async function sampleRoutes(
  name: ServerName,
  routes: readonly Route[],
  { rounds, requests }: Effort,
): Promise<ReadonlyMap<Route, readonly Sample[]>> {
  const pair = await startPair(name);
  const samples = new Map<Route, Sample[]>(routes.map((route) => [route, []]));
  try {
    await inTurns(routes, rounds, async (route, isWarm) => {
      const sample = await pair.sample(route, requests, CONNECTIONS, false);
      if (isWarm) samples.get(route)?.push(sample);
    });
  } finally {
    pair.stop();
  }
  return samples;
}

export async function http(framework: Framework, effort: Effort): Promise<readonly Row[]> {
  const routes = routesOf(framework);
  const samples = await sampleRoutes(framework, routes, effort);
  const [open] = routes;
  const floor = (open && samples.get(open)) ?? [];
  return routes.map((route) => {
    const own = samples.get(route) ?? [];
    const each = (value: (sample: Sample, open: Sample) => number): readonly number[] =>
      own.flatMap((sample, round) => (floor[round] ? [value(sample, floor[round])] : []));
    const of = (value: (sample: Sample, open: Sample) => number): number => median(each(value));
    const shares = each(({ requestsPerSecond }, { requestsPerSecond: most }) => requestsPerSecond / most);
    return {
      name: route.name,
      figures: {
        'requests/s': of(({ requestsPerSecond }) => requestsPerSecond),
        'of the open route': median(shares),
        ...spreadOf(shares),
        'CPU us': of(({ cpuUs }) => cpuUs),
        'CPU of the open route': of(({ cpuUs }, { cpuUs: least }) => cpuUs / least),
        'CPU us over the open route': of(({ cpuUs }, { cpuUs: least }) => cpuUs - least),
        'p50 ms': of(({ p50Ms }) => p50Ms),
        'p99 ms': of(({ p99Ms }) => p99Ms),
      },
    };
  });
}
