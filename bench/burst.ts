/** Many new ES256 tokens at once over HTTP: how long the loop stands, and how long the last waits. */
import { pinToOneCore } from './children.ts';
import { type Figures, inTurns, median, type Row, spreadOf } from './harness.ts';
import { type Pair, type Sample, startPair } from './http/index.ts';
import type { Route } from './http/routes.ts';

const routes: readonly Route[] = [
  { name: 'floor: open route', path: '/open', credentials: 'new' },
  { name: 'service-auth, whole authenticate', path: '/ours', credentials: 'new' },
  { name: 'fast-jwt, all in the loop', path: '/fast-jwt', credentials: 'new' },
  { name: 'jose, all in the pool', path: '/jose', credentials: 'new' },
  { name: 'crypto.verify, all in the loop', path: '/loop', credentials: 'new' },
  { name: 'crypto.verify, all in the pool', path: '/pool', credentials: 'new' },
];

/** Every round is one burst, a connection for each token. Undefined where the server cannot be bound to one core. */
export async function burst(
  tokens: number,
  rounds: number,
  onOneCore: boolean,
): Promise<readonly Row[] | undefined> {
  const pair = await startPair('burst');
  try {
    if (onOneCore && !pinToOneCore(pair.server.process)) return undefined;
    return await measureBursts(pair, tokens, rounds);
  } finally {
    pair.stop();
  }
}

async function measureBursts(pair: Pair, tokens: number, rounds: number): Promise<readonly Row[]> {
  const samples = new Map<Route, Sample[]>(routes.map((route) => [route, []]));
  // Until the engine has compiled it all, which a burst alone would not bring about.
  for (const route of routes) await pair.sample(route, 1000, 8, false);
  await inTurns(routes, rounds, async (route, isWarm) => {
    const sample = await pair.sample(route, tokens, tokens, true);
    if (isWarm) samples.get(route)?.push(sample);
  });
  return routes.map((route) => ({ name: route.name, figures: figuresOf(samples.get(route) ?? []) }));
}

/** Columns in which every round gives its maximum, and the rounds their median. */
const longestTurn = 'verified in one turn, ms (median of maxima)';
export const loopBlocked = 'loop blocked, ms (median of maxima)';

function figuresOf(samples: readonly Sample[]): Figures {
  const turns = samples.flatMap(({ longestTurnMs }) => longestTurnMs ?? []);
  const latencies = samples.map(({ p99Ms }) => p99Ms);
  return {
    // Not a number where nothing was timed.
    [longestTurn]: median(turns),
    [loopBlocked]: median(samples.map(({ longestBlockMs }) => longestBlockMs)),
    'p50 ms': median(samples.map(({ p50Ms }) => p50Ms)),
    'p99 ms': median(latencies),
    ...spreadOf(latencies),
    'requests/s': median(samples.map(({ requestsPerSecond }) => requestsPerSecond)),
    'CPU us': median(samples.map(({ cpuUs }) => cpuUs)),
  };
}
