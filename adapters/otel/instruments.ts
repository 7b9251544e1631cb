import type { Histogram, Meter } from '@opentelemetry/api';
import { attribute } from './attributes.ts';
import { type Bounds, createTallies, type Tally } from './tally.ts';

/** From a call within the machine to the longest deadline, in seconds. */
const DURATIONS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
/** From a token that had expired to one of a day, in seconds. */
const LEADS = [0, 1, 5, 10, 20, 30, 45, 60, 120, 300, 900, 3600];

const { issuer, clientId, errorType, endpoint } = attribute;

/** All that events move, by what it is about. */
export function createInstruments(meter: Meter, bounds: Bounds) {
  const tallies = createTallies(meter, bounds);
  const tally = (name: string, unit: string, description: string, ...attributes: string[]): Tally =>
    tallies.create({ name: `service_auth.${name}`, unit: `{${unit}}`, description, attributes });
  const histogram = (name: string, description: string, explicitBucketBoundaries = DURATIONS): Histogram =>
    meter.createHistogram(`service_auth.${name}`, {
      unit: 's',
      description,
      advice: { explicitBucketBoundaries },
    });

  return {
    stop: tallies.stop,
    requests: tally(
      'requests',
      'request',
      'Requests that were judged',
      attribute.outcome,
      issuer,
      attribute.cache,
      errorType,
      clientId,
    ),
    replays: tally('dpop.replays', 'proof', 'DPoP proofs that came a second time', issuer),
    unknownKids: tally(
      'keys.unknown_kid',
      'token',
      'Tokens that name a key which is not in the set',
      issuer,
      attribute.refetched,
    ),
    staleServed: tally('keys.stale_served', 'refresh', 'Failed refreshes after which old keys go on', issuer),
    refreshes: tally(
      'token.refreshes',
      'refresh',
      'Tokens that came, or did not',
      attribute.background,
      errorType,
    ),
    reused: tally('token.reused_stale', 'refresh', 'Failed refreshes after which the old token goes on'),
    storeFailures: tally(
      'token_store.failures',
      'call',
      'Calls of the store that failed',
      attribute.operation,
    ),
    retries: tally(
      'call.retries',
      'call',
      'Calls that are sent again',
      attribute.reason,
      attribute.serverAddress,
    ),
    retriesRefused: tally(
      'call.retries_refused',
      'call',
      'Calls that cannot be sent again',
      attribute.reason,
      attribute.serverAddress,
    ),
    issued: tally('issuer.tokens', 'token', 'Tokens that the issuer gave', attribute.grantType, clientId),
    refused: tally(
      'issuer.refusals',
      'request',
      'Requests that the issuer refused',
      endpoint,
      errorType,
      clientId,
    ),
    clientsRefused: tally(
      'issuer.client_refusals',
      'request',
      'Clients that could not prove who they are',
      attribute.presented,
      errorType,
      clientId,
    ),
    limited: tally(
      'issuer.limited',
      'request',
      'Requests beyond a limit',
      attribute.limit,
      endpoint,
      clientId,
    ),
    failures: tally('issuer.failures', 'request', 'Requests that the issuer failed at', errorType),
    others: tally('events', 'event', 'Events that no other metric counts', attribute.event),
    keysDuration: histogram('keys.refresh.duration', 'Fetching a key set, discovery included'),
    listDuration: histogram('status_list.refresh.duration', 'Fetching a status list'),
    introspection: histogram('introspection.duration', 'One introspection call'),
    tokenRequest: histogram('token_request.duration', 'One request to the token endpoint'),
    lead: histogram('token.refresh_lead', 'What was left of a token when its successor came', LEADS),
  };
}
