import { type Meter, metrics, type Tracer, trace } from '@opentelemetry/api';
import { type EventListener, optionError, type ServiceAuthEvent } from '../src/index.ts';
import { attribute } from './otel/attributes.ts';
import { createHealthGauges, type WatchedVerifier } from './otel/health.ts';
import { createEventMetrics } from './otel/metrics.ts';
import { createSpanRecorder } from './otel/spans.ts';
import { createBounds } from './otel/tally.ts';

export type { WatchedVerifier } from './otel/health.ts';

export interface TelemetryOptions {
  /** Where metrics go; `false` for none. @default the global meter provider's, as it is when this is called */
  readonly meter?: Meter | false | undefined;
  /** Where spans go; `false` for none. @default the global tracer provider's */
  readonly tracer?: Tracer | false | undefined;
  /** Receives every event after it was counted: a log, for example. @default none */
  readonly next?: EventListener | undefined;
  /** So many client ids are told apart; those that come later count as `_OTHER`. @default 0: none is shown */
  readonly clientIds?: number | undefined;
}

/** Turns events into metrics and spans. Made by {@link createTelemetry}. */
export interface Telemetry {
  /** For `onEvent` of verifiers, token clients, authed fetches and issuers: one serves them all. */
  readonly onEvent: EventListener;
  /** Shows the state of a verifier in gauges, until the function that comes back is called. */
  watch(verifier: WatchedVerifier): () => void;
  /** Takes all gauges and counters out of the meter. Events go to `next` alone from then on. */
  close(): void;
}

const NAME = 'service-auth';
const MOST_CLIENT_IDS = 10_000;
const names: readonly string[] = [
  'meter',
  'tracer',
  'next',
  'clientIds',
] satisfies (keyof TelemetryOptions)[];

/**
 * Makes an `onEvent` that turns events into metrics and spans of OpenTelemetry.
 *
 * Attributes have few values by rule: never a token, its id, a subject or a key id, and client ids only where
 * `clientIds` asks for them. What a meter or tracer throws while events come breaks no request. Not checked: whether an
 * SDK is there; without one nothing is shown.
 *
 * @throws TypeError that names the option, the rule and the value.
 *
 * @example
 * ```ts
 * import { createVerifier } from 'service-auth';
 * import { createTelemetry } from 'service-auth/otel';
 *
 * const telemetry = createTelemetry();
 * export const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   onEvent: telemetry.onEvent,
 * });
 * telemetry.watch(verifier);
 * ```
 */
export function createTelemetry(options: TelemetryOptions = {}): Telemetry {
  const { meter, tracer, next, clientIds } = resolve(options);
  const bounds = createBounds({ [attribute.clientId]: clientIds });
  const client = (id: string | undefined): string | undefined =>
    id === undefined || clientIds === 0 ? undefined : bounds(attribute.clientId, id);
  const eventMetrics = meter === undefined ? undefined : createEventMetrics(meter, bounds, clientIds > 0);
  const health = meter === undefined ? undefined : createHealthGauges(meter, bounds);
  const recordSpan = tracer === undefined ? undefined : createSpanRecorder(tracer, client);
  let isClosed = false;

  function observe(event: ServiceAuthEvent): void {
    // Each by itself: what breaks one of them keeps neither the other nor the log from the event.
    try {
      eventMetrics?.record(event);
    } catch {}
    try {
      recordSpan?.(event);
    } catch {}
  }

  return Object.freeze({
    onEvent(event: ServiceAuthEvent): unknown {
      if (!isClosed) observe(event);
      return next?.(event);
    },
    watch(verifier: WatchedVerifier): () => void {
      if (typeof verifier?.health !== 'function') fail('watch', 'verifier', 'made by createVerifier');
      return health?.watch(verifier) ?? (() => {});
    },
    close(): void {
      isClosed = true;
      eventMetrics?.stop();
      health?.stop();
    },
  });
}

interface Resolved {
  readonly meter: Meter | undefined;
  readonly tracer: Tracer | undefined;
  readonly next: EventListener | undefined;
  readonly clientIds: number;
}

function resolve(options: TelemetryOptions): Resolved {
  if (typeof options !== 'object' || options === null) fail('createTelemetry', 'options', 'an object');
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw optionError(
      'option_unknown',
      `createTelemetry: unknown option ${unknown}; options are ${names.join(', ')}`,
    );
  const { meter = metrics.getMeter(NAME), tracer = trace.getTracer(NAME), next, clientIds = 0 } = options;
  if (meter !== false && typeof meter?.createHistogram !== 'function') {
    fail('createTelemetry', 'meter', 'a meter of OpenTelemetry or false');
  }
  if (tracer !== false && typeof tracer?.startSpan !== 'function') {
    fail('createTelemetry', 'tracer', 'a tracer of OpenTelemetry or false');
  }
  if (next !== undefined && typeof next !== 'function') fail('createTelemetry', 'next', 'a function');
  if (!Number.isInteger(clientIds) || clientIds < 0 || clientIds > MOST_CLIENT_IDS) {
    fail(
      'createTelemetry',
      'clientIds',
      `a whole number from 0 to ${MOST_CLIENT_IDS}, not ${String(clientIds)}`,
    );
  }
  return { meter: meter || undefined, tracer: tracer || undefined, next, clientIds };
}

function fail(where: string, option: string, rule: string): never {
  throw optionError('option_invalid', `${where}: ${option} must be ${rule}`);
}
