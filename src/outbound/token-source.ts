/** All tokens of one client: where their slots are kept, and how a slot asks for its token. */
import { LRUCache } from 'lru-cache';
import { ServiceAuthError } from '../errors.ts';
import { unlessAborted } from '../shared/abort.ts';
import { withoutQuery } from '../shared/http.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { createMetadataDocument } from '../shared/metadata.ts';
import type { AccessToken } from './access-token.ts';
import type { TokenClientSettings } from './token-client-options.ts';
import { requestToken } from './token-request.ts';
import { createTokenSlot, type TokenSlot, type TokenState } from './token-slot.ts';
import { readResources, readScopes, type TokenSubject, tokenSubject } from './token-subject.ts';

export interface TokenSource {
  /** What to ask for; what is not given is the client's default. @throws TypeError for a malformed value */
  subject(scope?: unknown, resource?: unknown): TokenSubject;
  /** The token of a subject: at once where it is in memory and usable. @throws (or rejects with) ServiceAuthError */
  acquire(subject: TokenSubject): MaybePromise<AccessToken>;
  /** A newer token than `failed`, or simply a new one. @throws (or rejects with) ServiceAuthError */
  renew(subject: TokenSubject, failed?: AccessToken): MaybePromise<AccessToken>;
  /** Forgets the token of one subject, or all. What is being requested serves those who wait for it, nobody later. */
  forget(subject?: TokenSubject): void;
  forgetToken(accessToken: string): void;
  state(subject: TokenSubject): TokenState | undefined;
  close(): void;
}

/** More kinds of tokens than any service asks for; beyond them the one used longest ago is forgotten. */
const MOST_TOKENS = 1000;

export function createTokenSource(settings: TokenClientSettings): TokenSource {
  const { check, identity, scopes, resources, aheadMs, now, random, emit } = settings;
  const { clientId } = identity;
  const filled = new LRUCache<string, TokenSlot>({ max: MOST_TOKENS });
  // Kept apart, so that requests that never succeed push no token out.
  const empty = new LRUCache<string, TokenSlot>({ max: MOST_TOKENS });
  const closing = new AbortController();
  const tokenEndpoint = tokenEndpointOf(settings, closing.signal);
  const defaultSubject = tokenSubject(identity, scopes, resources);

  function subject(scope?: unknown, resource?: unknown): TokenSubject {
    if (scope === undefined && resource === undefined) return defaultSubject;
    return tokenSubject(
      identity,
      scope === undefined ? scopes : readScopes(check, 'scope', scope),
      resource === undefined ? resources : readResources(check, 'resource', resource),
    );
  }

  function slotOf(subject: TokenSubject): TokenSlot {
    closing.signal.throwIfAborted();
    return filled.get(subject.key) ?? empty.get(subject.key) ?? createSlot(subject);
  }

  function createSlot(subject: TokenSubject): TokenSlot {
    const { key } = subject;
    const slot = createTokenSlot({
      aheadMs,
      now,
      random,
      request: () => unlessAborted(request(subject), closing.signal),
      onRefreshed({ scope, expiresAt }, background) {
        // A slot that was forgotten while it waited stays forgotten.
        if (empty.peek(key) === slot) {
          empty.delete(key);
          filled.set(key, slot);
        }
        emit?.({ type: 'token.refreshed', clientId, scope, expiresAt, background });
      },
      onFailed: ({ code, status, oauthError, message }) =>
        emit?.({ type: 'token.refresh_failed', clientId, code, status, oauthError, message }),
      onReused: ({ expiresAt }) => emit?.({ type: 'token.reused_stale', clientId, expiresAt }),
    });
    empty.set(key, slot);
    return slot;
  }

  async function request({ scope, parameters }: TokenSubject): Promise<AccessToken> {
    const endpoint = await tokenEndpoint();
    const startedAt = now();
    try {
      return await requestToken({
        ...settings,
        issuer: identity.issuer,
        tokenEndpoint: endpoint,
        clientId,
        scope,
        parameters,
        signal: closing.signal,
      });
    } finally {
      const durationMs = now() - startedAt;
      emit?.({ type: 'token.requested', clientId, tokenEndpoint: withoutQuery(endpoint), durationMs });
    }
  }

  return {
    subject,
    acquire: (subject) => slotOf(subject).read(),
    renew: (subject, failed) => slotOf(subject).renew(failed),
    forget(subject) {
      for (const slots of [filled, empty]) {
        if (subject === undefined) slots.clear();
        else slots.delete(subject.key);
      }
    },
    forgetToken(accessToken) {
      for (const [key, slot] of [...filled.entries()]) if (slot.holds(accessToken)) filled.delete(key);
    },
    state: ({ key }) => (filled.peek(key) ?? empty.peek(key))?.state(),
    close() {
      closing.abort(new ServiceAuthError('closed', 'the token client is closed'));
      filled.clear();
      empty.clear();
    },
  };
}

/** Where tokens are asked for: as configured, or as discovery says each time. */
function tokenEndpointOf(settings: TokenClientSettings, signal: AbortSignal): () => MaybePromise<string> {
  const { identity, discovery, fetch, now, timeoutMs } = settings;
  const { issuer, tokenEndpoint } = identity;
  if (tokenEndpoint !== undefined) return () => tokenEndpoint;
  if (issuer === undefined) throw new TypeError('a token client needs an issuer or a tokenEndpoint');
  const metadata = createMetadataDocument({ issuer, discovery, fetch, now, timeoutMs, signal });
  return () => andThen(metadata.read(), (document) => document.url('token_endpoint'));
}
