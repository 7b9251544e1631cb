/** Compiled, never run: every event, as loggers and metrics read them. */
import pino from 'pino';
import {
  createVerifier,
  type EventListener,
  type EventLogger,
  type EventMembers,
  type LimitedLogOptions,
  type LogFunction,
  type LogLevel,
  logEvents,
  type ServiceAuthEvent,
} from 'service-auth';
import type {
  ServiceAuthEvent as IssuerEvent,
  EventListener as IssuerEventListener,
} from 'service-auth/issuer';
import type { Equal } from './equal.ts';

const issuer = 'https://idp.example';
const clientId = 'billing';
const durationMs = 12;

/** The members of an event beside its type and time, each of them. */
type Members<T extends ServiceAuthEvent['type']> = Required<
  Omit<Extract<ServiceAuthEvent, { type: T }>, 'type' | 'at'>
>;

// Of every event, and of no other, every member, and no other.
export const every: { readonly [T in ServiceAuthEvent['type']]: Members<T> } = {
  'request.accepted': { issuer, clientId, cached: true, durationMs: undefined },
  'request.rejected': {
    reason: 'expired',
    status: 401,
    step: 'claims',
    expected: undefined,
    actual: undefined,
    hint: undefined,
    issuer: undefined,
    clientId: undefined,
    durationMs,
  },
  'request.undecided': {
    reason: 'overloaded',
    issuer: undefined,
    retryAfterMs: 1000,
    message: 'Too many wait',
    durationMs,
  },
  'keys.refreshed': { issuer, keys: 2, ignored: 1, jwksUri: undefined, durationMs },
  'keys.refresh_failed': {
    issuer,
    code: 'timeout',
    message: 'No answer',
    retryInMs: 1000,
    jwksUri: undefined,
    durationMs,
  },
  'keys.stale': { issuer, ageMs: 600_000 },
  'keys.unknown_kid': { issuer, kid: undefined, refetched: true },
  'introspection.call': { issuer, endpoint: undefined, durationMs, active: true, attempts: 1 },
  'introspection.failed': {
    issuer,
    endpoint: undefined,
    durationMs,
    code: 'timeout',
    message: 'No answer',
    breakerOpen: false,
  },
  'dpop.replay': { issuer, clientId: undefined, jkt: 'thumbprint' },
  'status_list.refreshed': { uri: `${issuer}/status-lists/1`, statuses: 8, durationMs },
  'status_list.refresh_failed': {
    uri: `${issuer}/status-lists/1`,
    code: 'timeout',
    message: 'No answer',
    retryInMs: 1000,
    durationMs,
  },
  'token.requested': {
    clientId,
    tokenEndpoint: `${issuer}/token`,
    grantType: 'client_credentials',
    durationMs,
    code: undefined,
    status: undefined,
    oauthError: undefined,
  },
  'token.refreshed': { clientId, scope: undefined, expiresAt: 0, background: true, leadMs: undefined },
  'token.refresh_failed': {
    clientId,
    code: 'timeout',
    status: undefined,
    oauthError: undefined,
    message: 'No answer',
  },
  'token.reused_stale': { clientId, expiresAt: 0 },
  retry: { reason: 'clock_skew', origin: 'https://orders.example' },
  'retry.refused': { reason: 'body_not_replayable', origin: 'https://orders.example' },
  'token.store_failed': { operation: 'lease' },
  'issuer.token_issued': {
    clientId,
    grantType: 'client_credentials',
    scope: undefined,
    audience: ['https://orders.example'],
    tokenId: 'id',
    expiresAt: 0,
  },
  'issuer.request_refused': {
    endpoint: '/token',
    error: 'invalid_scope',
    description: 'Not registered',
    clientId: undefined,
  },
  'issuer.client_refused': { clientId: undefined, presented: 'secret', reason: 'wrong_secret' },
  'issuer.token_revoked': { clientId, tokenId: 'id' },
  'issuer.service_created': { clientId },
  'issuer.service_updated': { clientId, version: 2 },
  'issuer.service_revoked': { clientId },
  'issuer.secret_added': { clientId, secretId: 'id' },
  'issuer.secret_removed': { clientId, secretId: 'id' },
  'issuer.resource_changed': { resource: 'https://orders.example', change: 'updated' },
  'issuer.keys_rotated': { kid: 'kid', algorithm: 'ES256', activeFrom: 0 },
  'issuer.limited': { limit: 'client', endpoint: '/token', clientId: undefined, address: undefined },
  'issuer.limits_not_shared': { limit: 'address', errorName: 'RedisFailure' },
  'issuer.request_failed': { method: 'POST', path: '/token', errorName: 'Error', errorCode: undefined },
};

/** Why a call is sent again, every reason. */
export function explainRetry(event: Extract<ServiceAuthEvent, { type: 'retry' }>): string {
  switch (event.reason) {
    case 'invalid_token':
    case 'use_dpop_nonce':
    case 'clock_skew':
      return event.origin;
    default:
      return event.reason satisfies never;
  }
}

/** Whom the issuer refused and why, every reason. */
export function explainRefusal(event: Extract<ServiceAuthEvent, { type: 'issuer.client_refused' }>): string {
  switch (event.reason) {
    case 'unknown_client':
    case 'revoked_client':
    case 'wrong_method':
    case 'wrong_secret':
    case 'wrong_claims':
    case 'unknown_key':
    case 'bad_signature':
    case 'replayed_assertion':
    case 'unknown_identity':
    case 'wrong_assertion':
    case 'no_certificate':
    case 'unverified_certificate':
    case 'wrong_certificate':
      // @ts-expect-error: nobody may be known by that name
      event.clientId.length;
      return event.clientId ?? event.presented;
    default:
      return event.reason satisfies never;
  }
}

export const listener: EventListener = (event) => {
  const time: number = event.at;
  // @ts-expect-error: an event cannot be changed
  event.at = time;
  // @ts-expect-error: which members there are depends on the type
  event.issuer;
  // @ts-expect-error: no such event
  if (event.type === 'request.refused') return;
  // @ts-expect-error: events never hold a token
  if (event.type === 'request.accepted') event.token;
  // @ts-expect-error: who calls may be unknown
  if (event.type === 'request.rejected') event.clientId.length;
  // @ts-expect-error: what was in memory was not measured
  if (event.type === 'request.accepted') event.durationMs.toFixed();
  // Without a client, nothing is said of one.
  return 'clientId' in event ? event.clientId?.length : undefined;
};
// @ts-expect-error: a listener takes an event, not its type
export const wrongListener: EventListener = (type: string) => type;
export const later: EventListener = async () => {};

// One stream: what the issuer tells is told in the same words.
export const sameEvent: Equal<IssuerEvent, ServiceAuthEvent> = true;
export const sameListener: Equal<IssuerEventListener, EventListener> = true;

// A program's own logger
const options: Required<LimitedLogOptions> = { level: 'warn', maxPerSecond: 20 };
createVerifier({ issuer, audience: null, onEvent: logEvents(pino(), options) });
const write: LogFunction = (level, text, members) => {
  const known: LogLevel = level;
  const time: number = members.at;
  // @ts-expect-error: what a member is depends on the event
  members.clientId.length;
  return [known, time, text];
};
export const written: EventListener = logEvents(write);
export const levels: Equal<LogLevel, 'debug' | 'info' | 'warn' | 'error'> = true;
export const members: EventMembers = { at: 0, issuer };
// @ts-expect-error: every event has its time
export const timeless: EventMembers = { issuer };
const silent = (): void => {};
const own: EventLogger = {
  debug: silent,
  info: silent,
  warn: (object, text) => [object, text],
  error: silent,
};
logEvents(own);
// @ts-expect-error: a logger has a method for each level
logEvents({ debug: silent, info: silent, warn: silent });
// @ts-expect-error: no such level
logEvents(own, { level: 'trace' });
// @ts-expect-error: an unknown option
logEvents(own, { levels: 'warn' });
