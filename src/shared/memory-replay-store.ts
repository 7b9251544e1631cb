import { encodeBase64url } from './base64url.ts';
import { sha256 } from './crypto.ts';
import { andThen } from './maybe-async.ts';
import { OptionChecker } from './options.ts';
import type { ReplayStore } from './stores.ts';

export interface MemoryReplayStoreOptions {
  /** Live proofs of all keys together. @default 1_000_000 */
  readonly maxProofs?: number | undefined;
  /** Live proofs of one key, so that no client can fill the store for others. @default 250_000 */
  readonly maxProofsPerKey?: number | undefined;
  /** The clock, in epoch milliseconds. @default Date.now */
  readonly now?: () => number;
  /** A clock that is never set, in milliseconds since whenever. @default performance.now */
  readonly monotonicNow?: () => number;
}

/** The used `jti`s of one key. */
interface Owner {
  readonly jkt: string;
  readonly used: Set<string>;
}

/** The proofs that die within one second. */
interface Bucket {
  readonly owners: Owner[];
  readonly jtis: string[];
  /** When the last of them is dead by the clock that is never set. */
  deadAt: number;
}

/** A `jti` is the client's to choose; longer ones are kept as their digest. */
const LONGEST_JTI = 64;

/**
 * Remembers used proofs in this process: for a service of one instance.
 *
 * An entry goes once it is dead by two clocks, one of which is never set; a live one never goes. With no room left
 * it refuses. Not checked: proofs that another instance has seen. RFC 9449 section 11.1.
 *
 * @throws TypeError for wrong options.
 *
 * @example
 * ```ts
 * import { createMemoryReplayStore, createVerifier } from 'service-auth';
 *
 * export const verifier = createVerifier({
 *   issuer: 'https://idp.example',
 *   audience: 'https://orders.example',
 *   dpop: { replayStore: createMemoryReplayStore({ maxProofs: 100_000 }) },
 * });
 * ```
 */
export function createMemoryReplayStore(options: MemoryReplayStoreOptions = {}): ReplayStore {
  const { maxProofs, maxProofsPerKey, now, monotonicNow } = readOptions(options);
  const owners = new Map<string, Owner>();
  /** By the second at whose beginning they are dead. */
  const live = new Map<number, Bucket>();
  let dead: Bucket[] = [];
  let size = 0;
  let lookedAt = 0;

  /** Looks once in a second which buckets have died. */
  function age(time: number): void {
    const second = Math.floor(time / 1000);
    if (second === lookedAt) return;
    lookedAt = second;
    const monotonic = monotonicNow();
    for (const [deadFrom, bucket] of live) {
      if (second < deadFrom || monotonic < bucket.deadAt) continue;
      live.delete(deadFrom);
      dead.push(bucket);
    }
    if (live.size > 0) return;
    owners.clear();
    dead = [];
    size = 0;
  }

  /** Takes one dead entry out. A little with each proof, so that none has to wait for a thousand. */
  function sweep(): boolean {
    const bucket = dead.at(-1);
    if (bucket === undefined) return false;
    const owner = bucket.owners.pop();
    const jti = bucket.jtis.pop();
    if (owner !== undefined && jti !== undefined) {
      owner.used.delete(jti);
      if (owner.used.size === 0) owners.delete(owner.jkt);
      size--;
    }
    if (bucket.jtis.length === 0) dead.pop();
    return true;
  }

  function record(jkt: string, jti: string, expiresAt: number): 'recorded' | 'replayed' | 'full' {
    const time = now();
    age(time);
    // Two, since one comes in: what is dead gets less.
    if (sweep()) sweep();
    let owner = owners.get(jkt);
    if (owner?.used.has(jti)) return 'replayed';
    while (size >= maxProofs || (owner?.used.size ?? 0) >= maxProofsPerKey) {
      if (!sweep()) return 'full';
      owner = owners.get(jkt);
    }
    if (owner === undefined) {
      owner = { jkt, used: new Set() };
      owners.set(jkt, owner);
    }
    owner.used.add(jti);
    size++;
    const deadFrom = Math.ceil(expiresAt / 1000);
    let bucket = live.get(deadFrom);
    if (bucket === undefined) {
      bucket = { owners: [], jtis: [], deadAt: 0 };
      live.set(deadFrom, bucket);
    }
    bucket.owners.push(owner);
    bucket.jtis.push(jti);
    bucket.deadAt = Math.max(bucket.deadAt, monotonicNow() + expiresAt - time);
    return 'recorded';
  }

  return {
    record: ({ jkt, jti, expiresAt }) =>
      jti.length <= LONGEST_JTI
        ? record(jkt, jti, expiresAt)
        : andThen(sha256(new TextEncoder().encode(jti)), (digest) =>
            record(jkt, encodeBase64url(digest), expiresAt),
          ),
  };
}

function readOptions(options: MemoryReplayStoreOptions) {
  const check = new OptionChecker('createMemoryReplayStore');
  const known = ['maxProofs', 'maxProofsPerKey', 'now', 'monotonicNow'];
  const {
    maxProofs = 1_000_000,
    maxProofsPerKey = 250_000,
    ...clocks
  } = check.object('options', options, known);
  return {
    maxProofs: check.number('maxProofs', maxProofs, 1, 10_000_000, 'proofs'),
    maxProofsPerKey: check.number('maxProofsPerKey', maxProofsPerKey, 1, 10_000_000, 'proofs'),
    now: check.function('now', clocks.now) ?? (() => Date.now()),
    monotonicNow: check.function('monotonicNow', clocks.monotonicNow) ?? (() => performance.now()),
  };
}
