import type { Meter } from '@opentelemetry/api';
import type { ServiceAuthEvent } from '../../src/index.ts';
import { attribute, errorTypeOf, known, serverOf } from './attributes.ts';
import { createInstruments } from './instruments.ts';
import type { Bounds } from './tally.ts';

export interface EventMetrics {
  record(event: ServiceAuthEvent): void;
  stop(): void;
}

const { issuer, errorType } = attribute;

/** Turns events into metrics. What every request does is added up here; what needs the network is recorded at once. */
export function createEventMetrics(meter: Meter, bounds: Bounds, showsClients: boolean): EventMetrics {
  const instruments = createInstruments(meter, bounds);
  const client = (id: string | undefined): string | undefined => (showsClients ? id : undefined);
  const bounded = (name: string, value: string | undefined): string | undefined =>
    value === undefined ? undefined : bounds(name, value);
  const boundedAddress = (url: string): string | undefined =>
    bounded(attribute.serverAddress, serverOf(url).address);

  /** What comes back is of no use, and lets each case be one statement. */
  function record(event: ServiceAuthEvent): unknown {
    switch (event.type) {
      case 'request.accepted':
        return instruments.requests.add(
          'accepted',
          event.issuer,
          event.cached ? 'hit' : 'miss',
          undefined,
          client(event.clientId),
        );
      case 'request.rejected':
        return instruments.requests.add(
          'rejected',
          event.issuer,
          undefined,
          event.reason,
          client(event.clientId),
        );
      case 'request.undecided':
        return instruments.requests.add('undecided', event.issuer, undefined, event.reason);
      case 'dpop.replay':
        return instruments.replays.add(event.issuer);
      case 'keys.unknown_kid':
        return instruments.unknownKids.add(event.issuer, String(event.refetched));
      case 'keys.stale':
        return instruments.staleServed.add(event.issuer);
      case 'keys.refreshed':
      case 'keys.refresh_failed':
        return instruments.keysDuration.record(
          seconds(event.durationMs),
          known({
            [issuer]: bounded(issuer, event.issuer),
            [errorType]: 'code' in event ? event.code : undefined,
          }),
        );
      case 'status_list.refreshed':
      case 'status_list.refresh_failed':
        return instruments.listDuration.record(
          seconds(event.durationMs),
          known({
            [attribute.serverAddress]: boundedAddress(event.uri),
            [errorType]: 'code' in event ? event.code : undefined,
          }),
        );
      case 'introspection.call':
      case 'introspection.failed':
        return instruments.introspection.record(
          seconds(event.durationMs),
          known({
            [issuer]: bounded(issuer, event.issuer),
            [attribute.active]: 'active' in event ? event.active : undefined,
            [errorType]: 'code' in event ? event.code : undefined,
          }),
        );
      case 'token.requested':
        return instruments.tokenRequest.record(
          seconds(event.durationMs),
          known({
            [attribute.serverAddress]: boundedAddress(event.tokenEndpoint),
            [attribute.grantType]: event.grantType,
            [errorType]: errorTypeOf(event.code, event.oauthError),
          }),
        );
      case 'token.refreshed':
        if (event.leadMs !== undefined) {
          instruments.lead.record(seconds(event.leadMs), { [attribute.background]: event.background });
        }
        return instruments.refreshes.add(String(event.background), undefined);
      case 'token.refresh_failed':
        return instruments.refreshes.add(undefined, errorTypeOf(event.code, event.oauthError));
      case 'token.reused_stale':
        return instruments.reused.add();
      case 'token.store_failed':
        return instruments.storeFailures.add(event.operation);
      case 'retry':
        return instruments.retries.add(event.reason, serverOf(event.origin).address);
      case 'retry.refused':
        return instruments.retriesRefused.add(event.reason, serverOf(event.origin).address);
      case 'issuer.token_issued':
        return instruments.issued.add(event.grantType, client(event.clientId));
      case 'issuer.request_refused':
        return instruments.refused.add(event.endpoint, event.error, client(event.clientId));
      case 'issuer.client_refused':
        return instruments.clientsRefused.add(event.presented, event.reason, client(event.clientId));
      case 'issuer.limited':
        return instruments.limited.add(event.limit, event.endpoint, client(event.clientId));
      case 'issuer.request_failed':
        return instruments.failures.add(event.errorName);
      default:
        return instruments.others.add(event.type);
    }
  }

  return { record, stop: instruments.stop };
}

/** A clock that was set back, or a token that had expired, must not make them negative: histograms take no such. */
function seconds(ms: number): number {
  return Math.max(ms, 0) / 1000;
}
