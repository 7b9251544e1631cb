/** The stable words for why a request was not accepted. */
export type RejectionReason =
  | 'no_credentials'
  | 'unsupported_scheme'
  | 'malformed_credentials'
  | 'token_too_large'
  | 'malformed_token'
  | 'unsupported_crit'
  | 'algorithm_not_allowed'
  | 'wrong_typ'
  | 'unknown_issuer'
  | 'unknown_key'
  | 'bad_signature'
  | 'expired'
  | 'not_yet_valid'
  | 'issued_in_future'
  | 'too_old'
  | 'invalid_claim'
  | 'wrong_audience'
  | 'wrong_token_kind'
  | 'inactive_token'
  | 'invalidated'
  | 'status_not_valid'
  | 'status_out_of_range'
  | 'unsupported_binding'
  | 'bound_token_as_bearer'
  | 'token_not_bound'
  | 'missing_proof'
  | 'malformed_proof'
  | 'proof_algorithm_not_allowed'
  | 'proof_key_mismatch'
  | 'bad_proof_signature'
  | 'proof_method_mismatch'
  | 'proof_url_mismatch'
  | 'proof_token_mismatch'
  | 'proof_too_old'
  | 'proof_in_future'
  | 'missing_nonce'
  | 'wrong_nonce'
  | 'replayed_proof'
  | 'missing_certificate'
  | 'certificate_mismatch'
  | 'insufficient_scope'
  | 'client_not_allowed'
  | 'actor_not_allowed'
  | 'service_only'
  | 'check_refused';

/** The stable words for why a request could not be decided. */
export type UndecidedReason =
  | 'keys_unavailable'
  | 'introspection_unavailable'
  | 'status_unavailable'
  | 'replay_store_unavailable'
  | 'overloaded'
  | 'check_failed'
  | 'closed';

/** Why the issuer refused a client, which the client itself does not learn. */
export type ClientRefusalReason =
  | 'unknown_client'
  | 'revoked_client'
  | 'wrong_method'
  | 'wrong_secret'
  | 'wrong_claims'
  | 'unknown_key'
  | 'bad_signature'
  | 'replayed_assertion'
  | 'unknown_identity'
  | 'wrong_assertion'
  | 'no_certificate'
  | 'unverified_certificate'
  | 'wrong_certificate';

/** The station of the corridor that refused. */
export type RejectionStep =
  | 'credentials'
  | 'token'
  | 'key'
  | 'signature'
  | 'introspection'
  | 'claims'
  | 'status'
  | 'binding'
  | 'proof'
  | 'certificate'
  | 'policy';

/**
 * How long it took to judge a request, in milliseconds; undefined where everything was in memory, which takes
 * microseconds, and where the request did not get as far as its token.
 */
type JudgingTime = number | undefined;

/** What happened, without its time; see {@link ServiceAuthEvent}. */
export type EventBody =
  | {
      readonly type: 'request.accepted';
      readonly issuer: string;
      readonly clientId: string | undefined;
      /** Whether the verified token came from the token cache. */
      readonly cached: boolean;
      readonly durationMs: JudgingTime;
    }
  | {
      readonly type: 'request.rejected';
      readonly reason: RejectionReason;
      readonly status: number;
      readonly step: RejectionStep;
      readonly expected: string | undefined;
      readonly actual: string | undefined;
      /** What probably lies behind it, where that can be told; `service-auth explain <reason>` tells more. */
      readonly hint: string | undefined;
      /** Known only once the signature held; unverified claims are never reported as facts. */
      readonly issuer: string | undefined;
      readonly clientId: string | undefined;
      readonly durationMs: JudgingTime;
    }
  | {
      readonly type: 'request.undecided';
      readonly reason: UndecidedReason;
      readonly issuer: string | undefined;
      readonly retryAfterMs: number;
      readonly message: string;
      readonly durationMs: JudgingTime;
    }
  | {
      readonly type: 'keys.refreshed';
      readonly issuer: string;
      readonly keys: number;
      /** Keys of the document that cannot verify access tokens (other use, type, or too weak). */
      readonly ignored: number;
      /** Where they are, without its query. */
      readonly jwksUri: string | undefined;
      /** Discovery included. */
      readonly durationMs: number;
    }
  | {
      readonly type: 'keys.refresh_failed';
      readonly issuer: string;
      readonly code: string;
      readonly message: string;
      readonly retryInMs: number;
      /** Undefined while discovery has not found it. */
      readonly jwksUri: string | undefined;
      readonly durationMs: number;
    }
  | { readonly type: 'keys.stale'; readonly issuer: string; readonly ageMs: number }
  | {
      readonly type: 'keys.unknown_kid';
      readonly issuer: string;
      readonly kid: string | undefined;
      /** Whether the key set was fetched again because of it; a cool-down bounds how often. */
      readonly refetched: boolean;
    }
  | {
      readonly type: 'introspection.call';
      readonly issuer: string;
      /** Without its query. */
      readonly endpoint: string | undefined;
      readonly durationMs: number;
      readonly active: boolean;
      /** How many calls it took; more than one after a retry. */
      readonly attempts: number;
    }
  | {
      readonly type: 'introspection.failed';
      readonly issuer: string;
      /** Undefined while discovery has not found it. */
      readonly endpoint: string | undefined;
      readonly durationMs: number;
      readonly code: string;
      readonly message: string;
      /** Whether the circuit breaker lets no call through for now. */
      readonly breakerOpen: boolean;
    }
  | {
      readonly type: 'dpop.replay';
      readonly issuer: string;
      readonly clientId: string | undefined;
      /** The thumbprint of the proof's key (RFC 7638). */
      readonly jkt: string;
    }
  | {
      readonly type: 'status_list.refreshed';
      readonly uri: string;
      readonly statuses: number;
      readonly durationMs: number;
    }
  | {
      readonly type: 'status_list.refresh_failed';
      readonly uri: string;
      readonly code: string;
      readonly message: string;
      readonly retryInMs: number;
      readonly durationMs: number;
    }
  | {
      /** One round trip, whatever came of it. */
      readonly type: 'token.requested';
      readonly clientId: string;
      readonly tokenEndpoint: string;
      readonly grantType: string;
      readonly durationMs: number;
      /** Why it gave no token; undefined where it did. */
      readonly code: string | undefined;
      readonly status: number | undefined;
      readonly oauthError: string | undefined;
    }
  | {
      readonly type: 'token.refreshed';
      readonly clientId: string;
      readonly scope: string | undefined;
      readonly expiresAt: number;
      readonly background: boolean;
      /** How long the token before it would have lasted yet, in milliseconds; undefined for a first one. */
      readonly leadMs: number | undefined;
    }
  | {
      readonly type: 'token.refresh_failed';
      readonly clientId: string;
      readonly code: string;
      readonly status: number | undefined;
      readonly oauthError: string | undefined;
      readonly message: string;
    }
  | {
      readonly type: 'token.reused_stale';
      readonly clientId: string;
      readonly expiresAt: number;
    }
  | {
      readonly type: 'retry';
      /** Why the call is sent again: with another token, another nonce, or by the server's clock. */
      readonly reason: 'invalid_token' | 'use_dpop_nonce' | 'clock_skew';
      readonly origin: string;
    }
  | {
      readonly type: 'retry.refused';
      /** The body is a stream, or that of a `Request`: it was sent once and is gone. */
      readonly reason: 'body_not_replayable';
      readonly origin: string;
    }
  | {
      readonly type: 'token.store_failed';
      /** What the shared store could not do, or in time; the token was requested all the same. */
      readonly operation: 'get' | 'set' | 'lease' | 'open';
    }
  | {
      readonly type: 'issuer.token_issued';
      readonly clientId: string;
      readonly grantType: string;
      readonly scope: string | undefined;
      readonly audience: readonly string[];
      readonly tokenId: string;
      /** In epoch seconds, as in the token. */
      readonly expiresAt: number;
    }
  | {
      readonly type: 'issuer.request_refused';
      readonly endpoint: string;
      readonly error: string;
      readonly description: string;
      /** Known only once the client was authenticated. */
      readonly clientId: string | undefined;
    }
  | {
      readonly type: 'issuer.client_refused';
      /** Of a service that there is, or was. */
      readonly clientId: string | undefined;
      readonly presented: 'secret' | 'own assertion' | 'federated assertion' | 'certificate';
      readonly reason: ClientRefusalReason;
    }
  | { readonly type: 'issuer.token_revoked'; readonly clientId: string; readonly tokenId: string }
  | { readonly type: 'issuer.service_created'; readonly clientId: string }
  | { readonly type: 'issuer.service_updated'; readonly clientId: string; readonly version: number }
  | { readonly type: 'issuer.service_revoked'; readonly clientId: string }
  | { readonly type: 'issuer.secret_added'; readonly clientId: string; readonly secretId: string }
  | { readonly type: 'issuer.secret_removed'; readonly clientId: string; readonly secretId: string }
  | {
      readonly type: 'issuer.resource_changed';
      readonly resource: string;
      readonly change: 'created' | 'updated' | 'deleted';
    }
  | {
      readonly type: 'issuer.keys_rotated';
      readonly kid: string;
      readonly algorithm: string;
      /** When the key starts to sign, in epoch milliseconds. */
      readonly activeFrom: number;
    }
  | {
      readonly type: 'issuer.limited';
      /** What asked too often. */
      readonly limit: 'client' | 'address';
      readonly endpoint: string;
      readonly clientId: string | undefined;
      /** An IPv4 address, or the first 64 bits of an IPv6 one. */
      readonly address: string | undefined;
    }
  | {
      /** Storage or `limits.store` could not be asked, so this instance counts alone. */
      readonly type: 'issuer.limits_not_shared';
      readonly limit: 'client' | 'address';
      readonly errorName: string;
    }
  | {
      readonly type: 'issuer.request_failed';
      readonly method: string;
      readonly path: string;
      /** The error's name and code alone: messages of foreign errors may quote what was stored. */
      readonly errorName: string;
      /** That of a system or database error, such as ECONNREFUSED. */
      readonly errorCode?: string | undefined;
    };

/**
 * One thing that happened; the only source of logs, metrics and spans. Never holds a token or a secret.
 * `at` is the time in epoch milliseconds.
 */
export type ServiceAuthEvent = EventBody & { readonly at: number };

/** Receives every event. What it throws, or rejects with, is ignored. */
export type EventListener = (event: ServiceAuthEvent) => unknown;

/** Takes an event over: whoever emits it makes it anew and keeps none. */
export type Emit = (event: EventBody) => void;

/**
 * Wraps a listener so that it can never break a request.
 *
 * Gives `undefined` without a listener, so that `emit?.({ ... })` costs nothing then: not even its argument.
 */
export function createEmitter(listener: EventListener | undefined, now: () => number): Emit | undefined {
  if (listener === undefined) return undefined;
  return (event) => {
    try {
      // Onto the event itself, which is new each time: a spread that grows costs twenty times as much.
      const result = listener(Object.assign(event, { at: now() }));
      // No `instanceof`: promises of libraries and of other realms reject too.
      if (result !== undefined) Promise.resolve(result).catch(ignore);
    } catch {
      // A listener observes; it has no say in the outcome.
    }
  };
}

function ignore(): void {}
