/** What was invalidated from outside: tokens, `jti`s and clients that are refused until their tokens have expired. */
import { ServiceAuthError } from '../errors.ts';
import type { Caller } from './caller.ts';
import { tokenKey } from './token-key.ts';

export type Denied =
  | { readonly token: string }
  | { readonly tokenKey: string }
  | { readonly jti: string }
  | { readonly clientId: string; readonly issuedUntil?: number | undefined };

export interface DenyList {
  /** Adds an entry that lasts until `expiresAt` (epoch milliseconds) at least. @throws ServiceAuthError `deny_list_full` */
  add(what: Denied, expiresAt?: number): void;
  denies(caller: Caller, token: string): boolean;
  /** Grows with each entry: who waited for something may see whether there is anything new to ask. */
  readonly additions: number;
  readonly size: number;
}

export interface DenyListOptions {
  readonly now: () => number;
  /** How far ahead the clocks of issuers may be; their newest tokens are meant too. */
  readonly toleranceMs?: number;
  readonly maxEntries?: number;
  /** How long an entry lasts where the expiry of its tokens is not known. */
  readonly defaultMs?: number;
}

interface Entry {
  /** Tokens issued later are not meant, in epoch milliseconds. */
  readonly issuedUntil: number;
  expiresAt: number;
}

export const DAY_MS = 24 * 60 * 60 * 1000;
/** The largest clock tolerance of a verifier: so long after its `exp` may a token still be good. */
const GRACE_MS = 10 * 60 * 1000;

export function createDenyList(options: DenyListOptions): DenyList {
  const { now, toleranceMs = 0, maxEntries = 100_000, defaultMs = DAY_MS } = options;
  /** By {@link tokenKey}: tokens are long, and none needs to be kept. */
  const tokens = new Map<string, Entry>();
  const ids = new Map<string, Entry>();
  const clients = new Map<string, Entry>();
  const all = [tokens, ids, clients];
  let additions = 0;
  const size = (): number => tokens.size + ids.size + clients.size;

  /** Only dead entries make room: to forget a live one would let a token in that was taken back. */
  function makeRoom(): void {
    if (size() < maxEntries) return;
    const time = now() - GRACE_MS;
    for (const entries of all) {
      for (const [key, { expiresAt }] of entries) if (time >= expiresAt) entries.delete(key);
    }
    if (size() >= maxEntries) {
      throw new ServiceAuthError('deny_list_full', `the deny list holds ${maxEntries} live entries`);
    }
  }

  function put(entries: Map<string, Entry>, key: string, issuedUntil: number, expiresAt: number): void {
    const known = entries.get(key);
    if (known === undefined) makeRoom();
    // Said again, a thing is denied no shorter than before.
    entries.set(key, {
      issuedUntil: Math.max(issuedUntil, known?.issuedUntil ?? 0),
      expiresAt: Math.max(expiresAt, known?.expiresAt ?? 0),
    });
  }

  function isDenied(entries: Map<string, Entry>, key: string | undefined, caller: Caller): boolean {
    const entry = key === undefined ? undefined : entries.get(key);
    if (entry === undefined || (caller.issuedAt ?? 0) * 1000 > entry.issuedUntil) return false;
    // Of a client's tokens only those that do not say when they were issued can be newer than such an entry.
    if (entries === clients && now() - GRACE_MS >= entry.expiresAt) return false;
    // A token that outlives its entry has to be remembered as long as it lives.
    entry.expiresAt = Math.max(entry.expiresAt, caller.expiresAt * 1000);
    return true;
  }

  return {
    add(what, expiresAt = now() + defaultMs) {
      additions++;
      if ('token' in what) put(tokens, tokenKey(what.token), Number.POSITIVE_INFINITY, expiresAt);
      else if ('tokenKey' in what) put(tokens, what.tokenKey, Number.POSITIVE_INFINITY, expiresAt);
      else if ('jti' in what) put(ids, what.jti, Number.POSITIVE_INFINITY, expiresAt);
      // A clock that is ahead must not deny what will be issued.
      else put(clients, what.clientId, Math.min(what.issuedUntil ?? now(), now()) + toleranceMs, expiresAt);
    },
    denies(caller, token) {
      if (size() === 0) return false;
      return (
        (tokens.size > 0 && isDenied(tokens, tokenKey(token), caller)) ||
        isDenied(ids, caller.tokenId, caller) ||
        isDenied(clients, caller.clientId, caller)
      );
    },
    get additions() {
      return additions;
    },
    get size() {
      return size();
    },
  };
}
