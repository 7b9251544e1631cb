import type { Meter, ObservableResult } from '@opentelemetry/api';
import type { Verifier } from '../../src/index.ts';
import { attribute } from './attributes.ts';
import type { Bounds } from './tally.ts';

export type WatchedVerifier = Pick<Verifier, 'health'>;

export interface HealthGauges {
  /** Shows the state of a verifier from now on, until the function that comes back is called. */
  watch(verifier: WatchedVerifier): () => void;
  stop(): void;
}

/** What a gauge shows of one issuer, in one verifier; undefined where it has nothing to show. */
type Reading = (issuer: ReturnType<WatchedVerifier['health']>['issuers'][number]) => number | undefined;

/** Gauges that are read when metrics are collected. Of verifiers that trust the same issuer, the worst counts. */
export function createHealthGauges(meter: Meter, bounds: Bounds): HealthGauges {
  const watched = new Set<WatchedVerifier>();
  const stops: (() => void)[] = [];

  function gauge(
    name: string,
    unit: string,
    description: string,
    observe: (result: ObservableResult) => void,
  ): void {
    const created = meter.createObservableGauge(`service_auth.${name}`, { unit, description });
    created.addCallback(observe);
    stops.push(() => created.removeCallback(observe));
  }

  function gaugeOfIssuers(name: string, unit: string, description: string, read: Reading): void {
    gauge(name, unit, description, (result) => {
      const worst = new Map<string, number>();
      for (const issuer of [...watched].flatMap((verifier) => verifier.health().issuers)) {
        const value = read(issuer);
        const shown = bounds(attribute.issuer, issuer.issuer);
        if (value !== undefined) worst.set(shown, Math.max(value, worst.get(shown) ?? value));
      }
      for (const [shown, value] of worst) result.observe(value, { [attribute.issuer]: shown });
    });
  }

  gaugeOfIssuers('keys.age', 's', 'How long ago the keys were fetched', ({ keys }) =>
    keys?.ageMs === undefined ? undefined : keys.ageMs / 1000,
  );
  // After a failure alone: those that nobody has asked for since are old, too, and no reason to worry.
  gaugeOfIssuers('keys.stale', '1', 'Whether keys past their time serve (1)', ({ keys }) =>
    keys === undefined ? undefined : Number(keys.stale && keys.failures > 0),
  );
  gaugeOfIssuers('keys.failures', '{refresh}', 'Refreshes that failed one after the other', ({ keys }) =>
    keys === undefined ? undefined : keys.failures,
  );
  gaugeOfIssuers(
    'introspection.breaker_open',
    '1',
    'Whether the endpoint is left alone (1)',
    ({ introspection }) =>
      introspection === undefined ? undefined : Number(introspection.state !== 'closed'),
  );
  gauge('token_cache.tokens', '{token}', 'Verified tokens in memory', (result) => {
    if (watched.size === 0) return;
    result.observe([...watched].reduce((sum, verifier) => sum + verifier.health().cachedTokens, 0));
  });

  return {
    watch(verifier) {
      watched.add(verifier);
      return () => void watched.delete(verifier);
    },
    stop() {
      watched.clear();
      for (const stop of stops.splice(0)) stop();
    },
  };
}
