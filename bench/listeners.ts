/** Who may listen to a verifier: nobody, a listener that does nothing, or the SDK of OpenTelemetry with and without a log. */
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import pino from 'pino';
import { logEvents, type VerifierOptions } from 'service-auth';
import { createTelemetry } from 'service-auth/otel';

const COLLECT_MS = 1000;

/** Is asked for everything once a second, fifteen times as often as Prometheus asks as a rule. */
class Collector extends MetricReader {
  readonly #timer = setInterval(() => void this.collect(), COLLECT_MS).unref();

  protected async onForceFlush(): Promise<void> {}

  protected async onShutdown(): Promise<void> {
    clearInterval(this.#timer);
  }
}

/** Takes spans and keeps none. */
const nowhere: SpanExporter = {
  export: (_spans, done) => done({ code: 0 }),
  shutdown: async () => {},
};

export function createListeners() {
  const meter = new MeterProvider({ readers: [new Collector()] }).getMeter('service-auth');
  const spanProcessors = [new BatchSpanProcessor(nowhere)];
  const tracer = new BasicTracerProvider({ spanProcessors }).getTracer('service-auth');
  const log = logEvents(pino(pino.destination({ dest: '/dev/null', sync: false })));
  return {
    silent: undefined,
    heard: () => {},
    observed: createTelemetry({ meter, tracer }).onEvent,
    logged: createTelemetry({ meter, tracer, next: log }).onEvent,
  } satisfies Record<string, VerifierOptions['onEvent']>;
}
