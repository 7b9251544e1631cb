/** What was invalidated from outside: tokens, `jti`s and clients that are refused until their tokens have expired. */
import { ServiceAuthError } from '../errors.ts';
import type { Caller } from './caller.ts';

export type Denied = { readonly token: string } | { readonly jti: string } | { readonly clientId: string };

export interface DenyList {
  /** Adds an entry until `expiresAt` (epoch milliseconds). @throws ServiceAuthError `deny_list_full` */
  add(what: Denied, expiresAt?: number): void;
  denies(caller: Caller, token: string): boolean;
  readonly size: number;
}

export interface DenyListOptions {
  readonly now: () => number;
  readonly maxEntries?: number;
  /** How long an entry lasts where the expiry of its tokens is not known. */
  readonly defaultMs?: number;
}

interface Entry {
  /** Tokens issued later are not meant, in epoch milliseconds. */
  readonly issuedUntil: number;
  expiresAt: number;
}

const DAY_MS = 24 * 60 * 60 * 1000;

export function createDenyList({ now, maxEntries = 100_000, defaultMs = DAY_MS }: DenyListOptions): DenyList {
  const tokens = new Map<string, Entry>();
  const ids = new Map<string, Entry>();
  const clients = new Map<string, Entry>();
  const all = [tokens, ids, clients];
  const size = (): number => tokens.size + ids.size + clients.size;

  /** Only dead entries make room: to forget a live one would let a token in that was taken back. */
  function makeRoom(): void {
    if (size() < maxEntries) return;
    const time = now();
    for (const entries of all) {
      for (const [key, { expiresAt }] of entries) if (time >= expiresAt) entries.delete(key);
    }
    if (size() >= maxEntries) {
      throw new ServiceAuthError('deny_list_full', `the deny list holds ${maxEntries} live entries`);
    }
  }

  function isDenied(entries: Map<string, Entry>, key: string | undefined, caller: Caller): boolean {
    const entry = key === undefined ? undefined : entries.get(key);
    if (key === undefined || entry === undefined) return false;
    // A token that outlives its entry has to be remembered as long as it lives.
    entry.expiresAt = Math.max(entry.expiresAt, caller.expiresAt * 1000);
    return (caller.issuedAt ?? 0) * 1000 <= entry.issuedUntil;
  }

  return {
    add(what, expiresAt = now() + defaultMs) {
      makeRoom();
      const everything = { issuedUntil: Number.POSITIVE_INFINITY, expiresAt };
      if ('token' in what) tokens.set(what.token, everything);
      else if ('jti' in what) ids.set(what.jti, everything);
      else clients.set(what.clientId, { issuedUntil: now(), expiresAt });
    },
    denies(caller, token) {
      if (size() === 0) return false;
      return (
        isDenied(tokens, token, caller) ||
        isDenied(ids, caller.tokenId, caller) ||
        isDenied(clients, caller.clientId, caller)
      );
    },
    get size() {
      return size();
    },
  };
}
