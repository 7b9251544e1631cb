/** All tokens of one client: where their slots are kept, and how a slot asks for its token. */
import { LRUCache } from 'lru-cache';
import { ServiceAuthError } from '../errors.ts';
import { createEnding, unlessAborted } from '../shared/abort.ts';
import type { MaybePromise } from '../shared/maybe-async.ts';
import type { HeldToken } from './held-token.ts';
import { createServers, type Servers } from './servers.ts';
import type { TokenClientSettings } from './token-client-options.ts';
import { createTokenRequester } from './token-requester.ts';
import { createTokenSlot, type TokenSlot, type TokenState } from './token-slot.ts';
import {
  readResources,
  readScopes,
  type TokenSubject,
  type TokenWish,
  tokenSubject,
} from './token-subject.ts';

export interface TokenSource {
  /** Nonces and clocks, which proofs for resource servers need too. */
  readonly servers: Servers;
  /** What to ask for; what is not given is the client's default. @throws TypeError for a malformed value */
  subject(wish?: PartialWish): TokenSubject;
  /** The token of a subject: at once where it is in memory and usable. @throws (or rejects with) ServiceAuthError */
  acquire(subject: TokenSubject): MaybePromise<HeldToken>;
  /** A newer token than `failed`, or simply a new one. @throws (or rejects with) ServiceAuthError */
  renew(subject: TokenSubject, failed?: HeldToken): MaybePromise<HeldToken>;
  /** The token of this value, if it is among the current ones. */
  find(accessToken: string): HeldToken | undefined;
  /** Forgets the token of one subject, or all. What is being requested serves those who wait for it, nobody later. */
  forget(subject?: TokenSubject): void;
  forgetToken(accessToken: string): void;
  state(subject: TokenSubject): TokenState | undefined;
  close(): void;
}

/** A wish whose scopes and resources were not looked at yet. */
export interface PartialWish extends Pick<TokenWish, 'audience' | 'exchange'> {
  readonly scope?: unknown;
  readonly resource?: unknown;
  readonly dpop?: boolean | undefined;
}

/** More kinds of tokens than any service asks for; beyond them the one used longest ago is forgotten. */
const MOST_TOKENS = 1000;
/** Those of exchanges are as many as there are callers. */
const MOST_EXCHANGED = 10_000;
/** A token that is as good as expired would not arrive in time. */
const LEAST_LIFETIME_MS = 2000;

export function createTokenSource(settings: TokenClientSettings): TokenSource {
  const { check, identity, scopes, resources, aheadMs, mandatoryMs, now, random, emit } = settings;
  const { clientId } = identity;
  const closing = createEnding();
  const servers = createServers(now);
  const requester = createTokenRequester(settings, servers, closing.signal);
  // What was forgotten here must not come back from the store of all.
  const forgotten = new LRUCache<string, true>({ max: MOST_TOKENS });
  const own = createSlots(MOST_TOKENS);
  // Apart, so that a flood of callers pushes none of the service's own tokens out.
  const exchanged = createSlots(MOST_EXCHANGED);
  const defaultSubject = tokenSubject(identity, { scopes, resources, dpop: settings.dpop });

  function subject(wish: PartialWish = {}): TokenSubject {
    const { scope, resource, audience, exchange } = wish;
    // What is bound stays bound.
    const dpop = exchange?.keepsBinding === true || (wish.dpop ?? settings.dpop);
    const isDefault = scope === undefined && resource === undefined && audience === undefined;
    if (isDefault && exchange === undefined && dpop === defaultSubject.dpop) return defaultSubject;
    return tokenSubject(identity, {
      scopes: scope === undefined ? scopes : readScopes(check, 'scope', scope),
      resources: resource === undefined ? resources : readResources(check, 'resource', resource),
      audience,
      dpop,
      exchange,
    });
  }

  function slotsOf({ grant }: TokenSubject): Slots {
    return grant === 'client_credentials' ? own : exchanged;
  }

  function slotOf(subject: TokenSubject): TokenSlot {
    closing.signal.throwIfAborted();
    const slots = slotsOf(subject);
    return slots.get(subject.key) ?? createSlot(subject, slots);
  }

  function createSlot(subject: TokenSubject, slots: Slots): TokenSlot {
    const { key } = subject;
    const slot = createTokenSlot({
      aheadMs,
      mandatoryMs,
      now,
      random,
      request: (old, fresh) =>
        unlessAborted(
          requester.request(subject, (token) => !fresh && isNewer(token, old)),
          closing.signal,
        ),
      onRefreshed({ token: { scope, expiresAt } }, background, leadMs) {
        slots.fill(key, slot);
        emit?.({ type: 'token.refreshed', clientId, scope, expiresAt, background, leadMs });
      },
      onFailed: ({ code, status, oauthError, message }) =>
        emit?.({ type: 'token.refresh_failed', clientId, code, status, oauthError, message }),
      onReused: ({ token }) => emit?.({ type: 'token.reused_stale', clientId, expiresAt: token.expiresAt }),
    });
    slots.add({ slot, subject });
    return slot;
  }

  /** Whether what another instance got is better than the token that is to be replaced. */
  function isNewer(
    token: { readonly accessToken: string; readonly expiresAt: number },
    old: HeldToken | undefined,
  ): boolean {
    if (token.accessToken === old?.token.accessToken || forgotten.has(token.accessToken)) return false;
    return token.expiresAt >= Math.max(old?.token.expiresAt ?? 0, now() + LEAST_LIFETIME_MS);
  }

  function forgetAll(kept: readonly Kept[]): void {
    for (const { slot, subject } of kept) {
      const held = slot.held();
      if (held !== undefined) forgotten.set(held.token.accessToken, true);
      requester.forget(subject);
    }
  }

  return {
    servers,
    subject,
    acquire: (subject) => slotOf(subject).read(),
    renew: (subject, failed) => slotOf(subject).renew(failed),
    find: (accessToken) => own.find(accessToken) ?? exchanged.find(accessToken),
    forget(subject) {
      if (subject === undefined) return forgetAll([...own.takeAll(), ...exchanged.takeAll()]);
      requester.forget(subject);
      forgetAll(slotsOf(subject).take(({ subject: { key } }) => key === subject.key));
    },
    forgetToken(accessToken) {
      forgotten.set(accessToken, true);
      const isIt = ({ slot }: Kept): boolean => slot.held()?.token.accessToken === accessToken;
      forgetAll([...own.take(isIt), ...exchanged.take(isIt)]);
    },
    state: (subject) => slotsOf(subject).peek(subject.key)?.state(),
    close() {
      closing.end(new ServiceAuthError('closed', 'the token client is closed'));
      own.takeAll();
      exchanged.takeAll();
    },
  };
}

/** A slot, and what its token is asked for. */
interface Kept {
  readonly slot: TokenSlot;
  readonly subject: TokenSubject;
}

interface Slots {
  get(key: string): TokenSlot | undefined;
  /** As `get`, without counting as use. */
  peek(key: string): TokenSlot | undefined;
  add(kept: Kept): void;
  /** Says that a slot has got its token; one that was forgotten while it waited stays forgotten. */
  fill(key: string, slot: TokenSlot): void;
  find(accessToken: string): HeldToken | undefined;
  /** Takes out those that match. */
  take(matches: (kept: Kept) => boolean): readonly Kept[];
  takeAll(): readonly Kept[];
}

/** Callers' tokens are kept to be exchanged again, and may be long. */
const MOST_CHARACTERS = 16_000_000;
const CHARACTERS_OF_A_SLOT = 1000;

function charactersOf({ subject }: Kept): number {
  let characters = CHARACTERS_OF_A_SLOT + subject.key.length;
  for (const [, value] of subject.parameters) characters += value.length;
  return characters;
}

function createSlots(max: number): Slots {
  const bounds = { max, maxSize: MOST_CHARACTERS, sizeCalculation: charactersOf };
  const filled = new LRUCache<string, Kept>(bounds);
  // Kept apart, so that requests that never succeed push no token out.
  const empty = new LRUCache<string, Kept>(bounds);

  function take(matches: (kept: Kept) => boolean): readonly Kept[] {
    const taken = [...filled.values(), ...empty.values()].filter(matches);
    for (const { subject } of taken) {
      filled.delete(subject.key);
      empty.delete(subject.key);
    }
    return taken;
  }

  return {
    get: (key) => (filled.get(key) ?? empty.get(key))?.slot,
    peek: (key) => (filled.peek(key) ?? empty.peek(key))?.slot,
    add: (kept) => void empty.set(kept.subject.key, kept),
    fill(key, slot) {
      const kept = empty.peek(key);
      if (kept?.slot !== slot) return;
      empty.delete(key);
      filled.set(key, kept);
    },
    find(accessToken) {
      for (const { slot } of filled.values()) {
        const held = slot.held();
        if (held?.token.accessToken === accessToken) return held;
      }
      return undefined;
    },
    take,
    takeAll: () => take(() => true),
  };
}
