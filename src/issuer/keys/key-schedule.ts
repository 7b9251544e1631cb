/** When which signing key signs, is followed by another one, and is forgotten. Times are epoch milliseconds. */
import type { StoredSigningKey } from '../storage/records.ts';

export interface KeySchedule {
  readonly algorithm: string;
  /** How long a new key is published before it signs. */
  readonly publishAheadMs: number;
  /** How long a key signs; `undefined` for until the next command. */
  readonly rotationMs: number | undefined;
}

/** Covers instances that signed with the old key until they reloaded, and the clock tolerance of verifiers. */
const GRACE_MS = 60_000;

/** Of the keys whose time has come the one whose time came last; of equals the one added last. */
export function activeKey<K extends StoredSigningKey>(keys: readonly K[], nowMs: number): K | undefined {
  let active: K | undefined;
  for (const key of keys) {
    if (key.activeFromMs > nowMs) continue;
    if (active === undefined || key.activeFromMs >= active.activeFromMs) active = key;
  }
  return active;
}

/** When a key that must be added now would have to begin to sign; `undefined` if none must be. */
export function nextActiveFrom(
  stored: readonly StoredSigningKey[],
  { algorithm, publishAheadMs, rotationMs = Number.POSITIVE_INFINITY }: KeySchedule,
  nowMs: number,
): number | undefined {
  const active = activeKey(stored, nowMs);
  if (active === undefined) return nowMs;
  const isOfAge = nowMs >= active.activeFromMs + rotationMs - publishAheadMs;
  const isFollowed = stored.some(({ activeFromMs }) => activeFromMs > nowMs);
  const hasOurs = stored.some(
    (key) => key.algorithm === algorithm && key.activeFromMs >= active.activeFromMs,
  );
  return (isOfAge && !isFollowed) || !hasOurs ? nowMs + publishAheadMs : undefined;
}

/** When the last of what a key may have signed has expired. */
export function retiresAt(key: StoredSigningKey, stored: readonly StoredSigningKey[]): number {
  const successors = stored.filter((other) => takesOver(other, key, stored));
  const replacedAt = Math.min(...successors.map(({ activeFromMs }) => activeFromMs));
  return replacedAt + key.tokenSeconds * 1000 + GRACE_MS;
}

function takesOver(
  other: StoredSigningKey,
  key: StoredSigningKey,
  stored: readonly StoredSigningKey[],
): boolean {
  if (other.activeFromMs !== key.activeFromMs) return other.activeFromMs > key.activeFromMs;
  return stored.indexOf(other) > stored.indexOf(key);
}
