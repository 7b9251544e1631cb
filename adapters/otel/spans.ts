import { type Attributes, SpanKind, SpanStatusCode, type Tracer } from '@opentelemetry/api';
import type { ServiceAuthEvent } from '../../src/index.ts';
import { attribute, errorTypeOf, known, serverOf } from './attributes.ts';

export type SpanRecorder = (event: ServiceAuthEvent) => void;

interface Description {
  readonly name: string;
  readonly kind: SpanKind;
  readonly durationMs: number;
  readonly attributes: Attributes;
  /** Whether something failed; a request that was rightly turned away did not. */
  readonly failed: boolean;
}

/**
 * Turns events that took time into spans. They are written down when all is over, with the time at which they began,
 * under the span that is active then: that of the request which caused them.
 */
export function createSpanRecorder(
  tracer: Tracer,
  client: (id: string | undefined) => string | undefined,
): SpanRecorder {
  return (event) => {
    const described = describe(event, client);
    if (described === undefined) return;
    const { name, kind, durationMs, attributes, failed } = described;
    const startTime = event.at - Math.max(durationMs, 0);
    const span = tracer.startSpan(`service_auth.${name}`, { kind, startTime, attributes: known(attributes) });
    if (failed) span.setStatus({ code: SpanStatusCode.ERROR });
    span.end(event.at);
  };
}

function describe(
  event: ServiceAuthEvent,
  client: (id: string | undefined) => string | undefined,
): Description | undefined {
  switch (event.type) {
    case 'request.accepted':
    case 'request.rejected':
    case 'request.undecided':
      return describeRequest(event, client);
    case 'token.requested':
      return requestTo(event.tokenEndpoint, 'token_request', event.durationMs, event.code !== undefined, {
        [attribute.method]: 'POST',
        [attribute.grantType]: event.grantType,
        [attribute.clientId]: client(event.clientId),
        [attribute.status]: event.status,
        [attribute.errorType]: errorTypeOf(event.code, event.oauthError),
      });
    case 'introspection.call':
      return requestTo(event.endpoint, 'introspection', event.durationMs, false, {
        [attribute.method]: 'POST',
        [attribute.issuer]: event.issuer,
        [attribute.active]: event.active,
        [attribute.attempts]: event.attempts,
      });
    case 'introspection.failed':
      return requestTo(event.endpoint, 'introspection', event.durationMs, true, {
        [attribute.method]: 'POST',
        [attribute.issuer]: event.issuer,
        [attribute.errorType]: event.code,
      });
    case 'keys.refreshed':
      return requestTo(event.jwksUri, 'keys_refresh', event.durationMs, false, {
        [attribute.method]: 'GET',
        [attribute.issuer]: event.issuer,
        [attribute.keys]: event.keys,
      });
    case 'keys.refresh_failed':
      return requestTo(event.jwksUri, 'keys_refresh', event.durationMs, true, {
        [attribute.method]: 'GET',
        [attribute.issuer]: event.issuer,
        [attribute.errorType]: event.code,
      });
    case 'status_list.refreshed':
    case 'status_list.refresh_failed':
      return requestTo(event.uri, 'status_list_refresh', event.durationMs, 'code' in event, {
        [attribute.method]: 'GET',
        [attribute.errorType]: 'code' in event ? event.code : undefined,
      });
    default:
      return undefined;
  }
}

type Judged = Extract<ServiceAuthEvent, { type: `request.${string}` }>;

/** Where a known token was good, there is nothing to see: that took microseconds. */
function describeRequest(
  event: Judged,
  client: (id: string | undefined) => string | undefined,
): Description | undefined {
  if (event.type === 'request.accepted' && event.durationMs === undefined) return undefined;
  const outcome = event.type.slice('request.'.length);
  const isAccepted = event.type === 'request.accepted';
  return {
    name: 'authenticate',
    kind: SpanKind.INTERNAL,
    durationMs: event.durationMs ?? 0,
    failed: event.type === 'request.undecided',
    attributes: {
      [attribute.outcome]: outcome,
      [attribute.issuer]: event.issuer,
      [attribute.cache]: isAccepted ? (event.cached ? 'hit' : 'miss') : undefined,
      [attribute.clientId]: 'clientId' in event ? client(event.clientId) : undefined,
      [attribute.step]: 'step' in event ? event.step : undefined,
      [attribute.status]: isAccepted ? undefined : 'status' in event ? event.status : 503,
      [attribute.errorType]: isAccepted ? undefined : event.reason,
    },
  };
}

function requestTo(
  url: string | undefined,
  name: string,
  durationMs: number,
  failed: boolean,
  attributes: Attributes,
): Description {
  const { address, port } = serverOf(url);
  const server = { [attribute.serverAddress]: address, [attribute.serverPort]: port };
  return { name, kind: SpanKind.CLIENT, durationMs, failed, attributes: { ...server, ...attributes } };
}
