/** Gets one token: from the store that instances share, or from the server, in as many attempts as may help. */
import { LRUCache } from 'lru-cache';
import { optionError, ServiceAuthError } from '../errors.ts';
import type { EndSignal } from '../shared/abort.ts';
import { authenticateClient } from '../shared/client-auth.ts';
import { withoutQuery } from '../shared/http.ts';
import { andThen, type MaybePromise } from '../shared/maybe-async.ts';
import { createMetadataDocument } from '../shared/metadata.ts';
import type { AccessTokenFields } from './access-token.ts';
import type { DpopSigner } from './dpop-keys.ts';
import { type HeldToken, holdToken } from './held-token.ts';
import { repeatRefusal } from './repeated-refusal.ts';
import { createRetryBudget, type RetryBudget } from './retry-budget.ts';
import { isOtherClock, type Servers } from './servers.ts';
import type { TokenClientSettings } from './token-client-options.ts';
import { requestToken, type TokenAnswer } from './token-request.ts';
import type { TokenSubject } from './token-subject.ts';

/**
 * Gets a token that `isGood`, as far as other instances may have one.
 *
 * @throws ServiceAuthError (rejects) as `getToken` says.
 */
export interface TokenRequester {
  request(subject: TokenSubject, isGood: (token: AccessTokenFields) => boolean): Promise<HeldToken>;
  /** Takes the token of a subject out of the store that instances share, as soon as that can be done. */
  forget(subject: TokenSubject): void;
}

/** What a server said of a request; the same one would be refused again. */
interface Rejection {
  readonly error: ServiceAuthError;
  readonly credential: string | undefined;
  readonly from: number;
  readonly pauseMs: number;
}

/** A request that is authenticated, and under which circumstances. */
interface Attempt {
  readonly form: URLSearchParams;
  readonly headers: Record<string, string>;
  readonly credential: string | undefined;
  readonly hint: string | undefined;
  readonly nonce: string | undefined;
  /** How far the server's clock was thought to be from ours. */
  readonly skewMs: number;
}

/** What listeners hear of a request that gave no token. */
type Failure = Pick<ServiceAuthError, 'code' | 'status' | 'oauthError'>;

/** An injected transport may throw anything. */
const unexpected: Partial<Failure> = { code: 'network_failed' };

const MOST_REJECTIONS = 1000;
const REJECTION_PAUSE_MS = 10_000;
const LONGEST_PAUSE_MS = 60_000;
const lasting = new Set(['invalid_client', 'unauthorized_client', 'invalid_scope', 'invalid_target']);

export function createTokenRequester(
  settings: TokenClientSettings,
  servers: Servers,
  signal: EndSignal,
): TokenRequester {
  const { identity, clientAuth, dpopKeys, shared, now, emit, timeoutMs } = settings;
  const { issuer, clientId } = identity;
  const tokenEndpoint = tokenEndpointOf(settings, signal);
  const rejections = new LRUCache<string, Rejection>({ max: MOST_REJECTIONS });

  async function request(
    subject: TokenSubject,
    isGood: (token: AccessTokenFields) => boolean,
  ): Promise<HeldToken> {
    const endpoint = await tokenEndpoint();
    const signer = subject.dpop ? await dpopKeys.signer() : undefined;
    const ask = (): Promise<AccessTokenFields> => requestUntilFinal(subject, endpoint, signer);
    // A token is of no use to an instance that has not got its key.
    const isShareable = signer === undefined || dpopKeys.shared;
    if (shared === undefined || !isShareable) return holdToken(await ask(), signer);
    const key = await storeKeyOf(subject, endpoint, signer);
    return holdToken(await shared.obtain(key, isGood, ask), signer);
  }

  /** Whoever does not hold the credential must not find the token either. */
  async function storeKeyOf(
    subject: TokenSubject,
    endpoint: string,
    signer: DpopSigner | undefined,
  ): Promise<string> {
    const { credential } = await prepare(subject, endpoint, signer, 0);
    return JSON.stringify([subject.key, credential ?? null, signer?.jkt ?? null]);
  }

  async function forgetShared(subject: TokenSubject): Promise<void> {
    const signer = subject.dpop ? await dpopKeys.signer() : undefined;
    await shared?.forget(await storeKeyOf(subject, await tokenEndpoint(), signer));
  }

  async function requestUntilFinal(
    subject: TokenSubject,
    endpoint: string,
    signer: DpopSigner | undefined,
  ): Promise<AccessTokenFields> {
    const budget = createRetryBudget();
    const first = await prepare(subject, endpoint, signer, 0);
    throwIfRejected(subject, first);
    const tried = new Set<string | undefined>();
    let attempt = first;
    for (;;) {
      const answer = await send(subject, endpoint, attempt);
      if ('token' in answer) {
        rejections.delete(subject.key);
        return answer.token;
      }
      const { refusal } = answer;
      if (!mayHelp(refusal, attempt, endpoint, budget)) throw reject(subject, first, refusal, attempt);
      const isNextCredential = isClientRefused(refusal) && !isClockWrong(attempt, endpoint);
      if (isNextCredential) tried.add(attempt.credential);
      const next = await prepare(subject, endpoint, signer, tried.size);
      // Read again, the source gave nothing new.
      if (isNextCredential && tried.has(next.credential)) throw reject(subject, first, refusal, attempt);
      attempt = next;
    }
  }

  async function prepare(
    subject: TokenSubject,
    endpoint: string,
    signer: DpopSigner | undefined,
    refusals: number,
  ): Promise<Attempt> {
    const { origin } = new URL(endpoint);
    const form = new URLSearchParams([['grant_type', subject.grant]]);
    for (const [name, value] of subject.parameters) form.append(name, value);
    const headers: Record<string, string> = {};
    const serverNow = (): number => servers.now('issuer', origin);
    const skewMs = servers.skewMs('issuer', origin);
    const unauthenticated = { issuer, endpoint, clientId, form, headers, refusals, now: serverNow };
    const used = await authenticateClient(clientAuth, unauthenticated, timeoutMs);
    const nonce = servers.nonce('issuer', origin);
    if (signer !== undefined) {
      headers.dpop = await signer.prove({ method: 'POST', url: endpoint, nonce, now: serverNow() });
    }
    return { form, headers, credential: used?.credential, hint: used?.hint, nonce, skewMs };
  }

  async function send(subject: TokenSubject, endpoint: string, attempt: Attempt): Promise<TokenAnswer> {
    const { scope, dpop, keepsBinding } = subject;
    const { defaultLifetimeSeconds, fetch } = settings;
    const { form, headers } = attempt;
    const startedAt = now();
    let failure: Partial<Failure> = unexpected;
    try {
      const answer = await requestToken({
        tokenEndpoint: endpoint,
        form,
        headers,
        scope,
        dpop,
        keepsBinding,
        defaultLifetimeSeconds,
        fetch,
        now,
        timeoutMs,
        signal,
        onAnswer: (answered, sentAt) => servers.learn('issuer', new URL(endpoint).origin, answered, sentAt),
      });
      failure = 'refusal' in answer ? answer.refusal : {};
      return answer;
    } catch (error) {
      if (error instanceof ServiceAuthError) failure = error;
      throw error;
    } finally {
      const { code, status, oauthError } = failure;
      emit?.({
        type: 'token.requested',
        clientId,
        tokenEndpoint: withoutQuery(endpoint),
        grantType: subject.grant,
        durationMs: now() - startedAt,
        code,
        status,
        oauthError,
      });
    }
  }

  /** Whether the answer itself has taught something that makes another attempt worth while. */
  function mayHelp(
    refusal: ServiceAuthError,
    attempt: Attempt,
    endpoint: string,
    budget: RetryBudget,
  ): boolean {
    const { oauthError } = refusal;
    if (oauthError === 'use_dpop_nonce') {
      const nonce = servers.nonce('issuer', new URL(endpoint).origin);
      const isNew = attempt.headers.dpop !== undefined && nonce !== undefined && nonce !== attempt.nonce;
      return isNew && budget.take('use_dpop_nonce', nonce);
    }
    const isClient = isClientRefused(refusal);
    if (!isClient && oauthError !== 'invalid_dpop_proof') return false;
    if (isClockWrong(attempt, endpoint) && budget.take('clock_skew')) return true;
    return isClient && budget.take('invalid_client', attempt.credential);
  }

  function isClockWrong({ skewMs }: Attempt, endpoint: string): boolean {
    return isOtherClock(servers.skewMs('issuer', new URL(endpoint).origin), skewMs);
  }

  /** The next round begins with the first credential again: by that it is known that nothing has changed. */
  function reject(
    { key }: TokenSubject,
    { credential }: Attempt,
    refusal: ServiceAuthError,
    { hint }: Attempt,
  ): ServiceAuthError {
    const { code, message, oauthError = '' } = refusal;
    // Some servers call a header that they cannot decode a malformed request.
    const isHelpful = hint !== undefined && (isClientRefused(refusal) || oauthError === 'invalid_request');
    const error = isHelpful ? new ServiceAuthError(code, `${message}; ${hint}`, refusal) : refusal;
    if (lasting.has(oauthError) || isClientRefused(refusal)) {
      const pauseMs = Math.min(Math.max(error.retryAfterMs ?? 0, REJECTION_PAUSE_MS), LONGEST_PAUSE_MS);
      rejections.set(key, { error, credential, from: now(), pauseMs });
    }
    return error;
  }

  /** Until its time is over or the credential another one, a refusal is as good as asking again. */
  function throwIfRejected({ key }: TokenSubject, { credential }: Attempt): void {
    const rejection = rejections.get(key);
    if (rejection === undefined || rejection.credential !== credential) return;
    const { error, from, pauseMs } = rejection;
    const age = now() - from;
    if (age < 0 || age >= pauseMs) return;
    throw repeatRefusal(error, pauseMs - age);
  }

  return {
    request,
    forget(subject) {
      if (shared !== undefined) forgetShared(subject).catch(() => {});
    },
  };
}

/** RFC 6749 section 5.2, and what Auth0 and Keycloak say instead. */
function isClientRefused({ oauthError, status }: ServiceAuthError): boolean {
  if (oauthError === 'invalid_client') return true;
  return status === 401 && (oauthError === 'access_denied' || oauthError === 'unauthorized_client');
}

/** Where tokens are asked for: as configured, or as discovery says each time. */
function tokenEndpointOf(settings: TokenClientSettings, signal: EndSignal): () => MaybePromise<string> {
  const { identity, clientAuth, discovery, fetch, now, timeoutMs } = settings;
  const { issuer, tokenEndpoint } = identity;
  if (tokenEndpoint !== undefined) return () => tokenEndpoint;
  if (issuer === undefined)
    throw optionError('option_missing', 'a token client needs an issuer or a tokenEndpoint');
  const metadata = createMetadataDocument({ issuer, discovery, fetch, now, timeoutMs, signal });
  return () => andThen(metadata.read(), (document) => document.url('token_endpoint', clientAuth.mutualTls));
}
