/** The real SDK of OpenTelemetry in memory, and an issuer, a verifier and a client that report to it. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, ROOT_CONTEXT } from '@opentelemetry/api';
import {
  type DataPoint,
  type Histogram,
  MeterProvider,
  type MetricData,
  MetricReader,
} from '@opentelemetry/sdk-metrics';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { createTelemetry, type Telemetry, type TelemetryOptions } from '../../../adapters/otel.ts';
import {
  createTokenClient,
  createVerifier,
  type ServiceAuthEvent,
  type TokenClient,
  type TokenClientOptions,
  type Verifier,
  type VerifierOptions,
} from '../../../src/index.ts';
import { type Credentials, createHarness, type Harness, ISSUER, ORDERS } from '../issuer/harness.ts';

class TestReader extends MetricReader {
  protected async onForceFlush(): Promise<void> {}
  protected async onShutdown(): Promise<void> {}
}

export interface Sdk {
  readonly telemetry: Telemetry;
  readonly spans: InMemorySpanExporter;
  metrics(): Promise<readonly MetricData[]>;
  /** The value of each series of a metric, by its attributes as text: `issuer=a outcome=accepted`. */
  values(name: string): Promise<Readonly<Record<string, number>>>;
  /** How often a histogram was recorded, and the sum. */
  recorded(name: string): Promise<Readonly<Record<string, { count: number; sum: number }>>>;
}

export function createSdk(options: TelemetryOptions = {}): Sdk {
  const reader = new TestReader();
  const spans = new InMemorySpanExporter();
  const meters = new MeterProvider({ readers: [reader] });
  const tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
  const telemetry = createTelemetry({
    meter: meters.getMeter('service-auth'),
    tracer: tracers.getTracer('service-auth'),
    ...options,
  });

  async function metrics(): Promise<readonly MetricData[]> {
    const { resourceMetrics, errors } = await reader.collect();
    if (errors.length > 0) throw errors[0];
    return resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  }

  async function points(name: string): Promise<readonly DataPoint<number | Histogram>[]> {
    const metric = (await metrics()).find(({ descriptor }) => descriptor.name === `service_auth.${name}`);
    return (metric?.dataPoints ?? []) as readonly DataPoint<number | Histogram>[];
  }

  return {
    telemetry,
    spans,
    metrics,
    async values(name) {
      return Object.fromEntries(
        (await points(name)).map(({ attributes, value }) => [textOf(attributes), value as number]),
      );
    },
    async recorded(name) {
      return Object.fromEntries(
        (await points(name)).map(({ attributes, value }) => {
          const { count, sum = 0 } = value as Histogram;
          return [textOf(attributes), { count, sum }];
        }),
      );
    },
  };
}

/** Attributes without the prefix, in the order of their names. */
function textOf(attributes: object): string {
  return Object.entries(attributes)
    .map(([name, value]) => `${name.replace('service_auth.', '')}=${value}`)
    .sort()
    .join(' ');
}

export interface World extends Sdk {
  readonly harness: Harness;
  readonly verifier: Verifier;
  readonly events: ServiceAuthEvent[];
  /** While true the issuer cannot be reached. */
  down: boolean;
  readonly fetch: typeof globalThis.fetch;
  verifierOf(options?: Partial<VerifierOptions>): Verifier;
  client(service: Credentials, options?: Partial<TokenClientOptions>): TokenClient;
}

export function createWorld(options: TelemetryOptions = {}): World {
  const events: ServiceAuthEvent[] = [];
  const sdk = createSdk({ next: (event) => events.push(event), ...options });
  const { onEvent } = sdk.telemetry;
  const harness = createHarness({ onEvent });
  const now = (): number => harness.nowSeconds() * 1000;

  const fetch: typeof globalThis.fetch = async (input, init) => {
    if (world.down) throw new TypeError('fetch failed');
    return harness.issuer.fetch(new Request(input, init));
  };
  const verifierOf = (given: Partial<VerifierOptions> = {}): Verifier =>
    createVerifier({ issuer: ISSUER, audience: ORDERS, fetch, now, onEvent, ...given });
  const client = (service: Credentials, given: Partial<TokenClientOptions> = {}): TokenClient =>
    createTokenClient({
      issuer: ISSUER,
      ...service,
      resource: ORDERS,
      fetch,
      now,
      onEvent,
      random: () => 0,
      ...given,
    });

  const world: World = {
    ...sdk,
    harness,
    verifier: verifierOf(),
    events,
    down: false,
    fetch,
    verifierOf,
    client,
  };
  return world;
}

/** What a context manager of Node does: each flow of control has its context. */
export class TestContextManager implements ContextManager {
  readonly #storage = new AsyncLocalStorage<Context>();

  active(): Context {
    return this.#storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    fn: F,
    thisArg?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    return this.#storage.run(context, () => fn.call(thisArg, ...args));
  }

  bind<T>(_context: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.#storage.disable();
    return this;
  }
}
