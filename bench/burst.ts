/** Many new ES256 tokens at once over HTTP: how long the loop stands, and how long the last waits. */
import { pinToOneCore } from './children.ts';
import { inTurns, median, type Row } from './harness.ts';
import { startPair } from './http/index.ts';
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
  if (onOneCore && !pinToOneCore(pair.server.process)) {
    pair.stop();
    return undefined;
  }
  const samples = new Map(routes.map((route) => [route, [] as Awaited<ReturnType<typeof pair.sample>>[]]));
  // Until the engine has compiled it all, which a burst alone would not bring about.
  for (const route of routes) await pair.sample(route, 1000, 8, false);
  await inTurns(routes, rounds, async (route, isWarm) => {
    const sample = await pair.sample(route, tokens, tokens, true);
    if (isWarm) samples.get(route)?.push(sample);
  });
  pair.stop();
  return routes.map((route) => {
    const own = samples.get(route) ?? [];
    return {
      name: route.name,
      figures: {
        'loop blocked, ms at most': median(own.map(({ longestBlockMs }) => longestBlockMs)),
        'p50 ms': median(own.map(({ p50Ms }) => p50Ms)),
        'p99 ms': median(own.map(({ p99Ms }) => p99Ms)),
        'requests/s': median(own.map(({ requestsPerSecond }) => requestsPerSecond)),
        'CPU us': median(own.map(({ cpuUs }) => cpuUs)),
      },
    };
  });
}
