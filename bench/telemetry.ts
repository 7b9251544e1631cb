/** What it costs a protected request to be counted: the same with and without somebody who listens. */
import { createVerifier } from 'service-auth';
import { type Contender, median, must, type Row } from './harness.ts';
import { type Effort, type Sample, sampleRoutes } from './http/index.ts';
import type { Route } from './http/routes.ts';
import { createListeners } from './listeners.ts';
import { audience, createSigner, issuer } from './tokens.ts';

const names = {
  silent: 'floor: protected, nobody listens',
  heard: 'limit: a listener that does nothing',
  observed: 'service-auth, metrics and spans',
  logged: 'service-auth, metrics, spans and a log',
} as const;

const routes: readonly Route[] = [
  { name: names.silent, path: '/silent', credentials: 'known' },
  { name: names.heard, path: '/heard', credentials: 'known' },
  { name: names.observed, path: '/observed', credentials: 'known' },
  { name: names.logged, path: '/logged', credentials: 'known' },
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

const DISTINCT = 1000;

/** The verification alone, in this process: rounds of a server differ by more than what is looked for here. */
export async function telemetryAlone(): Promise<readonly Contender[]> {
  const signer = await createSigner('ES256');
  const tokens = Array.from({ length: DISTINCT }, () => signer.token());
  const listeners = createListeners();
  const kinds = ['silent', 'heard', 'observed', 'logged'] as const;
  const contenders = kinds.map(async (kind): Promise<Contender> => {
    const issuers = { issuer, jwks: { keys: [signer.jwk] } };
    const verifier = createVerifier({ issuer: issuers, audience, onEvent: listeners[kind] });
    for (const token of tokens) await verifier.verifyToken(token);
    const guard = verifier.guard({ scope: 'orders:read' });
    const requests = tokens.map((token) => {
      const value = `Bearer ${token}`;
      return { method: 'GET', url: '/orders', headers: { get: () => value } };
    });
    const run: Contender['run'] = (from, count) => {
      for (let at = from; at < from + count; at++) {
        const request = requests[at % DISTINCT];
        const outcome = request && guard(request);
        must(outcome !== undefined && !(outcome instanceof Promise) && outcome.ok);
      }
    };
    return { name: names[kind], run };
  });
  return Promise.all(contenders);
}
