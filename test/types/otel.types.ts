/** Compiled, never run: metrics and spans from events. */
import { metrics, trace } from '@opentelemetry/api';
import {
  createAuthedFetch,
  createVerifier,
  type EventListener,
  logEvents,
  type Verifier,
} from 'service-auth';
import {
  createTelemetry,
  type Telemetry,
  type TelemetryOptions,
  type WatchedVerifier,
} from 'service-auth/otel';

// A literal needs every option, and may have no other.
const options: Required<TelemetryOptions> = {
  meter: metrics.getMeter('orders'),
  tracer: trace.getTracer('orders'),
  next: logEvents(() => {}),
  clientIds: 100,
};
const telemetry: Telemetry = createTelemetry(options);
createTelemetry({ meter: false, tracer: false });
createTelemetry();
// @ts-expect-error: true does not say which meter
createTelemetry({ meter: true });
// @ts-expect-error: a meter, not what makes them
createTelemetry({ meter: metrics });
// @ts-expect-error: meters and tracers are told apart
createTelemetry({ tracer: metrics.getMeter('orders') });
// @ts-expect-error: a number of client ids, which bounds the series
createTelemetry({ clientIds: true });
// @ts-expect-error: an unknown option
createTelemetry({ tracers: false });

const onEvent: EventListener = telemetry.onEvent;
const verifier: Verifier = createVerifier({ onEvent });
createAuthedFetch({ onEvent });
export const watched: WatchedVerifier = verifier;
export const stop: () => void = telemetry.watch(watched);
telemetry.watch({ health: () => ({ cachedTokens: 0, issuers: [] }) });
telemetry.close();
// @ts-expect-error: what is watched says how it is
telemetry.watch({ health: () => ({ cachedTokens: 0 }) });
// @ts-expect-error: a verifier, not its state
telemetry.watch(verifier.health());
// @ts-expect-error: the listener is its own
telemetry.onEvent = onEvent;
