/** Routes of `node:http` that are protected alike and report to nobody, to a listener, or to the SDK of OpenTelemetry. */
import { createServer, type Server } from 'node:http';
import { MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, BatchSpanProcessor, type SpanExporter } from '@opentelemetry/sdk-trace-base';
import pino from 'pino';
import { createVerifier, logEvents, type VerifierOptions } from 'service-auth';
import { requireServiceAuth, type ServiceAuthMiddleware } from 'service-auth/express';
import { createTelemetry } from 'service-auth/otel';
import { audience, issuer } from '../tokens.ts';
import { answer } from './answer.ts';
import type { Setup } from './routes.ts';
import { scope } from './verifiers.ts';

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

function createListeners(): Readonly<Record<string, VerifierOptions['onEvent']>> {
  const meter = new MeterProvider({ readers: [new Collector()] }).getMeter('service-auth');
  const spanProcessors = [new BatchSpanProcessor(nowhere)];
  const tracer = new BasicTracerProvider({ spanProcessors }).getTracer('service-auth');
  const log = logEvents(pino(pino.destination({ dest: '/dev/null', sync: false })));
  return {
    silent: undefined,
    heard: () => {},
    observed: createTelemetry({ meter, tracer }).onEvent,
    logged: createTelemetry({ meter, tracer, next: log }).onEvent,
  };
}

export async function createTelemetryServer({ jwksUri }: Setup): Promise<Server> {
  const routes = new Map<string | undefined, ServiceAuthMiddleware>();
  for (const [name, onEvent] of Object.entries(createListeners())) {
    const verifier = createVerifier({ issuer: { issuer, jwksUri }, audience, onEvent });
    routes.set(`/${name}`, requireServiceAuth({ verifier, scope }));
  }
  return createServer((request, response) => {
    const protect = routes.get(request.url);
    protect?.(request, response, () => answer(response));
  });
}
