/** What it costs a protected request to be counted: the same route with and without somebody who listens. */
import { median, type Row } from './harness.ts';
import { type Effort, type Sample, sampleRoutes } from './http/index.ts';
import type { Route } from './http/routes.ts';

const routes: readonly Route[] = [
  { name: 'floor: protected, nobody listens', path: '/silent', credentials: 'known' },
  { name: 'limit: a listener that does nothing', path: '/heard', credentials: 'known' },
  { name: 'service-auth, metrics and spans', path: '/observed', credentials: 'known' },
  { name: 'service-auth, metrics, spans and a log', path: '/logged', credentials: 'known' },
];

export async function telemetry(effort: Effort): Promise<readonly Row[]> {
  const samples = await sampleRoutes('telemetry', routes, effort);
  const [first] = routes;
  const floor = (first && samples.get(first)) ?? [];
  return routes.map((route) => {
    const own = samples.get(route) ?? [];
    const of = (value: (sample: Sample, silent: Sample) => number): number =>
      median(own.flatMap((sample, round) => (floor[round] ? [value(sample, floor[round])] : [])));
    return {
      name: route.name,
      figures: {
        'requests/s': of(({ requestsPerSecond }) => requestsPerSecond),
        'of the same without': of(
          ({ requestsPerSecond }, { requestsPerSecond: most }) => requestsPerSecond / most,
        ),
        'CPU us': of(({ cpuUs }) => cpuUs),
        'CPU us over the same without': of(({ cpuUs }, { cpuUs: least }) => cpuUs - least),
        'p99 ms': of(({ p99Ms }) => p99Ms),
      },
    };
  });
}
