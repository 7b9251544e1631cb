/** Metrics for Prometheus at /metrics, and what hands them the events of service-auth. */
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { MeterProvider } from '@opentelemetry/sdk-metrics';
import pino from 'pino';
import { logEvents } from 'service-auth';
import { createTelemetry } from 'service-auth/otel';

const PORT = Number(process.env.METRICS_PORT ?? 9464);

const exporter = new PrometheusExporter({ host: '127.0.0.1', port: PORT });
const meters = new MeterProvider({ readers: [exporter] });

export const telemetry = createTelemetry({
  meter: meters.getMeter('service-auth'),
  // Where an SDK for traces is registered, the line goes and spans come by themselves.
  tracer: false,
  next: logEvents(pino({ base: null }, pino.destination(2))),
});

export const metricsUrl = `http://127.0.0.1:${PORT}/metrics`;

export async function stopTelemetry(): Promise<void> {
  telemetry.close();
  await meters.shutdown();
}
